"""What became of one release, as an auditor asks: a typed view of rows and of the record's lines.

Whatever is told of a decision or an act names the line of the record that it stands in. What stands in no line (steps,
authors, figures of older releases) is the server's own note, and the page says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from tidegate.model.approval import Answer
from tidegate.model.break_glass import BreakGlass
from tidegate.model.change import Author
from tidegate.model.event import Event, EventKind, RecordedEvent
from tidegate.model.ids import split_placement
from tidegate.model.known_people import KnownPeople
from tidegate.model.lease import TestReport
from tidegate.model.release import Release
from tidegate.model.rollout import Rollout, RolloutKind
from tidegate.model.run import Run
from tidegate.model.step_run import StepRun
from tidegate.model.verdict import Judgement, MetricFinding

NOT_REPORTED = "none was reported"

_GATES = (EventKind.GATE_DECIDED,)
_ROLLBACKS = (EventKind.ROLLBACK_DECIDED, EventKind.ROLLBACK_ROUTED, EventKind.DEPLOYMENT_QUARANTINED)
_VERIFICATION = (
    EventKind.VERDICT,
    EventKind.METRIC_MISSING,
    EventKind.ROLLOUT_PASSED,
    EventKind.ROLLOUT_PROMOTED,
    EventKind.ROLLOUT_HOLDS,
    EventKind.ROLLOUT_FELL_BACK,
)
_MINOR = (EventKind.STEP_READY, EventKind.STEP_BEGAN)


@dataclass(frozen=True, slots=True)
class RunSources:
    """One passage of the release through the pipeline, with what belongs to it."""

    run: Run
    steps: Sequence[StepRun]
    broken_glass: Sequence[BreakGlass]


@dataclass(frozen=True, slots=True)
class ReleaseSources:
    """All that is known of a release: rows, and the lines of the record that concern it, oldest first."""

    release: Release
    runs: Sequence[RunSources]
    people: KnownPeople
    rollouts: Sequence[Rollout]
    events: Sequence[RecordedEvent]


@dataclass(frozen=True, slots=True)
class Told:
    """A line of the record: its number, when, who, from where, and what it says. `details` are its figures in words."""

    line: int
    at: datetime
    kind: str
    who: str
    access: str
    text: str
    details: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ArtifactTold:
    """A file of the release, and the step that made it."""

    name: str
    file: str
    digest: str
    size: int
    step: str


@dataclass(frozen=True, slots=True)
class StepTold:
    """How a step ended; `detail` says what went wrong, `where` on which agent and in which image."""

    scope: str
    name: str
    state: str
    began_at: datetime | None
    ended_at: datetime | None
    tests: str
    where: str
    detail: str


@dataclass(frozen=True, slots=True)
class GlassTold:
    """A gate that was opened by breaking the glass, and its review; `line` is 0 where no line tells it."""

    line: int
    stage: str
    at: datetime
    who: str
    access: str
    reason: str
    review: str


@dataclass(frozen=True, slots=True)
class MetricTold:
    """What a metric showed of the new deployment, beside what ran before."""

    name: str
    new: str
    before: str
    verdict: str


@dataclass(frozen=True, slots=True)
class DeploymentTold:
    """One rollout of the release, or back from it."""

    environment: str
    deployment: str
    before: str
    strategy: str
    is_rollback: bool
    opened_by: str
    began_at: datetime
    passed_at: datetime | None
    ended_at: datetime | None
    state: str
    cause: str
    verdict: str
    reason: str
    metrics: tuple[MetricTold, ...]
    shares: tuple[Told, ...]


@dataclass(frozen=True, slots=True)
class ReleaseStory:
    """Everything of one release, in the order in which an auditor asks."""

    id: str
    service: str
    label: str
    commit: str
    subject: str
    authors: tuple[str, ...]
    committed_at: datetime
    built_at: datetime
    outcome: str
    reviewers: str
    tests: str
    coverage: str
    scans: str
    artifacts: tuple[ArtifactTold, ...]
    steps: tuple[StepTold, ...]
    gates: tuple[Told, ...]
    approvals: tuple[Told, ...]
    deployments: tuple[DeploymentTold, ...]
    verification: tuple[Told, ...]
    rollbacks: tuple[Told, ...]
    break_glass: tuple[GlassTold, ...]
    lines: tuple[Told, ...]


def tell_release(sources: ReleaseSources) -> ReleaseStory:
    """The story of a release."""
    release, change = sources.release, sources.release.change
    return ReleaseStory(
        id=release.id,
        service=release.service,
        label=release.label,
        commit=change.commit,
        subject=change.subject,
        authors=tuple(_author(one, sources.people) for one in change.authors),
        committed_at=change.at,
        built_at=release.created_at,
        outcome=", then ".join(_word(one.run.status) for one in sources.runs) or "not run",
        reviewers=NOT_REPORTED,
        tests=_tests(release.tests),
        coverage=NOT_REPORTED if release.line_coverage is None else f"{release.line_coverage:.1f}% of lines",
        scans=NOT_REPORTED,
        artifacts=tuple(_artifacts(release)),
        steps=tuple(_step(step) for one in sources.runs for step in one.steps),
        gates=_of_kinds(sources.events, _GATES),
        approvals=_of_kinds(sources.events, (EventKind.APPROVAL_GIVEN, EventKind.APPROVAL_WITHDRAWN)),
        deployments=tuple(_deployment(one, sources) for one in sources.rollouts),
        verification=_of_kinds(sources.events, _VERIFICATION),
        rollbacks=_of_kinds(sources.events, _ROLLBACKS),
        break_glass=tuple(_glass(glass, sources.events) for one in sources.runs for glass in one.broken_glass),
        lines=tuple(tell(one) for one in sources.events if one.event.kind not in _MINOR),
    )


def tell(recorded: RecordedEvent) -> Told:
    """A line as the page shows it."""
    event = recorded.event
    return Told(
        line=recorded.id,
        at=recorded.at,
        kind=event.kind.value,
        who=event.actor.name,
        access=str(event.actor.access) if event.actor.access else "",
        text=event.text,
        details=tuple(_details(event.data)),
    )


def is_approval(event: Event) -> bool:
    """Whether a line tells that somebody said yes at a gate; a no is told in the same way."""
    return event.kind is EventKind.APPROVAL_GIVEN and event.data.get("answer") == Answer.APPROVED.value


def is_break_glass(event: Event) -> bool:
    """Whether a line tells that somebody broke the glass."""
    return event.kind is EventKind.GLASS_BROKEN


def _of_kinds(events: Iterable[RecordedEvent], kinds: Sequence[EventKind]) -> tuple[Told, ...]:
    return tuple(tell(one) for one in events if one.event.kind in kinds)


def _details(data: Mapping[str, object]) -> Iterable[str]:
    for name, value in data.items():
        if name == "looked_at" and not value:
            yield "looked at: nothing that is recorded"
        elif name == "because" and isinstance(value, list | tuple):
            yield from map(_plain, value)
        elif isinstance(value, list | tuple) and value and all(isinstance(one, Mapping) for one in value):
            yield from (f"{_word(name)}: {_plain(one)}" for one in value)
        elif value not in ("", None, [], ()):
            yield f"{_word(name)}: {_plain(value)}"


def _plain(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_plain(one)}" for name, one in value.items() if one not in (None, ""))
    if isinstance(value, list | tuple):
        return ", ".join(_plain(one) for one in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _author(author: Author, people: KnownPeople) -> str:
    """An author, and who that is as far as somebody has vouched for it."""
    accounts = ", ".join(sorted(people.accounts_behind(author)))
    signed = f", signed with {author.key}" if author.key else ""
    return f"{author.name} <{author.email}>{signed}: {f'verified as {accounts}' if accounts else 'not verified'}"


def _glass(glass: BreakGlass, events: Iterable[RecordedEvent]) -> GlassTold:
    lines = (one.id for one in events if is_break_glass(one.event) and one.event.about.get("break_glass") == glass.id)
    review = "still owed"
    if glass.reviewed_at:
        review = f"{glass.reviewed_by}, {glass.reviewed_at:%Y-%m-%d %H:%M:%S}: {glass.review}"
    access = str(glass.actor.access) if glass.actor.access else ""
    return GlassTold(next(lines, 0), glass.stage, glass.at, glass.actor.name, access, glass.reason, review)


def _tests(tests: TestReport | None) -> str:
    if tests is None:
        return NOT_REPORTED
    return f"{tests.total} tests, {tests.failed} failed, {tests.skipped} skipped"


def _artifacts(release: Release) -> Iterable[ArtifactTold]:
    for one in release.artifacts:
        origin = release.origin_of(one.name)
        yield ArtifactTold(one.name, one.file, one.digest, one.size, origin.step if origin else "not recorded")


def _step(step: StepRun) -> StepTold:
    report = step.report
    places = (f"agent {step.agent}" if step.agent else "", f"image {report.image}" if report and report.image else "")
    if step.cached_from:
        places = (f"taken from run {step.cached_from.run}", "")
    return StepTold(
        scope=step.scope,
        name=step.name,
        state=_word(step.state),
        began_at=step.began_at,
        ended_at=step.ended_at,
        tests=_tests(report.tests) if report and report.tests else "",
        where=", ".join(one for one in places if one),
        detail=report.detail if report else "",
    )


def _deployment(rollout: Rollout, sources: ReleaseSources) -> DeploymentTold:
    own = [one for one in sources.events if one.event.about.get("rollout") == rollout.id]
    verdict, reason = _verdict(rollout, own)
    return DeploymentTold(
        environment=split_placement(rollout.placement)[1],
        deployment=rollout.new or "nothing",
        before=rollout.old or "nothing",
        strategy=rollout.strategy.value,
        is_rollback=rollout.kind is RolloutKind.ROLLBACK,
        opened_by=rollout.opened_by,
        began_at=rollout.began_at,
        passed_at=rollout.passed_at,
        ended_at=rollout.ended_at,
        state=_word(rollout.state),
        cause=rollout.cause.text if rollout.cause else "",
        verdict=verdict,
        reason=reason,
        metrics=tuple(_metrics(rollout.judgement)) if rollout.judgement else (),
        shares=_of_kinds(own, (EventKind.ROLLOUT_SHARES,)),
    )


def _verdict(rollout: Rollout, own: Sequence[RecordedEvent]) -> tuple[str, str]:
    """What the record says that verification found; else what it found last."""
    said = next((one.event for one in reversed(own) if one.event.kind is EventKind.VERDICT), None)
    if said:
        return _word(str(said.data.get("verdict", ""))), said.text
    judgement = rollout.judgement
    return (_word(judgement.verdict), judgement.reason) if judgement else ("not verified", "")


def _metrics(judgement: Judgement) -> Iterable[MetricTold]:
    for one in judgement.metrics:
        word = "told" if one.is_only_told else _word(one.verdict)
        yield MetricTold(one.name, _new(one), _figure(one.baseline, one.unit), word)


def _new(finding: MetricFinding) -> str:
    figure = _figure(finding.canary, finding.unit)
    if finding.low is None or finding.high is None:
        return figure
    return f"{figure} ({_figure(finding.low, finding.unit)} to {_figure(finding.high, finding.unit)})"


def _figure(value: float | None, unit: str) -> str:
    return "no data" if value is None else f"{value:.4g} {unit}".strip()


def _word(state: str) -> str:
    return str(state).replace("_", " ")
