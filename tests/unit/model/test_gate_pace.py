"""A gate waits for the pace of a service, and for what it requires of others; it never opens because of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.model.builders import ANNA, HOUR, MINUTE, NOON, SHOP, UNHURRIED, an_approval
from tests.unit.model.test_gate import a_question, blocking, decided

from tidegate.model.cadence import Batch, Cadence, CadenceKind, Collected
from tidegate.model.gate import GateState
from tidegate.model.gate_question import GateQuestion
from tidegate.model.gate_rules import GateRules
from tidegate.model.ids import ServiceName
from tidegate.model.pace import Pace
from tidegate.model.pipeline import Mode
from tidegate.model.requires import Requirement, Serving, circle_through
from tidegate.model.schedule import Schedule
from tidegate.model.train import TrainSign

CATALOG = ServiceName("catalog")
NEEDS = Requirement(CATALOG, ">=1.4")
ON_DEMAND = Cadence(CadenceKind.ON_DEMAND)
TUESDAYS = Cadence(CadenceKind.SCHEDULED, Schedule("0 9 * * tue", "Europe/London", HOUR))


def at_a_gate(pace: Pace, *requires: Requirement) -> GateQuestion:
    """A release that nothing but the pace of its service keeps out."""
    question = a_question(mode=Mode.DEPLOYMENT)
    return replace(question, pace=pace, rules=(GateRules(requires=requires),), stage="production")


# what is required of other services


@pytest.mark.parametrize(
    ("serving", "says"),
    [
        (Serving(), "there is no service catalog here"),
        (Serving(is_known=True), "nothing of catalog serves in production"),
        (Serving(True, "1a2b3c4d", None, True), "catalog serves 1a2b3c4d in production, which has no version"),
        (Serving(True, "1a2b3c4d", "1.3.9", True), "catalog serves 1.3.9 in production; >=1.4 is required"),
        (Serving(True, "1a2b3c4d", "1.4.0", False), "catalog 1.4.0 has not passed in production yet"),
    ],
)
def test_a_release_waits_until_what_it_requires_serves_and_passed(serving: Serving, says: str) -> None:
    decision = decided(at_a_gate(Pace(others={CATALOG: serving}), NEEDS))
    assert decision.state is GateState.WAITING
    assert blocking(decision) == ["requires"]
    assert says in decision.blocking[0].text
    assert decision.blocking[0].remedy == "tidegate status catalog"


def test_a_release_goes_on_when_what_it_requires_serves_and_passed() -> None:
    pace = Pace(others={CATALOG: Serving(True, "1a2b3c4d", "1.4.0.post2", True)})
    assert decided(at_a_gate(pace, NEEDS)).state is GateState.OPEN


def test_services_that_require_each_other_in_a_circle_are_named() -> None:
    a, b, c = (ServiceName(name) for name in "abc")
    assert circle_through(a, {a: [b], b: [c], c: [a]}) == [a, b, c]
    assert circle_through(a, {a: [b], b: [c], c: [b]}) == []
    assert circle_through(b, {a: [b], b: [c], c: [b]}) == [b, c]
    assert circle_through(a, {a: [a]}) == [a]


# cadence


def test_on_demand_waits_until_a_person_asks_for_exactly_this_release() -> None:
    waiting = at_a_gate(Pace(cadence=ON_DEMAND))
    assert blocking(decided(waiting)) == ["cadence"]
    assert decided(waiting).blocking[0].remedy == f"tidegate approve {waiting.run} --stage production"
    assert decided(replace(waiting, approvals=[an_approval(ANNA)])).state is GateState.OPEN
    assert decided(at_a_gate(Pace(cadence=ON_DEMAND, asked_by="anna"))).state is GateState.OPEN


def test_a_scheduled_release_goes_on_at_its_times_and_looks_again_when_that_changes() -> None:
    """Tuesday, 3 March 2026, 9:00 in London is 9:00 in UTC; on 31 March the clocks there are one hour ahead."""
    question = at_a_gate(Pace(cadence=TUESDAYS))
    nine = datetime(2026, 3, 3, 9, tzinfo=UTC)
    before = decided(question, nine - MINUTE)
    assert (blocking(before), before.look_again_at) == (["cadence"], nine)
    assert decided(question, nine).state is GateState.OPEN
    assert decided(question, nine + HOUR).state is GateState.WAITING
    assert decided(question, datetime(2026, 3, 31, 8, tzinfo=UTC)).state is GateState.OPEN
    assert decided(replace(question, pace=replace(question.pace, asked_by="anna")), NOON).state is GateState.OPEN


# batches


@pytest.mark.parametrize(
    ("releases", "minutes", "state"),
    [(1, 0, GateState.WAITING), (2, 29, GateState.WAITING), (3, 1, GateState.OPEN), (1, 30, GateState.OPEN)],
)
def test_a_batch_goes_on_when_it_is_full_or_its_time_is_over(releases: int, minutes: int, state: GateState) -> None:
    pace = Pace(batch=Batch(timedelta(minutes=30), 3), collected=Collected(releases, NOON))
    decision = decided(at_a_gate(pace), NOON + minutes * MINUTE)
    assert decision.state is state
    if state is GateState.WAITING:
        assert decision.look_again_at == NOON + timedelta(minutes=30)
        assert blocking(decision) == ["batch"]


def test_what_serves_already_waits_for_no_time() -> None:
    pace = Pace(ON_DEMAND, Batch(HOUR), Collected(1, NOON), train=TrainSign("payments", False, "leaves"), serves=True)
    assert decided(at_a_gate(pace)).state is GateState.OPEN


# trains


def test_a_release_of_a_train_passes_in_its_turn_only() -> None:
    waits = TrainSign("payments", False, "the train payments leaves at noon", "tidegate train depart payments")
    decision = decided(at_a_gate(Pace(train=waits)))
    assert (blocking(decision), decision.blocking[0].remedy) == (["train"], "tidegate train depart payments")
    assert decided(at_a_gate(Pace(train=TrainSign("payments", True, "its turn")))).state is GateState.OPEN


def test_a_newer_release_does_not_supersede_one_that_is_aboard() -> None:
    waiting = replace(a_question(mode=Mode.DEPLOYMENT), newer_waiting="0ddba11 (run 9)")
    assert decided(waiting).state is GateState.CLOSED
    aboard = TrainSign("payments", False, "its turn comes after b", is_aboard=True)
    assert decided(replace(waiting, pace=Pace(train=aboard))).state is GateState.WAITING


paces = st.builds(
    Pace,
    cadence=st.sampled_from([Cadence(), ON_DEMAND, TUESDAYS]),
    batch=st.sampled_from([None, Batch(HOUR), Batch(MINUTE, 2)]),
    collected=st.builds(Collected, st.integers(0, 3), st.sampled_from([None, NOON, NOON - HOUR])),
    others=st.sampled_from(
        [{}, {CATALOG: Serving(True, "x", "1.5", True)}, {CATALOG: Serving(True, "x", "1.3", True)}]
    ),
    train=st.sampled_from([None, TrainSign("t", True, "its turn"), TrainSign("t", False, "not its turn")]),
    asked_by=st.sampled_from([None, "anna"]),
    serves=st.booleans(),
)


@UNHURRIED
@given(paces, st.booleans(), st.booleans(), st.booleans())
def test_a_pace_never_opens_a_gate_that_would_be_shut_without_it(
    pace: Pace, requires: bool, held: bool, delivery: bool
) -> None:
    bare = a_question(mode=Mode.DELIVERY if delivery else Mode.DEPLOYMENT)
    bare = replace(bare, held_by="ben" if held else None)
    paced = replace(bare, pace=pace, rules=(GateRules(requires=(NEEDS,) if requires else ()),))
    assert decided(paced).state.strictness >= decided(bare).state.strictness
    assert SHOP not in pace.others
