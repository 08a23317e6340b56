"""Whether it is this release's turn at a gate: what passed before, what is newer, what was rolled back, what moves."""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.model.approval import Answer
from tidegate.model.gate import FLOOR_RULE, HOLD_RULE, PLACEMENT_RULE, Closing, RuleVerdict, closes, opens, waits
from tidegate.model.gate_question import GateQuestion

DEPLOY = "tidegate deploy SERVICE --release R --env E"


def upstream(question: GateQuestion) -> RuleVerdict:
    """An earlier stage that went back closes the gates after it."""
    if question.upstream_failed:
        return closes("earlier stages", question.upstream_failed, Closing.UPSTREAM)
    return opens("earlier stages", "every stage that it needs passed with this release")


def promotion(question: GateQuestion) -> RuleVerdict:
    """The server may demand that exactly these artifacts passed in other environments before."""
    missing = [one for one in question.must_have_passed if one not in question.passed_in]
    if missing:
        text = f"the server lets in only what passed in {', '.join(missing)} before, and these artifacts did not"
        return waits("promotion", text, f"tidegate deploy SERVICE --release R --env {missing[0]}")
    if question.must_have_passed:
        return opens("promotion", f"these artifacts passed in {', '.join(question.must_have_passed)}")
    return opens("promotion", "the server asks for no environment before this one")


def rejection(question: GateQuestion) -> RuleVerdict:
    """One no is enough."""
    for approval in question.approvals:
        if approval.answer is Answer.REJECTED:
            comment = f": {approval.comment}" if approval.comment else ""
            return closes("rejection", f"rejected by {approval.actor.name}{comment}", Closing.REJECTED)
    return opens("rejection", "nobody rejected it")


def newer_release(question: GateQuestion, approved: bool) -> RuleVerdict:
    """A newer release takes the place of one that waits unapproved; not of one that people have approved."""
    if question.newer_waiting and question.pace.is_aboard:
        return opens("newer release", f"{question.newer_waiting} waits here too, but this one is aboard its train")
    if question.newer_waiting and not question.by_person:
        if approved and question.approval_rules:
            return opens("newer release", f"{question.newer_waiting} waits here too, but this one is approved")
        text = f"superseded by {question.newer_waiting}, which waits here too"
        return closes("newer release", text, Closing.SUPERSEDED)
    return opens("newer release", "no newer release waits here")


def order(question: GateQuestion) -> RuleVerdict:
    """Nothing automatic goes back to an older release."""
    if question.by_person:
        return opens("order", "a person asked for exactly this release")
    if question.order <= question.newest_order:
        text = f"a release as new as this one was already deployed to {question.environment}"
        return closes("order", text, Closing.SUPERSEDED, DEPLOY)
    return opens("order", f"newer than everything that was deployed to {question.environment}")


def quarantine(question: GateQuestion) -> RuleVerdict:
    """Nothing automatic brings back what was rolled back for cause, and no drill, which takes no mark away."""
    if question.quarantined_because is None:
        return opens("quarantine", "not quarantined")
    if question.by_person and not question.is_drill:
        return opens("quarantine", f"quarantined ({question.quarantined_because}), but a person asked for it")
    return closes("quarantine", f"quarantined: {question.quarantined_because}", Closing.QUARANTINED, DEPLOY)


def floor(question: GateQuestion) -> Iterator[RuleVerdict]:
    """Where something was done that cannot be undone, nothing older can serve."""
    if question.floor and question.order < question.floor.order:
        lift = f"tidegate floor SERVICE --env {question.environment} --lift --reason …"
        yield waits(FLOOR_RULE, question.floor.words, lift)


def peace(question: GateQuestion) -> Iterator[RuleVerdict]:
    """Nobody practises where something is wrong."""
    if question.is_drill and question.incident:
        text = f"an incident is open in {question.environment}, and nobody practises there: {question.incident}"
        yield waits("incident", text, "tidegate incident list")


def hold(question: GateQuestion) -> RuleVerdict:
    """A person holds the run, or has paused the service."""
    if question.held_by:
        return waits(HOLD_RULE, f"held by {question.held_by}", f"tidegate resume {question.run}")
    if question.paused_because:
        return waits("pause", f"the service is paused: {question.paused_because}", "tidegate service resume SERVICE")
    return opens(HOLD_RULE, "neither held nor paused")


def line(question: GateQuestion) -> RuleVerdict:
    """A stopped line guards protected environments."""
    if question.protected and question.line_stopped_because:
        return waits("line", question.line_stopped_because, "tidegate service resume SERVICE")
    return opens("line", "the line is not stopped")


def busy(question: GateQuestion) -> RuleVerdict:
    """One thing moves at a placement at a time."""
    if question.busy_with:
        return waits(PLACEMENT_RULE, question.busy_with)
    return opens(PLACEMENT_RULE, "nothing else moves there")
