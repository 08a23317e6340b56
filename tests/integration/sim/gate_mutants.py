"""Engines whose gates are broken on purpose where policies, floors, addresses outside and the clock are concerned."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest
from tests.integration.sim.mutants import Mutant, Seeds, _open

from tidegate.engine import asking
from tidegate.engine.asking import Asker
from tidegate.model import decide_gate, gate_external, gate_order, gate_policy, gate_time, run_stages
from tidegate.model.environment import Environment
from tidegate.model.external import ExternalQuestion, QuestionState
from tidegate.model.gate import GateDecision, RuleVerdict, waits
from tidegate.model.gate_question import GateQuestion
from tidegate.model.policy import PolicyAnswer, PolicyResult

Patch = pytest.MonkeyPatch


def a_policy_is_asked_and_not_obeyed(patch: Patch) -> None:
    patch.setattr(gate_policy, "_verdict", _open)


def evidence_that_is_missing_is_no_reason(patch: Patch) -> None:
    verdict = gate_policy._verdict

    def overlook(question: GateQuestion, result: PolicyResult, now: datetime) -> RuleVerdict:
        return _open() if result.answer is PolicyAnswer.MISSING else verdict(question, result, now)

    patch.setattr(gate_policy, "_verdict", overlook)


def a_floor_asks_no_people(patch: Patch) -> None:
    def decide(question: GateQuestion, now: datetime) -> GateDecision:
        rules = tuple(replace(one, approvals=None) if one.is_floor else one for one in question.rules)
        return decide_gate.decide_gate(replace(question, rules=rules), now)

    patch.setattr(run_stages, "decide_gate", decide)


def a_floor_lets_policy_open(patch: Patch) -> None:
    patch.setattr(Environment, "forbids_deployment", lambda _self, _service: None)


def a_floor_asks_for_no_earlier_stage(patch: Patch) -> None:
    patch.setattr(gate_order, "promotion", _open)


def a_question_outside_is_not_awaited(patch: Patch) -> None:
    patch.setattr(gate_external, "_verdict", _open)


def a_no_from_outside_is_a_yes(patch: Patch) -> None:
    answered = ExternalQuestion.answered

    def agree(self: ExternalQuestion, _state: QuestionState, reason: str, now: datetime) -> ExternalQuestion:
        return answered(self, QuestionState.APPROVED, reason, now)

    patch.setattr(ExternalQuestion, "answered", agree)


def an_answer_that_nobody_signed_is_taken(patch: Patch) -> None:
    patch.setattr(asking, "is_signed", lambda *_: True)


def an_answer_that_is_late_is_taken(patch: Patch) -> None:
    patch.setattr(Asker, "_check_open", lambda *_: None)


def a_clock_that_was_set_back_is_believed(patch: Patch) -> None:
    patch.setattr(gate_time, "_clock", lambda _question, _now: None)


def a_policy_that_holds_keeps_out_all_the_same(patch: Patch) -> None:
    verdict = gate_policy._verdict
    patch.setattr(gate_policy, "_verdict", lambda question, result, now: verdict(question, _refusing(result), now))


def _refusing(result: PolicyResult) -> PolicyResult:
    return replace(result, answer=PolicyAnswer.FALSE) if result.holds else result


def a_yes_from_outside_is_not_heard(patch: Patch) -> None:
    patch.setattr(ExternalQuestion, "answered", lambda self, *_: self)


def a_window_never_opens(patch: Patch) -> None:
    patch.setattr(gate_time, "_window", lambda *_: waits("window", "it is shut"))


LET_IN = "what meets all demands is let in"
POLICY, PEOPLE = "a policy that does not hold", "a floor's people are asked"
OUTSIDE = "a gate that asks outside opens on a yes only"
MUTANTS = (
    Mutant("a policy is asked and not obeyed", a_policy_is_asked_and_not_obeyed, Seeds(1012), POLICY),
    Mutant("evidence that is missing is no reason", evidence_that_is_missing_is_no_reason, Seeds(1012), POLICY),
    Mutant("a floor asks no people", a_floor_asks_no_people, Seeds(1001), PEOPLE),
    Mutant("a floor lets policy open", a_floor_lets_policy_open, Seeds(3437), PEOPLE),
    Mutant(
        "a floor asks for no earlier stage",
        a_floor_asks_for_no_earlier_stage,
        Seeds(1055),
        "a floor that asks for staging first",
    ),
    Mutant("a question outside is not awaited", a_question_outside_is_not_awaited, Seeds(1248), OUTSIDE),
    Mutant("a no from outside is a yes", a_no_from_outside_is_a_yes, Seeds(1331), OUTSIDE),
    Mutant("an answer that nobody signed is taken", an_answer_that_nobody_signed_is_taken, Seeds(1534), OUTSIDE),
    Mutant("an answer that is late is taken", an_answer_that_is_late_is_taken, Seeds(1816), OUTSIDE),
    Mutant(
        "a clock that was set back is believed",
        a_clock_that_was_set_back_is_believed,
        Seeds(1531),
        "a clock that was set back opens nothing",
    ),
    Mutant(
        "a policy that holds keeps out all the same", a_policy_that_holds_keeps_out_all_the_same, Seeds(1011), LET_IN
    ),
    Mutant("a yes from outside is not heard", a_yes_from_outside_is_not_heard, Seeds(1247), LET_IN),
    Mutant("a window never opens", a_window_never_opens, Seeds(1000), LET_IN),
)
