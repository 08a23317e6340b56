"""The rules of cadence and batches at the gate to the first protected environment."""

from __future__ import annotations

from datetime import datetime

from tidegate.model.approval import Answer
from tidegate.model.cadence import Batch, CadenceKind, Collected
from tidegate.model.gate import RuleVerdict, opens, waits
from tidegate.model.gate_approvals import latest_words
from tidegate.model.gate_question import GateQuestion
from tidegate.model.local_time import UnknownZone

CADENCE_RULE = "cadence"
BATCH_RULE = "batch"


def cadence(question: GateQuestion, now: datetime) -> RuleVerdict:
    """Whether releases of this service go on now."""
    pace = question.pace
    if pace.asked_by:
        return opens(CADENCE_RULE, f"{pace.asked_by} asked for exactly this release")
    if pace.cadence.kind is CadenceKind.ON_DEMAND:
        return _on_demand(question)
    schedule = pace.cadence.schedule
    assert schedule is not None
    try:
        is_open, changes_at = schedule.is_open(now), schedule.changes_at(now)
    except UnknownZone as error:
        return waits(CADENCE_RULE, f"releases go on by the schedule {schedule}, but {error}")
    if is_open:
        return opens(CADENCE_RULE, f"releases go on by the schedule {schedule}, and it is time", changes_at)
    when = f"next at {changes_at:%Y-%m-%d %H:%M %Z}" if changes_at else "which never comes again"
    return waits(CADENCE_RULE, f"releases go on by the schedule {schedule}, {when}", look_again_at=changes_at)


def batch(rule: Batch, collected: Collected, asked_by: str | None, now: datetime) -> RuleVerdict:
    """Whether the batch is full, or its time is over."""
    if asked_by:
        return opens(BATCH_RULE, f"{asked_by} asked for exactly this release")
    count = f"{collected.releases} release{'' if collected.releases == 1 else 's'}"
    if rule.at_most is not None and collected.releases >= rule.at_most:
        return opens(BATCH_RULE, f"{count} collected, and {rule.at_most} are a full batch")
    over_at = collected.since + rule.within if collected.since else now + rule.within
    if over_at <= now:
        return opens(BATCH_RULE, f"{count} collected, and the batch's time is over")
    full = f", or with {rule.at_most} of them" if rule.at_most is not None else ""
    text = f"{count} collected; the newest goes on at {over_at:%H:%M:%S %Z}{full}"
    return waits(BATCH_RULE, text, "tidegate deploy SERVICE --release R --env E", over_at)


def _on_demand(question: GateQuestion) -> RuleVerdict:
    asked = [one.actor.name for one in latest_words(question.approvals) if one.answer is Answer.APPROVED]
    if asked:
        return opens(CADENCE_RULE, f"{asked[0]} asked for this release here")
    text = "releases go on when a person asks for one (cadence: on-demand)"
    return waits(CADENCE_RULE, text, f"tidegate approve {question.run} --stage {question.stage}")
