"""The rules of a gate that ask the evidence, and what policy alone would have decided where a person does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from tidegate.model.ask_policy import ask, moves
from tidegate.model.evidence_schema import plain
from tidegate.model.gate import PLACEMENT_RULE, GateState, RuleVerdict, opens, waits
from tidegate.model.gate_question import GateQuestion
from tidegate.model.gate_rules import THE_FILE
from tidegate.model.pipeline import Mode
from tidegate.model.policy import PolicyResult
from tidegate.model.service import EffectiveMode

RULE = "policy"

_MINUTE = timedelta(minutes=1)
_VERBS = {GateState.OPEN: "open", GateState.WAITING: "wait", GateState.CLOSED: "close"}


def ask_policies(question: GateQuestion) -> tuple[PolicyResult, ...]:
    """What the policies of all sources say. Without evidence, everything that they read is missing."""
    if not any(one.policies for one in question.rules):
        return ()
    evidence = plain(question.evidence) if question.evidence else {}
    return tuple(ask(policy, one.source, evidence) for one in question.rules for policy in one.policies)


def verdicts(question: GateQuestion, results: Sequence[PolicyResult], now: datetime) -> list[RuleVerdict]:
    """One for each policy. One that does not hold because of the time is looked at again in the next minute."""
    return [_verdict(question, one, now) for one in results]


def alone(question: GateQuestion, others: Sequence[RuleVerdict]) -> str:
    """What policy alone would have decided where a person is asked, in words; empty where it decides itself.

    `others` are the verdicts as they would be in deployment mode. What moves at the placement at present is left out:
    it says nothing about the release.
    """
    if not question.asks_person:
        return ""
    counted = [one for one in others if one.reason.rule != PLACEMENT_RULE]
    state = max((one.state for one in counted), key=lambda state: state.strictness)
    against = "; ".join(one.reason.text for one in counted if one.state is not GateState.OPEN)
    return f"policy would {_VERBS[state]}" + (f": {against}" if against else "")


def by_policy(question: GateQuestion) -> GateQuestion:
    """The question as it would be asked in deployment mode."""
    return replace(question, mode=EffectiveMode(Mode.DEPLOYMENT, question.mode.because), break_glass=None)


def _verdict(question: GateQuestion, result: PolicyResult, now: datetime) -> RuleVerdict:
    text = result.text if result.source == THE_FILE else f"{result.text} ({result.source})"
    if result.holds:
        return opens(RULE, text)
    again = now.replace(second=0, microsecond=0) + _MINUTE if moves(result.expression) else None
    return waits(RULE, text, f"tidegate policy show {question.run}", again)
