"""The rules of a gate about time: each says what it saw, and exactly when it changes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.model.builders import UNHURRIED

from tidegate.model.actor import Actor, ActorKind
from tidegate.model.break_glass import BreakGlass
from tidegate.model.calendar import Calendar, Days
from tidegate.model.decide_gate import decide_gate
from tidegate.model.external import ExternalQuestion, ExternalRule, QuestionState
from tidegate.model.freeze import Freeze
from tidegate.model.gate import Closing, GateDecision, GateState
from tidegate.model.gate_question import GateQuestion
from tidegate.model.gate_rules import GateRules
from tidegate.model.ids import EnvironmentName, ReleaseId, RunId, ServiceName, StageName
from tidegate.model.pipeline import Mode
from tidegate.model.reason import Reason
from tidegate.model.schedule import Schedule
from tidegate.model.service import EffectiveMode
from tidegate.model.window import Hours, Weekday, Window

MONDAY_NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
OFFICE = Window("Europe/London", (Weekday.MON, Weekday.TUE), Hours(time(9), time(16, 30)))
ADA = Actor(ActorKind.PERSON, "ada")
FILE = Actor(ActorKind.SYSTEM, "tidegate-server.yaml")
POLICY_OPENS = EffectiveMode(Mode.DEPLOYMENT, Reason("mode", "policy"))


def question(**other: object) -> GateQuestion:
    """A release that nothing else keeps out."""
    asked = GateQuestion("run", 2, "production", False, POLICY_OPENS, (), ())
    return replace(asked, **other)  # type: ignore[arg-type]


def freeze(begins: datetime, ends: datetime, reason: str = "the great sale", by: Actor = ADA) -> Freeze:
    return Freeze("f1", EnvironmentName("production"), begins, ends, reason, by, begins)


def said(decision: GateDecision, rule: str) -> list[str]:
    return [one.text for one in decision.because if one.rule == rule]


def asked(state: QuestionState = QuestionState.ASKED, number: int = 0, **other: object) -> ExternalQuestion:
    one = ExternalQuestion(
        id=f"run-1-1-{number}",
        run=RunId("run"),
        stage=StageName("production"),
        attempt=1,
        source="tidegate.yaml",
        release=ReleaseId("r"),
        service=ServiceName("shop"),
        environment=EnvironmentName("production"),
        url="https://tickets.example.com/x",
        secret="KEY",
        nonce="n",
        asked_at=MONDAY_NOON + number * timedelta(minutes=1),
        expires_at=MONDAY_NOON + HOUR,
        due_at=MONDAY_NOON,
        state=state,
    )
    return replace(one, **other)  # type: ignore[arg-type]


TICKETS = GateRules(external=ExternalRule("https://tickets.example.com/x", "KEY"))


@pytest.mark.parametrize(
    ("now", "state", "words", "again"),
    [
        (
            datetime(2026, 3, 2, 8, tzinfo=UTC),
            GateState.WAITING,
            "opens Mon 2 Mar 2026 09:00 (Europe/London)",
            "2026-03-02T09:00",
        ),
        (MONDAY_NOON, GateState.OPEN, "open until Mon 2 Mar 2026 16:30 (Europe/London)", "2026-03-02T16:30"),
        (datetime(2026, 3, 3, 17, tzinfo=UTC), GateState.WAITING, "opens Mon 9 Mar 2026 09:00", "2026-03-09T09:00"),
    ],
)
def test_a_window_opens_a_gate_and_says_when_it_changes(
    now: datetime, state: GateState, words: str, again: str
) -> None:
    decision = decide_gate(question(rules=(GateRules(windows=(OFFICE,)),)), now)
    assert decision.state is state
    (text,) = said(decision, "window")
    assert words in text
    assert decision.look_again_at == datetime.fromisoformat(again).replace(tzinfo=UTC)


def test_the_windows_of_all_sources_hold_beside_each_other() -> None:
    early = Window("UTC", hours=Hours(time(6), time(11)))
    floor = GateRules(windows=(early,), source="floor night")
    decision = decide_gate(question(rules=(GateRules(windows=(OFFICE,)), floor)), MONDAY_NOON)
    assert decision.state is GateState.WAITING
    assert [one.text for one in decision.blocking] == [
        "opens Tue 3 Mar 2026 06:00 (UTC): the window is every day 06:00–11:00 (UTC), as floor night demands"
    ]


def test_a_window_knows_the_servers_calendars_and_waits_where_there_is_none_of_that_name() -> None:
    window = replace(OFFICE, calendar_names=("holidays",))
    rules = (GateRules(windows=(window,)),)
    holidays = Calendar("holidays", "Europe/London", (Days(date(2026, 3, 2), date(2026, 3, 2)),))
    decision = decide_gate(question(rules=rules, calendars=(holidays,)), MONDAY_NOON)
    assert "opens Tue 3 Mar 2026 09:00" in said(decision, "window")[0]
    decision = decide_gate(question(rules=rules), MONDAY_NOON)
    assert decision.state is GateState.WAITING
    assert said(decision, "window") == ['the server has no calendar "holidays", which tidegate.yaml names']


def test_a_zone_that_is_gone_from_the_machine_keeps_the_gate_shut() -> None:
    rules = (GateRules(schedule=Schedule("0 9 * * *", "Europe/Nowhere")),)
    decision = decide_gate(question(rules=rules), MONDAY_NOON)
    assert decision.state is GateState.WAITING
    assert "no time zone" in said(decision, "window")[0]


def test_a_schedule_opens_a_gate_for_a_while() -> None:
    rules = (GateRules(schedule=Schedule("0 12 * * mon", "Europe/London", HOUR)),)
    assert decide_gate(question(rules=rules), MONDAY_NOON).state is GateState.OPEN
    later = decide_gate(question(rules=rules), MONDAY_NOON + HOUR)
    assert later.state is GateState.WAITING
    assert later.look_again_at == MONDAY_NOON + timedelta(days=7)
    assert "opens Mon 9 Mar 2026 12:00 (Europe/London)" in said(later, "schedule")[0]


def test_a_freeze_says_until_when_by_whom_and_why_and_what_ends_it() -> None:
    held = freeze(MONDAY_NOON, MONDAY_NOON + HOUR)
    decision = decide_gate(question(freezes=(held,)), MONDAY_NOON)
    assert decision.state is GateState.WAITING
    assert decision.blocking == (
        Reason("freeze", "frozen until Mon 2 Mar 2026 13:00 (UTC) by ada: the great sale", "tidegate thaw f1"),
    )
    assert decision.look_again_at == MONDAY_NOON + HOUR
    after = decide_gate(question(freezes=(held,)), MONDAY_NOON + HOUR)
    assert after.state is GateState.OPEN


def test_a_planned_freeze_shuts_the_gate_when_it_begins() -> None:
    planned = freeze(MONDAY_NOON + HOUR, MONDAY_NOON + 2 * HOUR)
    before = decide_gate(question(freezes=(planned,)), MONDAY_NOON)
    assert before.state is GateState.OPEN and before.look_again_at == MONDAY_NOON + HOUR
    assert decide_gate(question(freezes=(planned,)), MONDAY_NOON + HOUR).state is GateState.WAITING


def test_nobody_is_told_to_lift_a_freeze_of_the_configuration() -> None:
    held = freeze(MONDAY_NOON, MONDAY_NOON + HOUR, by=FILE)
    (reason,) = decide_gate(question(freezes=(held,)), MONDAY_NOON).blocking
    assert reason.remedy is None and "by tidegate-server.yaml" in reason.text


def test_only_break_glass_passes_a_freeze_and_a_closed_window() -> None:
    asked_for = question(
        freezes=(freeze(MONDAY_NOON, MONDAY_NOON + HOUR),),
        rules=(GateRules(windows=(replace(OFFICE, days=(Weekday.SUN,)),)),),
        by_person=True,
    )
    assert decide_gate(asked_for, MONDAY_NOON).state is GateState.WAITING
    glass = BreakGlass("b", RunId("run"), StageName("production"), ReleaseId("r"), ADA, "the shop is down", MONDAY_NOON)
    assert decide_gate(replace(asked_for, break_glass=glass), MONDAY_NOON).state is GateState.OPEN


def test_a_clock_that_was_set_back_opens_nothing_until_it_shows_a_new_time() -> None:
    rules = (GateRules(windows=(OFFICE,)),)
    closed_at = datetime(2026, 3, 2, 16, 40, tzinfo=UTC)
    decision = decide_gate(question(rules=rules, latest_recorded=closed_at), MONDAY_NOON)
    assert decision.state is GateState.WAITING
    assert "set back" in said(decision, "clock")[0]
    assert decision.look_again_at is not None and decision.look_again_at <= closed_at
    assert (
        decide_gate(question(latest_recorded=MONDAY_NOON + timedelta(seconds=1)), MONDAY_NOON).state is GateState.OPEN
    )


@pytest.mark.parametrize(
    ("state", "gate", "words"),
    [
        (QuestionState.ASKING, GateState.WAITING, "tickets.example.com is asked, and may answer until"),
        (QuestionState.ASKED, GateState.WAITING, "tickets.example.com was asked, and may answer until"),
        (QuestionState.EXPIRED, GateState.WAITING, "tickets.example.com did not answer until"),
        (QuestionState.APPROVED, GateState.OPEN, "tickets.example.com approved: CHG-7"),
        (QuestionState.REJECTED, GateState.CLOSED, "tickets.example.com rejected: CHG-7"),
    ],
)
def test_only_a_yes_from_outside_opens(state: QuestionState, gate: GateState, words: str) -> None:
    reason = "CHG-7" if state in (QuestionState.APPROVED, QuestionState.REJECTED) else ""
    decision = decide_gate(question(rules=(TICKETS,), external=(asked(state, reason=reason),)), MONDAY_NOON)
    assert decision.state is gate
    assert words in said(decision, "external answer")[0]
    assert (decision.closing is Closing.REJECTED) == (gate is GateState.CLOSED)
    waits_for_it = state in (QuestionState.ASKING, QuestionState.ASKED)
    assert decision.look_again_at == (MONDAY_NOON + HOUR if waits_for_it else None)


def test_nobody_asked_and_an_answer_that_is_overdue_are_no_yes() -> None:
    assert decide_gate(question(rules=(TICKETS,)), MONDAY_NOON).state is GateState.WAITING
    late = decide_gate(question(rules=(TICKETS,), external=(asked(),)), MONDAY_NOON + HOUR)
    assert late.state is GateState.WAITING
    assert late.blocking[0].remedy == "tidegate gate ask run"
    never_taken = replace(asked(QuestionState.EXPIRED), detail="Connection refused")
    decision = decide_gate(question(rules=(TICKETS,), external=(never_taken,)), MONDAY_NOON + HOUR)
    assert said(decision, "external answer")[0].endswith("; it could not be asked: Connection refused")


def test_the_latest_question_counts() -> None:
    again = (asked(QuestionState.APPROVED), asked(QuestionState.ASKED, 1))
    assert decide_gate(question(rules=(TICKETS,), external=again), MONDAY_NOON).state is GateState.WAITING


MOMENTS = st.integers(-72 * 60, 72 * 60).map(lambda minutes: MONDAY_NOON + timedelta(minutes=minutes))
RULES = st.lists(
    st.sampled_from(
        [
            GateRules(windows=(OFFICE,)),
            GateRules(windows=(OFFICE, Window("Asia/Tokyo", hours=Hours(time(22), time(2))))),
            GateRules(schedule=Schedule("30 */4 * * *", "America/New_York", HOUR), source="floor one"),
            TICKETS,
        ]
    ),
    max_size=3,
).map(tuple)
FREEZES = st.lists(st.builds(freeze, MOMENTS, MOMENTS), max_size=2).map(tuple)
HEARD = st.lists(st.sampled_from([asked(one) for one in QuestionState]), max_size=1).map(tuple)


@given(RULES, FREEZES, HEARD, MOMENTS)
@UNHURRIED
def test_a_rule_more_never_opens_a_gate(
    rules: tuple[GateRules, ...], freezes: tuple[Freeze, ...], heard: tuple[ExternalQuestion, ...], now: datetime
) -> None:
    whole = question(rules=rules, freezes=freezes, external=heard)
    strictness = decide_gate(whole, now).state.strictness
    for index in range(len(rules)):
        fewer = replace(whole, rules=rules[:index] + rules[index + 1 :])
        assert decide_gate(fewer, now).state.strictness <= strictness
    for index in range(len(freezes)):
        fewer = replace(whole, freezes=freezes[:index] + freezes[index + 1 :])
        assert decide_gate(fewer, now).state.strictness <= strictness


@given(RULES, FREEZES, HEARD, MOMENTS, st.floats(0, 1, exclude_max=True))
@UNHURRIED
def test_until_it_looks_again_a_gate_says_the_same(
    rules: tuple[GateRules, ...],
    freezes: tuple[Freeze, ...],
    heard: tuple[ExternalQuestion, ...],
    now: datetime,
    part: float,
) -> None:
    whole = question(rules=rules, freezes=freezes, external=heard)
    decision = decide_gate(whole, now)
    if decision.look_again_at is None:
        between = now + timedelta(days=100 * part)
    else:
        assert decision.look_again_at > now
        just_before = decision.look_again_at - timedelta(microseconds=1)
        between = min(now + (decision.look_again_at - now) * part, just_before)  # it is rounded
    assert decide_gate(whole, between).because == decision.because
