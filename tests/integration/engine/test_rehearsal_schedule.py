"""Rehearsals that begin by themselves, on a real database; who plays them is the test's."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.integration.engine.shop import OWNER, PLAIN, Shop

from tidegate.engine.rehearsal_schedule import CannotPlay, Order, Played, RehearsalSchedule, occurrences
from tidegate.engine.rehearsals import record_rehearsal
from tidegate.model.channel import Topic
from tidegate.model.event import Event, EventKind
from tidegate.model.ids import Commit
from tidegate.model.notification import topic_of
from tidegate.model.rehearsal import End, Fault, FaultOutcome, Rehearsal
from tidegate.model.rehearsal_schedule import SCHEDULED, Occurrence
from tidegate.model.rehearsal_time import in_all
from tidegate.security.permission import Permission
from tidegate.security.tokens import Tokens
from tidegate.store import events

DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
WEEKLY = PLAIN + "rehearsals: {every: 7d, faults: [errors, slow], quick: 10}\n"
GATED = WEEKLY.replace(
    "gate: {approvals: {count: 1}}",
    """gate: {approvals: {count: 1}, policy: 'rehearsal.age < duration("336h") && "errors" in rehearsal.faults'}""",
)
FOUND = FaultOutcome(Fault.ERRORS, True, "errors 5%", 22.0, 900, 9, End.BEFORE, 0.2, 60.0)


class PaperPlayer:
    """Plays nothing; how it ends the test says."""

    def __init__(self) -> None:
        self.orders: list[Order] = []
        self.ends: Played | None = None
        self.asked_to_end = False
        self.cleared = 0
        self.cannot: str | None = None

    def begin(self, order: Order) -> None:
        if self.cannot:
            raise CannotPlay(self.cannot)
        self.orders.append(order)
        self.ends, self.asked_to_end = None, False

    def look(self) -> Played | None:
        return Played("it was ended") if self.asked_to_end else self.ends

    def ask_to_end(self) -> None:
        self.asked_to_end = True

    def wait(self, seconds: float) -> None:
        assert self.asked_to_end

    def clear(self) -> None:
        self.cleared += 1


class Schedule:
    """The shop's rehearsals, and who plays them."""

    def __init__(self, shop: Shop) -> None:
        self.shop, self.player, self.tokens = shop, PaperPlayer(), Tokens()
        self.server = self.new_server()

    def new_server(self) -> RehearsalSchedule:
        self.server = RehearsalSchedule(self.shop.parts, self.player, self.tokens)
        return self.server

    def look(self, after: timedelta = MINUTE) -> None:
        self.shop.pass_time(after)
        self.server.look()

    def is_played(self, *outcomes: FaultOutcome) -> None:
        """The process says what came of it, and ends."""
        now = self.shop.clock.now()
        outcome = Rehearsal(
            self.player.orders[-1].service, Commit("1a" * 20), "production", now - MINUTE, now, 10, 40, outcomes
        )
        record_rehearsal(self.shop.parts, outcome, SCHEDULED)
        self.player.ends = Played("1 of 1 went well")

    def told(self) -> list[Event]:
        """What the record has of rehearsals, oldest first."""
        with self.shop.database.reading() as connection:
            every = events.of_service(connection, "shop")
        return [one.event for one in every if one.event.kind.value.startswith("rehearsal.")]

    def kinds(self) -> list[EventKind]:
        return [one.kind for one in self.told()]

    def occurrence(self) -> Occurrence:
        with self.shop.database.reading() as connection:
            (found,) = occurrences(connection, self.shop.parts)
        return found


@pytest.fixture
def schedule(shop: Shop) -> Schedule:
    shop.deployed(WEEKLY)
    return Schedule(shop)


def test_one_begins_by_itself_and_the_next_a_week_after_it_began(schedule: Schedule) -> None:
    schedule.look()
    (order,) = schedule.player.orders
    assert (order.service, order.rule.faults, order.rule.quick) == ("shop", (Fault.ERRORS, Fault.SLOW), 10)
    assert schedule.occurrence().known.since is not None
    assert schedule.occurrence().rehearsed.environment == "production"
    schedule.look(3 * MINUTE)
    schedule.is_played(FOUND)
    schedule.look()
    assert schedule.kinds() == [EventKind.REHEARSAL_BEGAN, EventKind.REHEARSED]
    assert [one.actor for one in schedule.told()] == [SCHEDULED] * 2
    schedule.look(7 * DAY - 6 * MINUTE)
    assert len(schedule.player.orders) == 1 and "the next begins in" in schedule.occurrence().in_words(
        schedule.shop.clock.now()
    )
    schedule.look(2 * MINUTE)
    assert len(schedule.player.orders) == 2


def test_the_token_reads_says_what_came_of_it_and_ends_with_the_rehearsal(schedule: Schedule) -> None:
    schedule.look()
    token = schedule.player.orders[0].token
    identity = schedule.tokens.find(token)
    assert identity is not None and identity.actor == SCHEDULED
    allowed = {one for one in Permission if identity.may(one, "shop", "production")}
    assert allowed == {Permission.READ, Permission.REHEARSE}
    assert not identity.may(Permission.REHEARSE, "mail", "production")
    schedule.is_played(FOUND)
    schedule.look()
    assert schedule.tokens.find(token) is None


