"""The creation of runs: for a change that was pushed, or for a release that a person deploys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from sqlalchemy import Connection

from tidegate.config.problem import ConfigError
from tidegate.config.tidegate_yaml import load
from tidegate.engine.cadence_checks import cadence_problems
from tidegate.engine.loading import rules_at
from tidegate.engine.parts import Parts
from tidegate.model.actor import SYSTEM, Actor
from tidegate.model.change import Change
from tidegate.model.event import Event, EventKind
from tidegate.model.foundation import pipeline_lacks
from tidegate.model.ids import EnvironmentName, RunId, ServiceName, StepRunId, placement_id
from tidegate.model.pipeline import Mode, Pipeline, Setup, Stage, Step
from tidegate.model.placement import Placement
from tidegate.model.reason import Reason
from tidegate.model.release import Release
from tidegate.model.run import Run, RunStatus, StageRun, Trigger
from tidegate.model.service import Service
from tidegate.model.service_folder import service_folder
from tidegate.model.step_inputs import Listing, contents, missing_input
from tidegate.model.step_key import files_digest
from tidegate.model.step_run import BUILD, StepRun
from tidegate.store import events, queries, rows

FILE = "tidegate.yaml"


@dataclass(frozen=True, slots=True)
class Pushed:
    """A new commit on a service's main branch; `text` is its tidegate.yaml, None where it has none that can be read:
    `unreadable` says why not, where there is one.

    `listing` is what the service's folder holds at the commit, `changed` the paths that differ from the commit before.
    """

    change: Change
    order: int
    text: str | None
    unreadable: str | None = None
    listing: Listing = Listing()
    changed: tuple[str, ...] = ()


def create_run(connection: Connection, parts: Parts, service: Service, pushed: Pushed) -> Run:
    """Begin the passage of a change; where its file cannot be read the run has failed, with every problem named."""
    now = parts.clock.now()
    run = Run(
        id=RunId(parts.new_id()),
        service=service.name,
        change=pushed.change,
        order=pushed.order,
        trigger=Trigger.PUSH,
        created_at=now,
    )
    problems: tuple[Reason, ...] = ()
    if pushed.unreadable is not None:
        problems = (Reason("configuration", pushed.unreadable, "commit a corrected file"),)
    elif pushed.text is None:
        problems = (Reason("configuration", f"{FILE} is not in commit {run.label}", "tidegate init, then commit it"),)
    else:
        try:
            run = replace(run, pipeline=_pipeline(pushed.text, service, parts))
        except ConfigError as error:
            problems = tuple(Reason("configuration", str(problem)) for problem in error.problems)
        else:
            run = replace(run, changed=pushed.changed if _asks_for_changed(run, parts) else None)
            problems = _name_problem(run, service)
            if run.pipeline:
                problems += cadence_problems(connection, parts, service, run.pipeline)
            run = replace(run, pipeline=None) if problems else run
    if problems:
        run = replace(run, status=RunStatus.FAILED, because=problems, ended_at=now)
    _put_run(connection, parts, run, run.pipeline.stages if run.pipeline else (), pushed.listing)
    if run.pipeline:
        _follow_file(connection, service, run.pipeline, parts)
    return run


def create_deploy_run(
    connection: Connection, parts: Parts, release: Release, environment: EnvironmentName, actor: Actor
) -> Run:
    """A person deploys one release to one environment: only that environment's stages, nothing is built again."""
    stages = tuple(stage for stage in release.pipeline.stages if stage.environment == environment)
    run = Run(
        id=RunId(parts.new_id()),
        service=release.service,
        change=release.change,
        order=release.order,
        trigger=Trigger.DEPLOY,
        created_at=parts.clock.now(),
        actor=actor,
        by_person=True,
        pipeline=release.pipeline,
        release=release.id,
    )
    _put_run(connection, parts, run, stages)
    return run


def create_drill_run(connection: Connection, parts: Parts, release: Release, stage: Stage, actor: Actor) -> Run:
    """A release is deployed once by one stage in order to be taken back; somebody asked for exactly this one."""
    run = Run(
        id=RunId(parts.new_id()),
        service=release.service,
        change=release.change,
        order=release.order,
        trigger=Trigger.DRILL,
        created_at=parts.clock.now(),
        actor=actor,
        by_person=True,
        pipeline=release.pipeline,
        release=release.id,
    )
    _put_run(connection, parts, run, (stage,))
    return run


