"""A shop, its pipeline and its people: the values that the tests of the model begin with."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, settings

from tidegate.model.actor import Actor, ActorKind
from tidegate.model.approval import Answer, Approval
from tidegate.model.change import Change
from tidegate.model.deployment import Deployment
from tidegate.model.environment import Environment
from tidegate.model.gate_rules import ApprovalRule, GateRules
from tidegate.model.ids import (
    Commit,
    DeploymentId,
    EnvironmentName,
    Generation,
    PlacementId,
    ReleaseId,
    RolloutId,
    RunId,
    ServiceName,
    StageName,
    StepName,
    StepRunId,
)
from tidegate.model.installation import Endpoint
from tidegate.model.lease import StepOutcome, StepReport
from tidegate.model.pipeline import (
    ApprovalPoint,
    Build,
    DeployRule,
    Mode,
    Pipeline,
    Retry,
    RetryCause,
    RolloutPoint,
    Runtime,
    SharePoint,
    Stage,
    Step,
    Strategy,
    VerifyRule,
)
from tidegate.model.placement import Arrangement, Part, Placement
from tidegate.model.release import Release
from tidegate.model.rollout import Rollout, RolloutKind, RolloutState, RolloutStep, plan_rollout
from tidegate.model.run import Run, RunStatus, StageRun, Trigger
from tidegate.model.service import Service
from tidegate.model.share import WHOLE, Share
from tidegate.model.step_run import BUILD, StepRun, StepState
from tidegate.model.verdict import Judgement, Verdict

UNHURRIED = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""For properties: a busy machine makes none of them fail."""

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)

SHOP = ServiceName("shop")
STAGING, PRODUCTION = EnvironmentName("staging"), EnvironmentName("production")
STAGE_STAGING, STAGE_PRODUCTION = StageName("staging"), StageName("production")
HERE = PlacementId("shop/production")
RUN = RunId("01RUN")
ROLLOUT = RolloutId("01ROLLOUT")
NEW, OLD, OLDER = (DeploymentId(f"production-{name}-aaaaaaaa") for name in ("new", "old", "older"))

ANNA, BEN = Actor(ActorKind.PERSON, "anna"), Actor(ActorKind.PERSON, "ben")

PASS = Judgement(Verdict.PASS, "as good as the baseline")
FAIL = Judgement(Verdict.FAIL, "12% of its requests failed, 0% of the baseline's", "errors")
UNDECIDED = Judgement(Verdict.UNDECIDED, "not enough requests yet")
NO_DATA = Judgement(Verdict.NO_DATA, "no request in 3 batches")


def percent(value: float) -> Share:
    return Share.percent(value)


def a_service(
    *,
    grant: Mode | None = None,
    mode: Mode = Mode.DELIVERY,
    paused_because: str | None = None,
    line_stopped_because: str | None = None,
) -> Service:
    return Service(
        SHOP,
        "/srv/git/shop",
        NOON,
        mode=mode,
        grant=grant,
        paused_because=paused_because,
        line_stopped_because=line_stopped_because,
    )


def an_environment(name: EnvironmentName = PRODUCTION) -> Environment:
    return Environment(name, protected=name == PRODUCTION)


def a_runtime(instances: int = 2, **env: str) -> Runtime:
    return Runtime(command="serve", instances=instances, env=env)


def a_commit(letter: str = "c") -> Commit:
    return Commit(letter * 40)


def a_change(commit: Commit | None = None) -> Change:
    return Change(commit or a_commit(), "Anna", "anna@example.org", NOON, "Sell more")


def endpoints(ports: tuple[int, ...]) -> tuple[Endpoint, ...]:
    return tuple(Endpoint("127.0.0.1", port) for port in ports)


def a_deployment(
    name: DeploymentId = NEW, *, instances: int = 2, installed: int = 0, order: int = 2, present: bool | None = None
) -> Deployment:
    """A deployment with `installed` healthy instances; its ports tell it from the others."""
    first = {NEW: 9200, OLD: 9100, OLDER: 9000}[name]
    ports = tuple(range(first, first + installed))
    return Deployment(
        id=name,
        placement=HERE,
        release=ReleaseId(name.split("-")[1]),
        commit=a_commit({NEW: "c", OLD: "b", OLDER: "a"}[name]),
        order=order,
        runtime=a_runtime(instances),
        created_at=NOON - DAY,
        ports=ports,
        present=installed > 0 if present is None else present,
        installed=installed,
        endpoints=endpoints(ports),
        proven_at=NOON - HOUR if installed else None,
    )


def a_placement(
    *parts: Part, generation: int = 7, reached: bool = True, environment: EnvironmentName = PRODUCTION
) -> Placement:
    return Placement(
        PlacementId(f"{SHOP}/{environment}"),
        SHOP,
        environment,
        port=8600,
        generation=Generation(generation),
        arrangement=Arrangement(parts),
        reached_at=NOON - HOUR if reached else None,
        health="healthy" if parts else "empty",
        checked_at=NOON,
    )


def serving(deployment: DeploymentId = OLD, instances: int = 2) -> Placement:
    """A placement at rest, with all of its traffic at one deployment."""
    return a_placement(Part(deployment, instances, WHOLE))