def test_one_that_comes_to_nothing_is_told_with_its_last_words_and_waits_for_its_next_time(schedule: Schedule) -> None:
    schedule.look()
    schedule.player.ends = Played("the traffic log has hardly any requests")
    schedule.look()
    began, ended = schedule.told()
    assert ended.kind is EventKind.REHEARSAL_ENDED and "the traffic log has hardly any requests" in ended.text
    assert topic_of(ended) is Topic.REHEARSAL and topic_of(began) is None
    schedule.look(6 * DAY)
    assert len(schedule.player.orders) == 1


def test_what_came_of_the_one_before_is_not_taken_for_what_comes_of_it(schedule: Schedule) -> None:
    schedule.look()
    schedule.is_played(FOUND)
    schedule.look()
    schedule.look(7 * DAY)
    assert len(schedule.player.orders) == 2
    schedule.player.ends = Played("the release does not come through without any fault")
    schedule.look()
    assert topic_of(schedule.told()[-1]) is Topic.REHEARSAL


def test_one_that_cannot_be_started_is_told_and_leaves_no_token(schedule: Schedule) -> None:
    schedule.player.cannot = "it cannot be started: no such file"
    schedule.look()
    assert "no such file" in schedule.told()[-1].text and topic_of(schedule.told()[-1]) is Topic.REHEARSAL
    schedule.look()
    assert schedule.kinds() == [EventKind.REHEARSAL_BEGAN, EventKind.REHEARSAL_ENDED]


@pytest.mark.parametrize(("outcome", "topic"), [(FOUND, None), (replace(FOUND, found=False), Topic.REHEARSAL)])
def test_channels_hear_of_one_in_which_a_fault_was_not_found(
    schedule: Schedule, outcome: FaultOutcome, topic: Topic | None
) -> None:
    schedule.look()
    schedule.is_played(outcome)
    schedule.look()
    assert topic_of(schedule.told()[-1]) is topic


def test_it_waits_while_a_rollout_is_verified_in_production_and_one_that_begins_ends_it(
    schedule: Schedule, shop: Shop
) -> None:
    verified = WEEKLY.replace(
        "deploy: {strategy: blue-green}", "deploy: {strategy: blue-green}\n    verify: {watch: 1h}"
    )
    schedule.look()
    run = shop.pushed(verified)
    shop.built()
    schedule.look()
    assert not schedule.player.asked_to_end, "staging is not protected"
    shop.approved(run)
    schedule.look()
    assert schedule.player.asked_to_end
    schedule.look()
    ended = schedule.told()[-1]
    assert "a rollout goes on at shop/production" in ended.text and topic_of(ended) is None
    assert len(schedule.player.orders) == 1 and schedule.occurrence().is_due
    for _ in range(70):
        schedule.look()
    assert len(schedule.player.orders) == 2, "it begins anew as soon as the watch is over"


def test_one_that_is_not_over_in_time_is_given_up_and_told(schedule: Schedule) -> None:
    schedule.look()
    at_most = in_all(schedule.occurrence().rehearsed.pipeline, schedule.player.orders[0].rule)
    schedule.look(at_most - MINUTE)
    assert not schedule.player.asked_to_end
    schedule.look()
    assert schedule.player.asked_to_end
    schedule.look()
    ended = schedule.told()[-1]
    assert "given up" in ended.text and topic_of(ended) is Topic.REHEARSAL


def test_it_ends_with_the_server_and_begins_again_at_its_next_time(schedule: Schedule) -> None:
    schedule.look()
    token = schedule.player.orders[0].token
    schedule.server.stop()
    assert schedule.player.asked_to_end and schedule.tokens.find(token) is None
    assert "the server was stopped" in schedule.told()[-1].text and topic_of(schedule.told()[-1]) is None
    schedule.new_server().recover()
    schedule.look()
    assert len(schedule.player.orders) == 1
    schedule.look(7 * DAY)
    assert len(schedule.player.orders) == 2


def test_what_a_killed_server_left_playing_is_ended_by_the_next_one(schedule: Schedule) -> None:
    schedule.look()
    server = schedule.new_server()
    server.recover()
    assert schedule.player.cleared == 1 and schedule.kinds()[-1] is EventKind.REHEARSAL_ENDED
    server.recover()
    assert schedule.kinds() == [EventKind.REHEARSAL_BEGAN, EventKind.REHEARSAL_ENDED], "it is said once"


def test_a_gate_may_ask_for_one_that_went_well_lately(shop: Shop) -> None:
    run = shop.added(GATED)
    shop.built()
    shop.approved(run)
    assert shop.run(run).status == "waiting"
    schedule = Schedule(shop)
    schedule.look()
    schedule.is_played(replace(FOUND, found=False))
    shop.engine.sweep()
    shop.settle()
    assert shop.run(run).status == "waiting"
    schedule.is_played(FOUND)
    shop.engine.sweep()
    shop.settle()
    assert shop.run(run).status == "succeeded"


def test_whoever_rehearses_by_hand_puts_the_next_one_off(schedule: Schedule, shop: Shop) -> None:
    now = shop.clock.now()
    by_hand = Rehearsal(
        schedule.occurrence().rehearsed.service, Commit("1a" * 20), "production", now, now, 1, 40, (FOUND,)
    )
    record_rehearsal(shop.parts, by_hand, OWNER)
    schedule.look()
    assert not schedule.player.orders
