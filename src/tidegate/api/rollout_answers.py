"""Rollouts as the API tells them."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from tidegate.api.answers import ActorAnswer, Answer, Fraction, Seconds
from tidegate.model.pipeline import Strategy
from tidegate.model.rollout import Rollout, RolloutKind, RolloutState
from tidegate.model.verdict import Verdict


class PlanStepAnswer(Answer):
    """One arrangement of a rollout."""

    share: Fraction
    new_instances: int
    old_instances: int
    judged: bool
    at_least: Seconds
    approvals: int


class MetricAnswer(Answer):
    """What one metric showed; `evidence` against the new deployment is a p-value (smaller is worse).

    Of usage the new deployment's real figure lies between `low` and `high`, with 95%."""

    name: str
    canary: float | None
    baseline: float | None
    evidence: float
    unit: str
    verdict: Verdict
    low: float | None = None
    high: float | None = None


class JudgementAnswer(Answer):
    """What verification says, with the figures behind it."""

    verdict: Verdict
    reason: str
    blamed: str | None
    level: float
    metrics: tuple[MetricAnswer, ...]


class LoadStepAnswer(Answer):
    """What a rate of a load check came to: rates in requests a second, quantiles of the latency in milliseconds."""

    rate: float
    sent: int
    failed: int
    sent_rate: float
    answered_rate: float
    p50: float | None
    p95: float | None
    p99: float | None


class LoadAnswer(Answer):
    """What a load check says: `asked` had to be held, `capacity` was, p99 leaves from `knee` on (requests a second).

    `multiple` is how many times the `busiest` minute (requests) was held.
    """

    verdict: Verdict
    reason: str
    asked: float
    capacity: float
    multiple: float | None
    knee: float | None
    busiest: int | None
    steps: tuple[LoadStepAnswer, ...]


class CauseAnswer(Answer):
    """Why a rollout went back."""

    text: str
    for_cause: bool
    actor: ActorAnswer


class RolloutAnswer(Answer):
    """The move of a placement from the deployment `old` to `new`.

    `seconds` is the time from the decision to go back until all traffic was back; `share` what `new` gets at `step`.
    """

    id: str
    placement: str
    kind: RolloutKind
    new: str | None
    old: str | None
    run: str | None
    stage: str | None
    opened_by: str
    strategy: Strategy
    state: RolloutState
    plan: tuple[PlanStepAnswer, ...]
    step: int
    share: Fraction | None = None
    step_since: datetime | None
    held: bool
    holds_because: str | None
    held_at_floor: CauseAnswer | None
    judgement: JudgementAnswer | None
    load: LoadAnswer | None = None
    cause: CauseAnswer | None
    began_at: datetime
    decided_at: datetime | None
    routed_at: datetime | None
    passed_at: datetime | None
    watch_until: datetime | None
    ended_at: datetime | None
    seconds: float | None = None
    last_response_seconds: float | None = None


class RollbackAnswer(Answer):
    """What a rollback does: the rollout that tells how far it is, and the commits' labels."""

    rollout: RolloutAnswer
    label_from: str | None = Field(serialization_alias="from")
    label_to: str | None = Field(serialization_alias="to")


def rollout_answer(rollout: Rollout) -> RolloutAnswer:
    """The rollout as the API tells it."""
    seconds = None
    if rollout.decided_at and rollout.routed_at:
        seconds = (rollout.routed_at - rollout.decided_at).total_seconds()
    share = rollout.position.share.fraction if rollout.step < len(rollout.plan) else None
    own = {name: getattr(rollout, name) for name in RolloutAnswer.model_fields if hasattr(rollout, name)}
    answer = RolloutAnswer.model_validate(own | {"load": _load(rollout)})
    return answer.model_copy(update={"share": share, "seconds": seconds})


def _load(rollout: Rollout) -> LoadAnswer | None:
    result, report = rollout.load_result, rollout.load
    if result is None or report is None:
        return None
    return LoadAnswer(
        verdict=result.verdict,
        reason=result.reason,
        asked=result.asked,
        capacity=result.capacity,
        multiple=result.multiple,
        knee=result.knee,
        busiest=report.busiest,
        steps=tuple(LoadStepAnswer.model_validate(one) for one in report.steps),
    )
