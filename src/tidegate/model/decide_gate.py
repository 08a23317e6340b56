"""The decision of a gate: it opens only if every rule says so, and all of them are listed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from tidegate.model import gate_order, gate_policy
from tidegate.model.break_glass import BreakGlass
from tidegate.model.gate import FLOOR_RULE, HOLD_RULE, PLACEMENT_RULE, GateDecision, GateState, RuleVerdict
from tidegate.model.gate_approvals import approvals, approved_by
from tidegate.model.gate_external import external_answers
from tidegate.model.gate_pace import pace
from tidegate.model.gate_question import GateQuestion
from tidegate.model.gate_time import time_rules
from tidegate.model.policy import PolicyResult
from tidegate.model.reason import Reason

_NEVER_OVERRULED = (PLACEMENT_RULE, HOLD_RULE, FLOOR_RULE)


def decide_gate(question: GateQuestion, now: datetime) -> GateDecision:
    """Decide whether a stage's gate lets this release pass.

    The gate opens only if every rule says so; the decision lists them all. An operator who broke the glass opens all
    of them but two: what moves at a placement is never mixed, and who holds the run has said so since, as breaking the
    glass ends a hold.
    """
    policies = gate_policy.ask_policies(question)
    verdicts = _verdicts(question, policies, now)
    broken = question.break_glass
    if broken:
        verdicts = [_overruled(one, broken) for one in verdicts]
    state = max((verdict.state for verdict in verdicts), key=lambda state: state.strictness)
    again = [verdict.look_again_at for verdict in verdicts if verdict.look_again_at]
    return GateDecision(
        state=state,
        because=tuple(verdict.reason for verdict in verdicts),
        opened_by=_opener(question, now) if state is GateState.OPEN else "",
        look_again_at=min(again, default=None),
        closing=next((verdict.closing for verdict in verdicts if verdict.closing), None),
        blocking=tuple(one.reason for one in verdicts if one.state is state and state is not GateState.OPEN),
        policies=policies,
        policy_alone=gate_policy.alone(question, _verdicts(gate_policy.by_policy(question), policies, now)),
    )


def _verdicts(question: GateQuestion, policies: Sequence[PolicyResult], now: datetime) -> list[RuleVerdict]:
    asked = approvals(question, now)
    return [
        gate_order.upstream(question),
        gate_order.promotion(question),
        gate_order.rejection(question),
        gate_order.newer_release(question, asked.state is GateState.OPEN),
        gate_order.order(question),
        gate_order.quarantine(question),
        *gate_order.floor(question),
        *gate_order.peace(question),
        asked,
        *gate_policy.verdicts(question, policies, now),
        *pace(question, now),
        gate_order.hold(question),
        gate_order.line(question),
        gate_order.busy(question),
        *time_rules(question, now),
        *external_answers(question, now),
    ]


def _overruled(verdict: RuleVerdict, broken: BreakGlass) -> RuleVerdict:
    if verdict.state is GateState.OPEN or verdict.reason.rule in _NEVER_OVERRULED:
        return verdict
    text = f"{verdict.reason.text}; {broken.actor.name} broke the glass all the same: {broken.reason}"
    return replace(verdict, state=GateState.OPEN, reason=Reason(verdict.reason.rule, text), closing=None)


def _opener(question: GateQuestion, now: datetime) -> str:
    if question.break_glass:
        return f"break-glass by {question.break_glass.actor.name}: {question.break_glass.reason}"
    if question.approval_rules:
        return "approved by " + ", ".join(approved_by(question, now))
    return f"policy: {question.mode.because.text}"
