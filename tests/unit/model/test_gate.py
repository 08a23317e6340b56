"""A gate opens only if every rule says so, and says which rule and which person keeps it shut."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.model.builders import ANNA, BEN, DAY, HOUR, MINUTE, NOON, RUN, UNHURRIED, an_approval

from tidegate.model.approval import Answer, Approval
from tidegate.model.decide_gate import decide_gate
from tidegate.model.gate import Closing, GateDecision, GateState
from tidegate.model.gate_approvals import valid_approvals
from tidegate.model.gate_question import GateQuestion
from tidegate.model.gate_rules import ApprovalRule, GateRules
from tidegate.model.pipeline import Mode
from tidegate.model.service import effective_mode

REJECTED = Answer.REJECTED


def a_question(
    *approvals: Approval,
    mode: Mode = Mode.DELIVERY,
    protected: bool = True,
    rule: ApprovalRule | None = None,
    before_first_share: int = 0,
) -> GateQuestion:
    """A release that is newer than what serves, at a gate at which nothing but people may keep it out."""
    return GateQuestion(
        run=RUN,
        order=5,
        environment="production",
        protected=protected,
        mode=effective_mode(mode, Mode.DEPLOYMENT, protected),
        rules=(GateRules(rule),),
        approvals=approvals,
        newest_order=4,
        before_first_share=before_first_share,
    )


def decided(question: GateQuestion, now: datetime = NOON + MINUTE) -> GateDecision:
    return decide_gate(question, now)


def blocking(decision: GateDecision) -> list[str]:
    return [reason.rule for reason in decision.blocking]


# who opens it


def test_in_delivery_mode_a_protected_gate_waits_for_one_person_even_where_the_file_names_none() -> None:
    decision = decided(a_question())
    assert decision.state is GateState.WAITING
    assert blocking(decision) == ["approvals"]
    assert decision.opened_by == ""


def test_a_persons_yes_opens_it_and_the_record_names_the_person() -> None:
    decision = decided(a_question(an_approval(ANNA)))
    assert decision.state is GateState.OPEN
    assert decision.opened_by == "approved by anna"


def test_in_deployment_mode_policy_opens_it_without_the_files_approvals_and_says_so() -> None:
    decision = decided(a_question(mode=Mode.DEPLOYMENT, rule=ApprovalRule(3)))
    assert decision.state is GateState.OPEN
    assert decision.opened_by == "policy: mode: deployment is wished and granted"


def test_an_environment_that_is_not_protected_asks_nobody() -> None:
    decision = decided(a_question(protected=False, rule=ApprovalRule(2)))
    assert decision.state is GateState.OPEN
    assert "not protected" in decision.opened_by


@pytest.mark.parametrize("mode", list(Mode))
def test_people_who_are_to_be_asked_before_the_first_share_are_asked_in_every_mode(mode: Mode) -> None:
    decision = decided(a_question(mode=mode, before_first_share=2))
    assert decision.state is GateState.WAITING
    both = decided(a_question(an_approval(ANNA), an_approval(BEN), mode=mode, before_first_share=2))
    assert both.state is GateState.OPEN
    assert both.opened_by == "approved by anna, ben"


# how many


def test_a_gate_that_asks_for_two_waits_for_the_second_and_says_who_said_yes() -> None:
    decision = decided(a_question(an_approval(ANNA), rule=ApprovalRule(2)))
    assert decision.state is GateState.WAITING
    (reason,) = decision.blocking
    assert reason.text.startswith("1 of 2 approvals (anna)")
    assert reason.remedy == f"tidegate approve {RUN}"


def test_the_same_person_twice_counts_once() -> None:
    twice = [an_approval(ANNA), an_approval(ANNA, at=NOON + MINUTE)]
    assert decided(a_question(*twice, rule=ApprovalRule(2))).state is GateState.WAITING


def test_two_people_open_a_gate_that_asks_for_two() -> None:
    decision = decided(a_question(an_approval(ANNA), an_approval(BEN), rule=ApprovalRule(2)))
    assert decision.state is GateState.OPEN


def test_a_file_that_asks_for_nobody_opens_for_nobody_in_particular() -> None:
    decision = decided(a_question(rule=ApprovalRule(0)))
    assert decision.state is GateState.OPEN
    assert decision.opened_by.startswith("policy: ")


# how long


def test_an_approval_expires_and_the_gate_is_looked_at_again_when_it_does() -> None:
    rule = ApprovalRule(1, expires=DAY)
    question = a_question(an_approval(ANNA, at=NOON), rule=rule)
    assert decide_gate(question, NOON + DAY - MINUTE).state is GateState.OPEN
    assert decide_gate(question, NOON + DAY - MINUTE).look_again_at == NOON + DAY
    assert decide_gate(question, NOON + DAY).state is GateState.WAITING


def test_of_several_approvals_the_first_to_expire_says_when_to_look_again() -> None:
    rule = ApprovalRule(3, expires=DAY)
    question = a_question(an_approval(ANNA, at=NOON), an_approval(BEN, at=NOON + HOUR), rule=rule)
    assert decide_gate(question, NOON + 2 * HOUR).look_again_at == NOON + DAY


def test_a_person_may_renew_an_expired_approval() -> None:
    rule = ApprovalRule(1, expires=DAY)
    question = a_question(an_approval(ANNA, at=NOON), an_approval(ANNA, at=NOON + DAY), rule=rule)
    assert decide_gate(question, NOON + DAY + MINUTE).state is GateState.OPEN


def test_an_approval_without_an_end_holds() -> None:
    assert decide_gate(a_question(an_approval(ANNA, at=NOON)), NOON + 1000 * DAY).state is GateState.OPEN


# rejection


def test_one_no_closes_the_gate_whoever_said_yes_and_gives_the_comment() -> None:
    decision = decided(a_question(an_approval(ANNA), an_approval(BEN, REJECTED, comment="too risky today")))
    assert (decision.state, decision.closing) == (GateState.CLOSED, Closing.REJECTED)
    assert "rejected by ben: too risky today" in [reason.text for reason in decision.blocking]


def test_a_no_closes_the_gate_even_in_deployment_mode() -> None:
    assert decided(a_question(an_approval(BEN, REJECTED), mode=Mode.DEPLOYMENT)).closing is Closing.REJECTED


def test_a_no_is_not_taken_for_a_yes() -> None:
    assert valid_approvals([an_approval(ANNA, REJECTED)], ApprovalRule(1), NOON) == ()


# newer and older releases


def test_a_release_that_waits_unapproved_is_superseded_by_a_newer_one() -> None:
    decision = decided(replace(a_question(), newer_waiting="c0ffee12"))
    assert (decision.state, decision.closing) == (GateState.CLOSED, Closing.SUPERSEDED)
    assert "superseded by c0ffee12" in decision.blocking[0].text


def test_an_approved_release_is_not_superseded() -> None:
    decision = decided(replace(a_question(an_approval(ANNA)), newer_waiting="c0ffee12"))
    assert decision.state is GateState.OPEN


def test_half_an_approval_does_not_keep_a_release_from_being_superseded() -> None:
    question = a_question(an_approval(ANNA), rule=ApprovalRule(2))
    assert decided(replace(question, newer_waiting="c0ffee12")).closing is Closing.SUPERSEDED


def test_an_approval_that_expired_does_not_keep_a_release_from_being_superseded() -> None:
    question = a_question(an_approval(ANNA), rule=ApprovalRule(1, expires=HOUR))
    assert decide_gate(replace(question, newer_waiting="c0ffee12"), NOON + DAY).closing is Closing.SUPERSEDED


@pytest.mark.parametrize("order", [3, 4])
def test_what_is_not_newer_than_everything_that_was_deployed_does_not_come_by_itself(order: int) -> None:
    decision = decided(replace(a_question(an_approval(ANNA)), order=order))
    assert (decision.state, decision.closing) == (GateState.CLOSED, Closing.SUPERSEDED)
    assert (decision.blocking[0].remedy or "").startswith("tidegate deploy")


def test_a_person_may_bring_back_an_older_release_even_while_a_newer_one_waits() -> None:
    question = replace(a_question(an_approval(ANNA)), order=3, by_person=True, newer_waiting="c0ffee12")
    assert decided(question).state is GateState.OPEN


def test_what_a_person_asked_for_still_needs_its_approvals() -> None:
    assert decided(replace(a_question(), by_person=True)).state is GateState.WAITING


def test_nothing_automatic_deploys_a_quarantined_deployment_again() -> None:
    question = replace(a_question(mode=Mode.DEPLOYMENT), quarantined_because="12% of its requests failed")
    decision = decided(question)
    assert (decision.state, decision.closing) == (GateState.CLOSED, Closing.QUARANTINED)
    assert decision.blocking[0].text == "quarantined: 12% of its requests failed"


def test_an_approval_alone_does_not_lift_a_quarantine() -> None:
    question = replace(a_question(an_approval(ANNA)), quarantined_because="it crashed")
    assert decided(question).closing is Closing.QUARANTINED


def test_practice_does_not_bring_back_what_was_taken_back_for_cause() -> None:
    question = replace(a_question(an_approval(ANNA)), quarantined_because="it crashed", by_person=True, is_drill=True)
    decision = decided(question)
    assert decision.state is GateState.CLOSED
    assert decision.blocking[0].text == "quarantined: it crashed"


def test_a_person_can_deploy_a_quarantined_deployment_and_the_record_says_that_it_was() -> None:
    question = replace(a_question(an_approval(ANNA)), quarantined_because="it crashed", by_person=True)
    decision = decided(question)
    assert decision.state is GateState.OPEN
    assert "quarantined (it crashed), but a person asked for it" in [reason.text for reason in decision.because]


# what else may keep it out


def test_a_breach_upstream_closes_the_gate_though_it_is_approved() -> None:
    question = replace(a_question(an_approval(ANNA)), upstream_failed="staging went back: it crashed")
    decision = decided(question)
    assert (decision.state, decision.closing) == (GateState.CLOSED, Closing.UPSTREAM)
    assert decision.blocking[0].text == "staging went back: it crashed"


@pytest.mark.parametrize(
    ("field", "rule", "text", "remedy"),
    [
        ("held_by", "hold", "held by because of this", f"tidegate resume {RUN}"),
        ("paused_because", "pause", "the service is paused: because of this", "tidegate service resume SERVICE"),
        ("line_stopped_because", "line", "because of this", "tidegate service resume SERVICE"),
        ("busy_with", "placement", "because of this", None),
    ],
)
@pytest.mark.parametrize("mode", list(Mode))
def test_what_holds_a_release_back_makes_the_gate_wait_and_names_what_ends_it(
    mode: Mode, field: str, rule: str, text: str, remedy: str | None
) -> None:
    question = a_question(an_approval(ANNA), mode=mode)
    decision = decided(replace(question, **{field: "because of this"}))  # type: ignore[arg-type]
    assert decision.state is GateState.WAITING
    assert decision.closing is None
    (reason,) = decision.blocking
    assert (reason.rule, reason.text, reason.remedy) == (rule, text, remedy)


def test_a_hold_is_told_before_a_pause_and_both_keep_it_shut() -> None:
    question = replace(a_question(an_approval(ANNA)), held_by="ben", paused_because="a holiday")
    assert blocking(decided(question)) == ["hold"]


def test_a_stopped_line_guards_protected_environments_only() -> None:
    question = replace(a_question(protected=False), line_stopped_because="2 rollbacks in a row")
    assert decided(question).state is GateState.OPEN


# why


def test_the_reasons_are_one_of_each_rule_and_always_the_same_rules() -> None:
    shut = replace(a_question(), quarantined_because="it crashed", busy_with="run 7", upstream_failed="staging failed")
    assert len(decided(shut).because) == len(decided(a_question(an_approval(ANNA))).because)
    assert blocking(decided(shut)) == ["earlier stages", "quarantine"], "what closes it, and not what it waits for too"


def test_closed_is_stricter_than_waiting_and_waiting_than_open() -> None:
    order = sorted(GateState, key=lambda state: state.strictness)
    assert order == [GateState.OPEN, GateState.WAITING, GateState.CLOSED]


def test_while_one_rule_closes_and_another_waits_the_gate_is_closed() -> None:
    assert decided(replace(a_question(), quarantined_because="it crashed")).state is GateState.CLOSED


answers = st.builds(
    an_approval,
    st.sampled_from([ANNA, BEN]),
    st.sampled_from(Answer),
    at=st.integers(-2, 2).map(lambda hours: NOON + hours * HOUR),
)
why = st.none() | st.just("because of this")
rules = st.none() | st.builds(ApprovalRule, st.integers(0, 3), st.none() | st.just(timedelta(hours=1)))


@st.composite
def questions(draw: st.DrawFn) -> GateQuestion:
    protected = draw(st.booleans())
    mode = effective_mode(draw(st.sampled_from(Mode)), draw(st.none() | st.sampled_from(Mode)), protected)
    return GateQuestion(
        run=RUN,
        order=draw(st.integers(1, 3)),
        environment="production",
        protected=protected,
        mode=mode,
        rules=(GateRules(draw(rules)),),
        approvals=draw(st.lists(answers, max_size=4)),
        by_person=draw(st.booleans()),
        held_by=draw(why),
        paused_because=draw(why),
        line_stopped_because=draw(why),
        upstream_failed=draw(why),
        newer_waiting=draw(why),
        newest_order=draw(st.integers(0, 3)),
        quarantined_because=draw(why),
        busy_with=draw(why),
        before_first_share=draw(st.integers(0, 2)),
    )


@UNHURRIED
@given(question=questions())
def test_an_open_gate_means_that_nothing_at_all_speaks_against_it(question: GateQuestion) -> None:
    decision = decided(question)
    if decision.state is not GateState.OPEN:
        assert decision.blocking
        assert decision.opened_by == ""
        return
    assert not decision.blocking
    assert decision.opened_by
    assert not question.upstream_failed
    assert not question.held_by
    assert not question.paused_because
    assert not question.busy_with
    assert not (question.protected and question.line_stopped_because)
    assert not any(one.answer is Answer.REJECTED for one in question.approvals)
    assert question.by_person or (question.order > question.newest_order and not question.quarantined_because)
    if question.protected and question.mode.mode is Mode.DELIVERY:
        people = {one.actor for one in question.approvals}
        rule = question.rules[0].approvals
        assert len(people) >= (rule.count if rule else 1)


@UNHURRIED
@given(question=questions())
def test_a_gate_is_closed_exactly_when_it_names_why_it_will_not_open_for_this_run(question: GateQuestion) -> None:
    decision = decided(question)
    assert (decision.state is GateState.CLOSED) == (decision.closing is not None)


@UNHURRIED
@given(question=questions())
def test_a_gate_that_waits_names_a_command_or_a_thing_that_has_to_happen(question: GateQuestion) -> None:
    decision = decided(question)
    if decision.state is GateState.WAITING:
        assert all(reason.text for reason in decision.blocking)
        assert all(reason.remedy or reason.rule == "placement" for reason in decision.blocking)


@UNHURRIED
@given(question=questions(), hours=st.integers(0, 5))
def test_before_the_time_to_look_again_a_gate_does_not_change_its_mind(question: GateQuestion, hours: int) -> None:
    question = replace(question, approvals=[replace(one, at=min(one.at, NOON)) for one in question.approvals])
    now, later = NOON + MINUTE, NOON + MINUTE + hours * HOUR
    decision = decide_gate(question, now)
    if decision.look_again_at is None or later < decision.look_again_at:
        assert decide_gate(question, later) == decision
