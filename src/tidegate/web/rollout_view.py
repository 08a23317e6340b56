"""A rollout on a run's page: its shares, where it is, and what the judgement says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from tidegate.model.deployment import Deployment
from tidegate.model.figures import Snapshot
from tidegate.model.ids import DeploymentId
from tidegate.model.quantity import format_rate
from tidegate.model.rollout import Rollout
from tidegate.model.verdict import MetricFinding, Verdict
from tidegate.web.picture import Picture, rollout_picture
from tidegate.web.wording import Badge, Tone, badge, figure, percent, span


@dataclass(frozen=True, slots=True)
class ShareStep:
    """A step of the plan; `mark` is `done`, `here`, `left` (it went back from there) or `ahead`."""

    share: str
    mark: str
    approvals: int


@dataclass(frozen=True, slots=True)
class MetricRow:
    """One metric of the judgement."""

    name: str
    new: str
    old: str
    evidence: str
    verdict: Badge


@dataclass(frozen=True, slots=True)
class JudgementView:
    """What verification says; `is_before` says that it is what was known before the rollout went back."""

    is_before: bool
    verdict: Badge
    reason: str
    level: str
    metrics: tuple[MetricRow, ...]


@dataclass(frozen=True, slots=True)
class LoadRow:
    """One rate of a load check; `mark` says that it is the highest that was held, or the knee."""

    rate: str
    answered: str
    failed: str
    p50: str
    p95: str
    p99: str
    held: Badge
    mark: str


@dataclass(frozen=True, slots=True)
class LoadView:
    """What a load check says, rate by rate."""

    verdict: Badge
    reason: str
    rows: tuple[LoadRow, ...]


@dataclass(frozen=True, slots=True)
class RolloutView:
    """A rollout on a run's page."""

    id: str
    state: Badge
    strategy: str
    new: str
    old: str
    steps: tuple[ShareStep, ...]
    holds: str | None
    held: bool
    cause: str | None
    held_at_floor: str | None
    routed_after: str | None
    judgement: JudgementView | None
    load: LoadView | None
    picture: Picture | None
    took: str


def rollout_view(
    rollout: Rollout,
    deployments: Mapping[DeploymentId, Deployment],
    snapshots: Sequence[tuple[int, Snapshot]],
    now: datetime,
) -> RolloutView:
    """A rollout on a run's page, from what was read."""
    routed_after = None
    if rollout.decided_at and rollout.routed_at:
        routed_after = f"{(rollout.routed_at - rollout.decided_at).total_seconds():.3f} s"
    return RolloutView(
        id=rollout.id,
        state=badge(rollout.state),
        strategy=rollout.strategy.value,
        new=_label(rollout.new, deployments),
        old=_label(rollout.old, deployments),
        steps=tuple(
            ShareStep(str(step.share), _mark(rollout, index), step.approvals) for index, step in enumerate(rollout.plan)
        ),
        holds=rollout.holds_because,
        held=rollout.held,
        cause=rollout.cause.text if rollout.cause else None,
        held_at_floor=rollout.held_at_floor.text if rollout.held_at_floor else None,
        routed_after=routed_after,
        judgement=_judgement(rollout),
        load=_load(rollout),
        picture=rollout_picture(rollout, snapshots),
        took=span(rollout.began_at, rollout.ended_at or rollout.passed_at, now),
    )


def _label(deployment: DeploymentId | None, deployments: Mapping[DeploymentId, Deployment]) -> str:
    if deployment is None:
        return "nothing"
    known = deployments.get(deployment)
    return known.label if known else deployment


def _mark(rollout: Rollout, index: int) -> str:
    passed = rollout.passed_at is not None or rollout.has_passed
    if index < rollout.step or (passed and index == rollout.step):
        return "done"
    if index > rollout.step:
        return "ahead"
    return "left" if rollout.cause else "here"


def _judgement(rollout: Rollout) -> JudgementView | None:
    judgement = rollout.judgement
    if judgement is None:
        return None
    rows = tuple(map(_row, judgement.metrics))
    is_before = rollout.cause is not None and judgement.verdict is not Verdict.FAIL
    return JudgementView(is_before, badge(judgement.verdict), judgement.reason, percent(judgement.level), rows)


def _row(finding: MetricFinding) -> MetricRow:
    told = finding.is_only_told
    return MetricRow(
        name=finding.name,
        new=_new(finding),
        old=figure(finding.baseline, finding.unit),
        evidence="–" if told else f"{finding.evidence:.2g}",
        verdict=Badge("told", Tone.QUIET) if told else badge(finding.verdict),
    )


def _new(finding: MetricFinding) -> str:
    """The new deployment's figure, with its interval where it has one."""
    new = figure(finding.canary, finding.unit)
    if finding.low is None or finding.high is None:
        return new
    return f"{new} ({figure(finding.low, finding.unit)} to {figure(finding.high, finding.unit)})"


def _load(rollout: Rollout) -> LoadView | None:
    result, report = rollout.load_result, rollout.load
    if result is None or report is None:
        return None
    marks = {result.knee: "p99 leaves", result.capacity: "capacity"}
    rows = tuple(
        LoadRow(
            format_rate(one.rate),
            format_rate(one.answered_rate),
            percent(one.failed_share),
            figure(one.p50, "ms"),
            figure(one.p95, "ms"),
            figure(one.p99, "ms"),
            Badge("held", Tone.GOOD) if one.is_held else Badge("not held", Tone.BAD),
            marks.get(one.rate, ""),
        )
        for one in report.steps
    )
    return LoadView(badge(result.verdict), f"load check: the service {result.reason}", rows)
