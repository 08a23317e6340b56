"""Gates: whether a stage lets a release in, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from tidegate.model.approval import Answer, Approval
from tidegate.model.pipeline import ApprovalRule, Mode
from tidegate.model.reason import Reason
from tidegate.model.service import EffectiveMode

PLACEMENT_RULE = "placement"
"""The rule that keeps a release out as long as something else moves there."""


class GateState(StrEnum):
    """What a gate says."""

    OPEN = "open"
    WAITING = "waiting"
    CLOSED = "closed"

    @property
    def strictness(self) -> int:
        """Closed is stricter than waiting, waiting than open."""
        return list(GateState).index(self)


class Closing(StrEnum):
    """Why a closed gate will not open for this run."""

    REJECTED = "rejected"
    SUPERSEDED = "superseded"
    UPSTREAM = "upstream"
    QUARANTINED = "quarantined"


@dataclass(frozen=True, slots=True)
class RuleVerdict:
    """What one rule of a gate says."""

    state: GateState
    reason: Reason
    look_again_at: datetime | None = None
    closing: Closing | None = None


@dataclass(frozen=True, slots=True)
class GateDecision:
    """What a gate decided: every rule that was looked at, what it saw and what it said."""

    state: GateState
    because: tuple[Reason, ...]
    opened_by: str = ""
    look_again_at: datetime | None = None
    closing: Closing | None = None
    blocking: tuple[Reason, ...] = ()
    """Of the reasons, those that keep it from opening."""


@dataclass(frozen=True, slots=True)
class GateQuestion:
    """All that a gate looks at, for one release and one stage.

    `busy_with` says what moves at the placement now; `newer_waiting` names a newer release that waits at the same
    gate; `newest_order` is the order of the newest release that was ever deployed there; `by_person` says that a
    person asked for exactly this release there.
    """

    run: str
    order: int
    environment: str
    protected: bool
    mode: EffectiveMode
    rule: ApprovalRule | None
    approvals: Sequence[Approval]
    by_person: bool = False
    held_by: str | None = None
    paused_because: str | None = None
    line_stopped_because: str | None = None
    upstream_failed: str | None = None
    newer_waiting: str | None = None
    newest_order: int = 0
    quarantined_because: str | None = None
    busy_with: str | None = None
    before_first_share: int = 0
    """How many people the rollout asks before its first share, in whatever mode."""

    @property
    def approvals_needed(self) -> int:
        """In delivery mode the file's count, and one where it names none; in deployment mode none. What the rollout
        asks before its first share comes on top of no one: the same people may answer both."""
        if not self.protected or self.mode.mode is Mode.DEPLOYMENT:
            return self.before_first_share
        return max(self.rule.count if self.rule else 1, self.before_first_share)


def decide_gate(question: GateQuestion, now: datetime) -> GateDecision:
    """Decide whether a stage's gate lets this release pass.

    The gate opens only if every rule says so; the decision lists them all.
    """
    valid = valid_approvals(question.approvals, question.rule, now)
    verdicts = [
        _upstream(question),
        _rejection(question),
        _newer_waiting(question, len(valid)),
        _order(question),
        _quarantine(question),
        _approvals(question, valid),
        _hold(question),
        _line(question),
        _busy(question),
    ]
    state = max((verdict.state for verdict in verdicts), key=lambda state: state.strictness)
    again = [verdict.look_again_at for verdict in verdicts if verdict.look_again_at]
    return GateDecision(
        state=state,
        because=tuple(verdict.reason for verdict in verdicts),
        opened_by=_opener(question, valid) if state is GateState.OPEN else "",
        look_again_at=min(again, default=None),
        closing=next((verdict.closing for verdict in verdicts if verdict.closing), None),
        blocking=tuple(verdict.reason for verdict in verdicts if verdict.state is not GateState.OPEN),
    )


def valid_approvals(approvals: Sequence[Approval], rule: ApprovalRule | None, now: datetime) -> tuple[Approval, ...]:
    """One yes a person that has not expired, the latest of each."""
    latest: dict[str, Approval] = {}
    for approval in sorted(approvals, key=lambda one: one.at):
        latest[approval.actor.name] = approval
    span = rule.expires if rule else None
    return tuple(
        one
        for one in latest.values()
        if one.answer is Answer.APPROVED and (span is None or one.at <= now < one.at + span)
    )


def _opener(question: GateQuestion, valid: Sequence[Approval]) -> str:
    if question.approvals_needed:
        return "approved by " + ", ".join(one.actor.name for one in valid)
    return f"policy: {question.mode.because.text}"


def _open(rule: str, text: str) -> RuleVerdict:
    return RuleVerdict(GateState.OPEN, Reason(rule, text))


def _wait(rule: str, text: str, remedy: str | None = None) -> RuleVerdict:
    return RuleVerdict(GateState.WAITING, Reason(rule, text, remedy))


def _close(rule: str, text: str, closing: Closing, remedy: str | None = None) -> RuleVerdict:
    return RuleVerdict(GateState.CLOSED, Reason(rule, text, remedy), closing=closing)


def _upstream(question: GateQuestion) -> RuleVerdict:
    if question.upstream_failed:
        return _close("earlier stages", question.upstream_failed, Closing.UPSTREAM)
    return _open("earlier stages", "every stage that it needs passed with this release")


def _rejection(question: GateQuestion) -> RuleVerdict:
    for approval in question.approvals:
        if approval.answer is Answer.REJECTED:
            comment = f": {approval.comment}" if approval.comment else ""
            return _close("rejection", f"rejected by {approval.actor.name}{comment}", Closing.REJECTED)
    return _open("rejection", "nobody rejected it")


def _newer_waiting(question: GateQuestion, approved: int) -> RuleVerdict:
    if question.newer_waiting and not question.by_person:
        if question.approvals_needed and approved >= question.approvals_needed:
            return _open("newer release", f"{question.newer_waiting} waits here too, but this one is approved")
        return _close(
            "newer release", f"superseded by {question.newer_waiting}, which waits here too", Closing.SUPERSEDED
        )
    return _open("newer release", "no newer release waits here")


def _order(question: GateQuestion) -> RuleVerdict:
    if question.by_person:
        return _open("order", "a person asked for exactly this release")
    if question.order <= question.newest_order:
        return _close(
            "order",
            f"a release as new as this one was already deployed to {question.environment}",
            Closing.SUPERSEDED,
            "tidegate deploy SERVICE --release R --env E",
        )
    return _open("order", f"newer than everything that was deployed to {question.environment}")


def _quarantine(question: GateQuestion) -> RuleVerdict:
    if question.quarantined_because is None:
        return _open("quarantine", "not quarantined")
    if question.by_person:
        return _open("quarantine", f"quarantined ({question.quarantined_because}), but a person asked for it")
    return _close(
        "quarantine",
        f"quarantined: {question.quarantined_because}",
        Closing.QUARANTINED,
        "tidegate deploy SERVICE --release R --env E",
    )


def _approvals(question: GateQuestion, valid: Sequence[Approval]) -> RuleVerdict:
    needed = question.approvals_needed
    if not needed:
        return RuleVerdict(GateState.OPEN, question.mode.because)
    names = ", ".join(one.actor.name for one in valid)
    span = question.rule.expires if question.rule else None
    expires = min((one.at + span for one in valid), default=None) if span else None
    if len(valid) >= needed:
        reason = Reason("approvals", f"{len(valid)} of {needed} approvals: {names}")
        return RuleVerdict(GateState.OPEN, reason, expires)
    so_far = f" ({names})" if names else ""
    text = f"{len(valid)} of {needed} approvals{so_far}; {question.mode.because.text}"
    return RuleVerdict(GateState.WAITING, Reason("approvals", text, f"tidegate approve {question.run}"), expires)


def _hold(question: GateQuestion) -> RuleVerdict:
    if question.held_by:
        return _wait("hold", f"held by {question.held_by}", f"tidegate resume {question.run}")
    if question.paused_because:
        return _wait("pause", f"the service is paused: {question.paused_because}", "tidegate service resume SERVICE")
    return _open("hold", "neither held nor paused")


def _line(question: GateQuestion) -> RuleVerdict:
    if question.protected and question.line_stopped_because:
        return _wait("line", question.line_stopped_because, "tidegate service resume SERVICE")
    return _open("line", "the line is not stopped")


def _busy(question: GateQuestion) -> RuleVerdict:
    if question.busy_with:
        return _wait(PLACEMENT_RULE, question.busy_with)
    return _open(PLACEMENT_RULE, "nothing else moves there")
