"""A run's page: the pipeline, every gate with its reasons, the evidence, the steps, the rollouts, what ends a wait."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from tidegate.model.actor import SYSTEM
from tidegate.model.approval import Answer
from tidegate.model.break_glass import BreakGlass
from tidegate.model.event import RecordedEvent
from tidegate.model.figures import Snapshot
from tidegate.model.gate import GateState
from tidegate.model.gate_approvals import latest_words
from tidegate.model.ids import EnvironmentName, RolloutId
from tidegate.model.incident import Incident
from tidegate.model.lease import BuiltFile, StepOutcome
from tidegate.model.next_acts import NextAct, next_acts
from tidegate.model.release import Release
from tidegate.model.rollout import Rollout, RolloutState
from tidegate.model.run import Run, RunStatus, StageRun, StageState, Trigger
from tidegate.model.step_run import BUILD, STATE_OF, StepRun, StepState
from tidegate.store.placement_queries import PlacementRecord
from tidegate.store.run_queries import RunRecord
from tidegate.web.glass_view import GlassMark, glass_marks
from tidegate.web.hold_view import HoldView, hold_view
from tidegate.web.incident_view import IncidentLine, incident_line
from tidegate.web.rollout_view import RolloutView, rollout_view
from tidegate.web.service_view import ReleaseLine, evidence_text, release_line
from tidegate.web.tests_view import FailureList, failure_list
from tidegate.web.wording import Badge, Moment, Tone, badge, moment, span


@dataclass(frozen=True, slots=True)
class RunSources:
    """What a run's page is made of: besides the run, the placements where its stages lead, the service's releases,
    snapshots by rollout, and its events, oldest first."""

    record: RunRecord
    placements: Mapping[EnvironmentName, PlacementRecord]
    releases: Sequence[Release]
    snapshots: Mapping[RolloutId, Sequence[tuple[int, Snapshot]]]
    events: Sequence[RecordedEvent]
    glass: Sequence[BreakGlass] = ()
    incidents: Sequence[Incident] = ()


@dataclass(frozen=True, slots=True)
class StepLine:
    """A step, and how its present attempt stands; earlier attempts in words."""

    id: str
    name: str
    state: Badge
    attempt: int
    took: str
    detail: str
    may_fail: bool
    """Whether it failed and fails nothing."""

    earlier: tuple[str, ...]
    has_log: bool
    cached_from: str | None
    """The run from which its result was taken."""

    image: str | None
    """The digest of the image that it ran in."""

    failures: FailureList
    is_check: bool = False
    """Whether its attempts are the rounds of a check."""


@dataclass(frozen=True, slots=True)
class ReasonLine:
    """A rule of a gate; `blocks` says that it keeps the gate from opening."""

    rule: str
    text: str
    remedy: str | None
    blocks: bool


@dataclass(frozen=True, slots=True)
class Question:
    """What a person is asked at a stage, why, and the command that answers."""

    text: str
    why: str
    command: str


@dataclass(frozen=True, slots=True)
class NextLine:
    """What is waited for, the command that ends it, and the page with the button where it is another one."""

    text: str
    command: str | None
    url: str | None


@dataclass(frozen=True, slots=True)
class StageBox:
    """A stage; `asks` says what a person is asked there, `can_go_back` that its deployment can be rolled back.

    `is_open` is False for what passed or is far: its heading is enough until somebody wants more.
    """

    name: str
    environment: str
    state: Badge
    took: str
    opened_by: str
    because: str
    gate: tuple[ReasonLine, ...]
    gate_state: Badge | None
    asks: Question | None
    hold: HoldView | None
    answers: tuple[str, ...]
    agreed: frozenset[str]
    """Whose last word here is a yes."""

    steps: tuple[StepLine, ...]
    rollout: RolloutView | None
    can_go_back: bool
    is_open: bool


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the pipeline in the strip at the top."""

    name: str
    state: Badge
    anchor: str


@dataclass(frozen=True, slots=True)
class FileLine:
    """An artifact; `made_from` names the other artifacts that its step was given."""

    file: str
    digest: str
    made_from: str


@dataclass(frozen=True, slots=True)
class EvidenceView:
    """What speaks for the release: its reports, its files, and the changes that come with it."""

    reports: str
    failed: tuple[str, ...]
    """The steps of its build that failed, and may."""

    files: tuple[FileLine, ...]
    changes: tuple[ReleaseLine, ...]
    since: str | None


@dataclass(frozen=True, slots=True)
class EventLine:
    """A line of the record; `actor` is empty where it was Tidegate itself."""

    id: int
    time: str
    iso: str
    text: str
    actor: str


@dataclass(frozen=True, slots=True)
class Buttons:
    """What a person can do to the run now."""

    hold: bool
    resume: bool
    promote: bool
    cancel: bool
    retry: bool