def a_canary(*points: RolloutPoint | float, keep_warm: timedelta = MINUTE) -> DeployRule:
    """A canary through these shares (in percent) and approvals."""
    shares = tuple(
        point if isinstance(point, SharePoint | ApprovalPoint) else SharePoint(percent(point)) for point in points
    )
    return DeployRule(Strategy.CANARY, shares, keep_warm)


BLUE_GREEN = DeployRule(Strategy.BLUE_GREEN, keep_warm=MINUTE)
ROLLING = DeployRule(Strategy.ROLLING, keep_warm=timedelta(0))


def a_rollout(
    rule: DeployRule,
    verify: VerifyRule | None = None,
    *,
    instances: int = 2,
    old: DeploymentId | None = OLD,
    old_instances: int = 2,
) -> Rollout:
    """A rollout that has just begun, with the plan that the rule gives it."""
    return Rollout(
        id=ROLLOUT,
        placement=HERE,
        kind=RolloutKind.RELEASE,
        new=NEW,
        old=old,
        began_at=NOON,
        strategy=rule.strategy,
        plan=plan_rollout(rule, instances, verify, old=old_instances if old else 0),
        verify=verify,
        keep_warm=rule.keep_warm,
        run=RUN,
        stage=STAGE_PRODUCTION,
        opened_by="approved by anna",
    )


def rollout_at(state: RolloutState, *, step: int = 0, plan: tuple[RolloutStep, ...] | None = None) -> Rollout:
    """A canary's rollout in a state of its way."""
    rollout = a_rollout(a_canary(5, ApprovalPoint(1), 50), VerifyRule())
    return replace(rollout, state=state, step=step, plan=plan or rollout.plan, measure_at=NOON, step_since=NOON)


def an_approval(
    actor: Actor = ANNA,
    answer: Answer = Answer.APPROVED,
    *,
    point: int = 0,
    at: datetime = NOON,
    stage: StageName = STAGE_PRODUCTION,
    comment: str = "",
) -> Approval:
    name = f"{actor.name}-{answer}-{point}-{at}"
    return Approval(name, RUN, stage, ReleaseId("01RELEASE"), point, answer, actor, at, comment)


def a_step(
    name: str,
    *needs: str,
    attempts: int = 1,
    causes: tuple[RetryCause, ...] = (RetryCause.LOST, RetryCause.TIMEOUT),
    env: dict[str, str] | None = None,
) -> Step:
    needed = tuple(StepName(need) for need in needs)
    return Step(StepName(name), f"make {name}", needed, retry=Retry(attempts, causes), env=env or {})


def a_step_run(
    step: Step, state: StepState = StepState.WAITING, *, scope: str = BUILD, position: int = 0, attempt: int = 1
) -> StepRun:
    ended = NOON if state.is_ended else None
    name = StepRunId(f"{RUN}/{scope}/{step.name}")
    return StepRun(name, RUN, scope, step.name, position, step, state, attempt, ended_at=ended)


def step_runs(*steps: Step, scope: str = BUILD) -> tuple[StepRun, ...]:
    """All steps of a scope, waiting, in the order of the file."""
    return tuple(a_step_run(step, scope=scope, position=position) for position, step in enumerate(steps))


def a_report(outcome: StepOutcome = StepOutcome.SUCCEEDED, detail: str = "") -> StepReport:
    code = {StepOutcome.SUCCEEDED: 0, StepOutcome.FAILED: 1}.get(outcome)
    return StepReport(outcome, code, detail, NOON, NOON + SECOND)


def a_pipeline(
    *,
    deploy: DeployRule | None = BLUE_GREEN,
    build: tuple[Step, ...] = (),
    staging_steps: tuple[Step, ...] = (),
    production_steps: tuple[Step, ...] = (),
    approvals: ApprovalRule | None = None,
    mode: Mode = Mode.DELIVERY,
    verify: VerifyRule | None = None,
) -> Pipeline:
    """Staging, and then production."""
    return Pipeline(
        service=SHOP,
        mode=mode,
        branch="main",
        build=Build(build),
        runtime=a_runtime(),
        stages=(
            Stage(STAGE_STAGING, STAGING, deploy=deploy, steps=staging_steps, verify=verify),
            Stage(
                STAGE_PRODUCTION,
                PRODUCTION,
                needs=(STAGE_STAGING,),
                gate=GateRules(approvals),
                deploy=deploy,
                steps=production_steps,
                verify=verify,
            ),
        ),
    )


def a_proven_pipeline(**changes: Any) -> Pipeline:
    """One that wishes deployment mode, and has all that policy needs to open a gate."""
    tests = replace(a_step("unit tests"), junit="tests.xml")
    return a_pipeline(mode=Mode.DEPLOYMENT, build=(tests,), verify=VerifyRule(), **changes)


def a_run(
    pipeline: Pipeline | None, *, status: RunStatus = RunStatus.RUNNING, by_person: bool = False, order: int = 2
) -> Run:
    return Run(RUN, SHOP, a_change(), order, Trigger.PUSH, NOON, status=status, pipeline=pipeline, by_person=by_person)


def stage_runs(pipeline: Pipeline) -> tuple[StageRun, ...]:
    return tuple(
        StageRun(RUN, stage.name, position, stage.environment) for position, stage in enumerate(pipeline.stages)
    )


def a_release(pipeline: Pipeline, order: int = 2) -> Release:
    return Release(ReleaseId("01RELEASE"), SHOP, RUN, order, NOON, a_change(), pipeline)