def ensure_placement(
    connection: Connection, parts: Parts, service: ServiceName, environment: EnvironmentName
) -> Placement:
    """The service's placement in the environment, made with an address of its own where it is not there yet."""
    wanted = placement_id(service, environment)
    known = queries.placement(connection, wanted)
    if known:
        return known
    port = parts.ports.for_placement(queries.ports_taken(connection))
    queries.reserve_port(connection, port, wanted)
    placement = Placement(wanted, service, environment, port)
    rows.put(connection, placement)
    return placement


def _asks_for_changed(run: Run, parts: Parts) -> bool:
    """Whether the condition of a step or a policy at a gate asks which files changed, or how many."""
    assert run.pipeline is not None
    steps = (*run.pipeline.build.steps, *(step for stage in run.pipeline.stages for step in stage.all_steps))
    if any(step.condition and "changed" in step.condition for step in steps):
        return True
    stages = run.pipeline.stages
    rules = [rule for one in stages for rule in rules_at(run, one.name, parts.environment(one.environment))]
    return any("files" in policy.expression for rule in rules for policy in rule.policies)


def _name_problem(run: Run, service: Service) -> tuple[Reason, ...]:
    named = run.pipeline.service if run.pipeline else service.name
    if named == service.name:
        return ()
    text = f"{FILE} says service: {named}, but this service is {service.name}"
    return (Reason("configuration", text, f"name it {service.name}, or add {named} as a service of its own"),)


def _pipeline(text: str, service: Service, parts: Parts) -> Pipeline:
    pipeline = load(text, FILE if service.path == "." else f"{service.path}/{FILE}", parts.environments)
    folder = service_folder(PurePosixPath(service.path), pipeline.path)
    return replace(pipeline, branch=pipeline.branch or service.branch, path=str(folder))


def _put_run(
    connection: Connection, parts: Parts, run: Run, stages: Sequence[Stage], listing: Listing | None = None
) -> None:
    """Write the run with its steps; those of the build only where there is a listing of its commit."""
    rows.put(connection, run)
    if run.pipeline and listing is not None:
        for position, step in enumerate(run.pipeline.build.steps):
            new = StepRun(StepRunId(parts.new_id()), run.id, BUILD, step.name, position, step)
            setup = run.pipeline.build.setup
            files = _files_digest(step, setup, listing) if step.is_cacheable else None
            rows.put(connection, replace(new, files=files, missing_input=missing_input(step, setup, listing)))
    for position, stage in enumerate(stages):
        ensure_placement(connection, parts, run.service, stage.environment)
        rows.put(connection, StageRun(run.id, stage.name, position, stage.environment))
        for place, step in enumerate(stage.all_steps):
            rows.put(connection, StepRun(StepRunId(parts.new_id()), run.id, stage.name, step.name, place, step))
    events.append(connection, [_created(run)], parts.clock.now())


def _files_digest(step: Step, setup: Setup | None, listing: Listing) -> str:
    files = (*listing.matched(step.inputs), *listing.matched(setup.inputs if setup else ()))
    return files_digest(contents(files))


def _created(run: Run) -> Event:
    about = {"service": str(run.service), "run": str(run.id), "commit": str(run.change.commit)}
    text = f"{run.label} by {run.change.author_name}: {run.change.subject}"
    if run.trigger is Trigger.DEPLOY:
        text = f"{run.actor.name} deploys {run.label}"
    if run.trigger is Trigger.DRILL:
        text = f"{run.actor.name} begins a drill with {run.label}"
    if run.status.is_ended:
        text += " cannot run: " + "; ".join(reason.text for reason in run.because)
    return Event(EventKind.RUN_CREATED, text, about, run.actor if run.by_person else SYSTEM)


def _follow_file(connection: Connection, service: Service, pipeline: Pipeline, parts: Parts) -> None:
    """The newest file says what team, risk and mode the service has, and what it lacks for its mode."""
    protected = frozenset(name for name, one in parts.environments.items() if one.protected)
    lacks = pipeline_lacks(pipeline, protected) if pipeline.mode is Mode.DEPLOYMENT else ()
    wished = replace(
        service,
        team=pipeline.team,
        risk=pipeline.risk,
        mode=pipeline.mode,
        lacks=lacks,
        train=pipeline.train,
        requires=pipeline.requires,
    )
    if wished != service:
        rows.put(connection, wished)