@dataclass(frozen=True, slots=True)
class RunView:
    """A run's page."""

    id: str
    service: str
    label: str
    commit: str
    subject: str
    author: str
    status: Badge
    created: Moment | None
    took: str
    trigger: str
    because: tuple[str, ...]
    glass: tuple[GlassMark, ...]
    incidents: tuple[IncidentLine, ...]
    next: tuple[NextLine, ...]
    """Without what is asked beside the buttons that answer it."""

    buttons: Buttons
    parts: tuple[Part, ...]
    evidence: EvidenceView | None
    build: tuple[StepLine, ...]
    build_is_open: bool
    stages: tuple[StageBox, ...]
    events: tuple[EventLine, ...]


def run_view(sources: RunSources, now: datetime) -> RunView:
    """A run's page, from what was read."""
    record, run = sources.record, sources.record.run
    build = tuple(step for step in record.steps if step.scope == BUILD)
    stages = tuple(_stage(sources, one, now) for one in record.stages)
    acts = next_acts(run, record.service, record.stages, record.rollouts)
    answered = {one.asks.command for one in stages if one.asks}.union(
        *(one.hold.commands for one in stages if one.hold)
    )
    took = span(run.created_at, run.ended_at, now)
    return RunView(
        id=run.id,
        service=run.service,
        label=run.label,
        commit=run.change.commit,
        subject=run.subject,
        author=run.change.author_name,
        status=badge(run.status),
        created=moment(run.created_at, now),
        took=f"took {took}" if run.status.is_ended else f"{took} so far",
        trigger=_TRIGGERS[run.trigger].format(run.actor.name),
        because=tuple(str(reason) for reason in run.because) if run.status.is_ended else (),
        glass=glass_marks(sources.glass),
        incidents=tuple(incident_line(one, now) for one in sources.incidents),
        next=tuple(_next(run, act) for act in acts if act.command not in answered),
        buttons=_buttons(run, record.rollouts),
        parts=_parts(run, build, record.stages),
        evidence=_evidence(sources, now),
        build=tuple(_step(record, one, now) for one in build),
        build_is_open=run.release is None,
        stages=stages,
        events=tuple(_event(one) for one in reversed(sources.events)),
    )


def _next(run: Run, act: NextAct) -> NextLine:
    of_service = act.command is not None and act.command.startswith("tidegate service ")
    return NextLine(act.text, act.command, f"/services/{run.service}" if of_service else None)


def _buttons(run: Run, rollouts: Sequence[Rollout]) -> Buttons:
    is_open = not run.status.is_ended
    return Buttons(
        hold=is_open and run.held_by is None,
        resume=is_open and run.held_by is not None,
        promote=is_open and any(one.state is RolloutState.JUDGING for one in rollouts),
        cancel=is_open and run.cancel_asked_by is None,
        retry=not is_open and run.status is not RunStatus.SUCCEEDED and run.pipeline is not None,
    )


def _parts(run: Run, build: Sequence[StepRun], stages: Sequence[StageRun]) -> tuple[Part, ...]:
    parts = [Part(one.name, badge(one.state), f"stage-{number}") for number, one in enumerate(stages, 1)]
    if not build:
        return tuple(parts)
    if run.release:
        state = Badge("built", Tone.GOOD)
    elif all(step.state.is_ended for step in build):
        state = Badge("failed", Tone.BAD)
    else:
        state = Badge("building", Tone.BUSY)
    return (Part("build", state, "build"), *parts)


def _evidence(sources: RunSources, now: datetime) -> EvidenceView | None:
    release = sources.record.release
    if release is None:
        return None
    stages = sources.record.stages
    there = sources.placements.get(stages[-1].environment) if stages else None
    serving = there.serving if there else None
    since = serving.order if serving and serving.release != release.id else release.order - 1
    changes = [one for one in sources.releases if since < one.order <= release.order]
    return EvidenceView(
        reports=evidence_text(release),
        failed=tuple(one.name for one in sources.record.steps if one.scope == BUILD and one.failed_as_it_may),
        files=tuple(_file_line(one, release) for one in release.artifacts),
        changes=tuple(release_line(one, now) for one in changes),
        since=f"{serving.label} in {stages[-1].environment}" if serving and serving.release != release.id else None,
    )


def _file_line(artifact: BuiltFile, release: Release) -> FileLine:
    origin = release.origin_of(artifact.name)
    made_from = origin.made_from if origin else {}
    others = [one.file for one in release.artifacts if made_from.get(one.name) == one.digest]
    return FileLine(artifact.file, artifact.digest, ", ".join(others))


_TRIGGERS = {
    Trigger.PUSH: "because it was pushed to the main branch",
    Trigger.DEPLOY: "because {} deployed it",
    Trigger.DRILL: "for a drill of {}",
    Trigger.AFTER_ROLLBACK: "because it was rolled back",
}
_WITHOUT_LOG = (StepState.WAITING, StepState.READY, StepState.SKIPPED, StepState.LEFT_OUT)


def _step(record: RunRecord, step: StepRun, now: datetime) -> StepLine:
    return StepLine(
        id=step.id,
        name=step.name,
        state=badge(step.state),
        attempt=step.attempt,
        took=span(step.began_at, step.ended_at, now),
        detail=step.report.detail if step.report else "",
        may_fail=step.failed_as_it_may,
        earlier=tuple(_earlier(step)),
        has_log=step.state not in _WITHOUT_LOG,
        cached_from=step.cached_from.run if step.cached_from else None,
        image=step.report.image if step.report else None,
        failures=failure_list(step, record.known_tests, now),
        is_check=step.step.repeat is not None,
    )


def _earlier(step: StepRun) -> Iterator[str]:
    """Earlier attempts in words; of a check's rounds those that did not go well."""
    is_check = step.step.repeat is not None
    for number, one in enumerate(step.earlier, step.attempt - len(step.earlier)):
        if not is_check:
            yield f"attempt {number}: {STATE_OF[one.outcome].words}. {one.detail}"
        elif one.outcome is not StepOutcome.SUCCEEDED:
            yield f"round {number}: {STATE_OF[one.outcome].words}. {one.detail}"


def _stage(sources: RunSources, stage: StageRun, now: datetime) -> StageBox:
    record = sources.record
    rollout = next((one for one in record.rollouts if one.id == stage.rollout), None)
    blocking = set(stage.gate.blocking) if stage.gate else set()
    return StageBox(
        name=stage.name,
        environment=stage.environment,
        state=badge(stage.state),
        took=span(stage.began_at, stage.ended_at, now),
        opened_by=stage.opened_by,
        because="" if rollout and rollout.cause else stage.because,
        gate=tuple(
            ReasonLine(one.rule, one.text, one.remedy, one in blocking)
            for one in (stage.gate.because if stage.gate else ())
        ),
        gate_state=_gate_badge(stage.gate.state) if stage.gate else None,
        asks=_asks(record.run, stage, rollout),
        hold=None if record.run.status.is_ended else hold_view(rollout),
        answers=tuple(
            f"{one.actor.name} {one.answer.value}" + (f": {one.comment}" if one.comment else "")
            for one in record.approvals
            if one.stage == stage.name
        ),
        agreed=frozenset(
            one.actor.name
            for one in latest_words(answer for answer in record.approvals if answer.stage == stage.name)
            if one.answer is Answer.APPROVED
        ),
        steps=tuple(_step(record, one, now) for one in record.steps if one.scope == stage.name),
        rollout=rollout_view(rollout, record.deployments, sources.snapshots.get(rollout.id, ()), now)
        if rollout
        else None,
        can_go_back=_can_go_back(rollout, sources.placements.get(stage.environment)),
        is_open=stage.state not in (StageState.PENDING, StageState.PASSED) or _is_last(record, stage),
    )


def _gate_badge(state: GateState) -> Badge:
    tones = {GateState.OPEN: Tone.GOOD, GateState.WAITING: Tone.ASKS, GateState.CLOSED: Tone.BAD}
    return Badge(state.value, tones[state])


def _is_last(record: RunRecord, stage: StageRun) -> bool:
    return record.run.status is RunStatus.SUCCEEDED and stage is record.stages[-1]


def _asks(run: Run, stage: StageRun, rollout: Rollout | None) -> Question | None:
    command = f"tidegate approve {run.id}"
    if run.status.is_ended:
        return None
    if stage.state is StageState.GATE and stage.gate:
        waits = [one.text for one in stage.gate.blocking if one.rule == "approvals"]
        return Question(f"May {run.label} enter {stage.name}?", waits[0], command) if waits else None
    if rollout and rollout.state is RolloutState.ASKING:
        following = rollout.plan[rollout.step + 1]
        people = "one approval is" if following.approvals == 1 else f"{following.approvals} approvals are"
        text = f"May {following.share} of {stage.environment} go to {run.label}?"
        return Question(text, f"{people} asked before this share", command)
    return None


def _can_go_back(rollout: Rollout | None, there: PlacementRecord | None) -> bool:
    if rollout is None or there is None or rollout.state is RolloutState.RETURNING:
        return False
    return rollout.new is not None and rollout.new in there.placement.arrangement.serving


def _event(recorded: RecordedEvent) -> EventLine:
    return EventLine(
        id=recorded.id,
        time=f"{recorded.at:%H:%M:%S}",
        iso=recorded.at.isoformat(),
        text=recorded.event.text,
        actor=recorded.event.actor.name if recorded.event.actor != SYSTEM else "",
    )
