"""A train leaves with what is ready, keeps its order, and comes back whole when one of its releases fails."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.model.builders import (
    ANNA,
    BLUE_GREEN,
    HOUR,
    MINUTE,
    NOON,
    UNHURRIED,
    a_pipeline,
    a_placement,
    a_rollout,
    a_run,
)

from tidegate.model.decide_train import choose_aboard, decide_train
from tidegate.model.decision import Decision
from tidegate.model.event import EventKind
from tidegate.model.ids import EnvironmentName, PlacementId, ReleaseId, RunId, ServiceName, StageName
from tidegate.model.placement import Arrangement, Part, PlacementFloor
from tidegate.model.rollout import Cause, Rollout, RolloutState
from tidegate.model.run import Run, RunStatus, StageRun, StageState
from tidegate.model.schedule import Schedule
from tidegate.model.share import WHOLE
from tidegate.model.train import MemberState, Train, TrainRun, TrainRunId, TrainState, sign_for
from tidegate.model.train_draft import Boarded, Ready, TrainView

A, B, C, D = (ServiceName(name) for name in ("a", "b", "c", "d"))
PRODUCTION, STAGE = EnvironmentName("production"), StageName("production")
TRAIN = Train("payments", (A, B, C, D), PRODUCTION, {B: (A,), C: (B,), D: (C,)})
DAILY = replace(TRAIN, leaves=Schedule("0 13 * * *", "UTC"))


def ready(service: ServiceName, order: int = 1, unmet: tuple[ServiceName, ...] = ()) -> Ready:
    return Ready(
        service,
        RunId(f"run-{service}-{order}"),
        ReleaseId(f"r-{service}-{order}"),
        f"{service}{order}",
        STAGE,
        order,
        unmet,
    )


class Trip:
    """A train that is looked at, and the releases aboard as the rest of the server would have them."""

    def __init__(self, train: Train = TRAIN, *there: Ready, now: datetime = NOON) -> None:
        self.train: Train | None = train
        self.there = there or tuple(ready(one) for one in train.services)
        self.now = now
        self.passage: TrainRun | None = None
        self.last: TrainRun | None = None
        self.boarded: dict[ServiceName, Boarded] = {}
        self.told: list[EventKind] = []
        self.count = 0

    def look(self) -> Decision:
        """Look until nothing changes; the last decision that changed something, else the last."""
        found = Decision()
        for _ in range(50):
            self.count += 1
            view = TrainView(
                "payments",
                self.train,
                self.passage,
                self.last,
                self.there,
                self.boarded,
                TrainRunId(f"{self.count:04}"),
            )
            decision = decide_train(view, self.now)
            if not decision.changes:
                return found if found.changes else decision
            found = decision
            self._save(decision)
        raise AssertionError("it does not come to rest")

    def _save(self, decision: Decision) -> None:
        self.told += [one.kind for one in decision.events]
        for entity in decision.changes:
            match entity:
                case TrainRun() if entity.state.is_ended:
                    self.passage, self.last = None, entity
                case TrainRun():
                    self.passage = entity
                    for member in entity.members:
                        self.boarded.setdefault(member.service, outside(member.service))
                case Rollout():
                    service = ServiceName(entity.placement.split("/")[0])
                    own = self.boarded[service]
                    is_return = own.rollout is None or entity.id != own.rollout.id
                    self.boarded[service] = replace(own, returns=entity) if is_return else replace(own, rollout=entity)
                case StageRun():
                    self._replace(entity.run, stage=entity)
                case Run():
                    self._replace(entity.id, run=entity)

    def _replace(self, of: str, **changes: object) -> None:
        for service, one in self.boarded.items():
            if one.run.id == of:
                self.boarded[service] = replace(one, **changes)  # type: ignore[arg-type]

    def state(self, service: ServiceName) -> MemberState:
        passage = self.passage if self.passage and self.passage.departed_at else self.last
        assert passage is not None
        member = passage.member(service)
        assert member is not None
        return member.state

    @property
    def states(self) -> str:
        """How all aboard stand, in order."""
        return " ".join(self.state(one) for one in (A, B, C, D))

    def begins(self, service: ServiceName) -> None:
        """Its gate opened: only what was called may."""
        assert self.state(service) is MemberState.CALLED
        own = self.boarded[service]
        moving = replace(
            a_rollout(BLUE_GREEN), placement=PlacementId(f"{service}/production"), state=RolloutState.MOVING
        )
        self.boarded[service] = replace(own, stage=replace(own.stage, state=StageState.WORKING), rollout=moving)

    def passes(self, service: ServiceName, *, watched: bool = False) -> None:
        """Its rollout passed, and is over (or watched)."""
        self.begins(service)
        own = self.boarded[service]
        assert own.rollout is not None
        ended = replace(own.rollout, state=RolloutState.WATCHING if watched else RolloutState.SUCCEEDED)
        status = RunStatus.RUNNING if watched else RunStatus.SUCCEEDED
        self.boarded[service] = replace(
            own,
            stage=replace(own.stage, state=StageState.PASSED),
            rollout=ended,
            run=replace(own.run, status=status),
            placement=replace(own.placement, arrangement=serving_new(ended)),
        )

    def fails(self, service: ServiceName) -> None:
        """Harm was found: it goes back by itself."""
        if self.boarded[service].rollout is None:
            self.begins(service)
        own = self.boarded[service]
        assert own.rollout is not None
        back = replace(own.rollout, state=RolloutState.RETURNING, cause=Cause("12% of its requests failed", True))
        self.boarded[service] = replace(own, rollout=back)

    def is_back(self, service: ServiceName) -> None:
        """What was on its way back is back."""
        own = self.boarded[service]
        back = own.returns or own.rollout
        assert back is not None
        asked = back.rollback_asked
        done = replace(back, state=RolloutState.ROLLED_BACK, cause=back.cause or asked)
        self.boarded[service] = replace(own, returns=done) if own.returns else replace(own, rollout=done)


def outside(service: ServiceName) -> Boarded:
    run = replace(a_run(a_pipeline()), id=RunId(f"run-{service}-1"), service=service)
    stage = StageRun(run.id, STAGE, 0, PRODUCTION, StageState.GATE)
    placement = replace(a_placement(), id=PlacementId(f"{service}/production"), service=service)
    return Boarded(run, stage, None, placement, None, None)


def serving_new(rollout: Rollout) -> Arrangement:
    assert rollout.new is not None
    return Arrangement((Part(rollout.new, 2, WHOLE),))


def sent(trip: Trip) -> Trip:
    """Collected, and sent by a person."""
    trip.look()
    assert trip.passage is not None
    trip.passage = replace(trip.passage, depart_asked_by=ANNA)
    trip.look()
    return trip


# leaving


def test_a_train_on_demand_leaves_when_somebody_says_so_with_the_newest_of_each_service() -> None:
    trip = Trip(TRAIN, ready(A, 1), ready(A, 3), ready(A, 2), ready(C, 7))
    assert trip.look().wake_at is None
    trip.now += HOUR
    trip.look()
    assert trip.passage is not None and trip.passage.state is TrainState.COLLECTING
    sent(trip)
    assert [one.label for one in trip.passage.members] == ["a3", "c7"]
    assert trip.state(A) is MemberState.CALLED
    assert trip.state(C) is MemberState.CALLED, "what it comes after is not aboard"


def test_a_scheduled_train_leaves_at_its_time_and_not_before() -> None:
    trip = Trip(DAILY)
    assert trip.look().wake_at == NOON + HOUR
    trip.now = NOON + 59 * MINUTE
    trip.look()
    assert trip.passage is not None and trip.passage.state is TrainState.COLLECTING
    trip.now = NOON + HOUR
    trip.look()
    assert trip.states == "called aboard aboard aboard"


def test_a_train_for_which_nothing_is_ready_waits_for_its_next_time() -> None:
    trip = Trip(DAILY, now=NOON + 2 * HOUR)
    trip.there = ()
    trip.look()
    trip.now = NOON + 25 * HOUR
    trip.look()
    assert trip.passage is not None and trip.passage.state is TrainState.COLLECTING
    assert trip.passage.leaves_at == NOON + 49 * HOUR
    assert trip.told == [EventKind.TRAIN_COLLECTS, EventKind.TRAIN_EMPTY]


def test_a_held_train_stays_and_a_cancelled_departure_is_left_out() -> None:
    trip = Trip(DAILY)
    trip.look()
    assert trip.passage is not None
    trip.passage = replace(trip.passage, held_by="anna")
    trip.now = NOON + 2 * HOUR
    trip.look()
    assert trip.passage.state is TrainState.COLLECTING
    early = Trip(DAILY)
    early.look()
    assert early.passage is not None
    early.passage = replace(early.passage, cancel_asked_by=ANNA)
    early.look()
    assert early.last is not None and early.last.state is TrainState.CANCELLED
    assert early.passage.leaves_at == NOON + 25 * HOUR


def test_a_schedule_that_changed_counts_from_now_on_and_a_train_that_is_gone_ends() -> None:
    trip = Trip(DAILY)
    trip.look()
    trip.train = replace(DAILY, leaves=Schedule("0 15 * * *", "UTC"))
    trip.look()
    assert trip.passage is not None and trip.passage.leaves_at == NOON + 3 * HOUR
    trip.train = None
    trip.look()
    assert trip.passage is None
    assert trip.last is not None and trip.last.state is TrainState.CANCELLED


def test_what_requires_a_service_comes_with_it_or_not_at_all() -> None:
    after = {B: (A,)}
    assert choose_aboard((ready(A), ready(B, unmet=(A,))), after) == (ready(A), ready(B, unmet=(A,)))
    assert choose_aboard((ready(B, unmet=(A,)), ready(C)), after) == (ready(C),)
    assert choose_aboard((ready(A), ready(B, unmet=(A,)))) == (ready(A),), "no order says that a is first"
    assert choose_aboard((ready(B, unmet=(A,)), ready(C, unmet=(B,))), {B: (A,), C: (B,)}) == ()


# the way


def test_each_is_called_when_those_before_it_have_passed() -> None:
    trip = sent(Trip())
    assert trip.states == "called aboard aboard aboard"
    for service, states in (
        (A, "passed called aboard aboard"),
        (B, "passed passed called aboard"),
        (C, "passed passed passed called"),
    ):
        trip.passes(service)
        trip.look()
        assert trip.states == states
    trip.passes(D)
    trip.look()
    assert trip.last is not None and trip.last.state is TrainState.ARRIVED
    assert trip.passage is not None and trip.passage.state is TrainState.COLLECTING, "the next one collects"


def test_those_that_do_not_depend_on_each_other_go_beside_each_other() -> None:
    trip = sent(Trip(replace(TRAIN, after={D: (A, B, C)})))
    assert trip.states == "called called called aboard"


@pytest.mark.parametrize("watched", [False, True])
def test_a_failure_takes_back_all_that_passed_in_reverse_order(watched: bool) -> None:
    trip = sent(Trip())
    for service in (A, B):
        trip.passes(service, watched=watched)
        trip.look()
    trip.fails(C)
    trip.look()
    assert trip.states == "passed passed returning left"
    trip.is_back(C)
    trip.look()
    assert trip.states == "passed returning returned left"
    trip.is_back(B)
    trip.look()
    assert trip.states == "returning returned returned left"
    trip.is_back(A)
    trip.look()
    assert trip.last is not None and trip.last.state is TrainState.RETURNED
    assert "c c1 failed: 12% of its requests failed" in trip.last.because
    cause = (trip.boarded[A].returns or trip.boarded[A].rollout or a_rollout(BLUE_GREEN)).rollback_asked
    assert cause is not None and not cause.for_cause, "only what failed itself is to blame"
    if not watched:
        assert trip.boarded[A].stage.state is StageState.ROLLED_BACK
        assert trip.boarded[A].run.status is RunStatus.ROLLED_BACK


def test_what_moves_beside_the_one_that_failed_is_stopped_at_once() -> None:
    trip = sent(Trip(replace(TRAIN, after={})))
    trip.begins(A)
    trip.fails(B)
    trip.look()
    assert trip.states == "returning returning left left"


@pytest.mark.parametrize("state", [StageState.REJECTED, StageState.SUPERSEDED, StageState.CANCELLED, StageState.FAILED])
def test_a_release_that_cannot_go_stops_the_train_before_its_turn(state: StageState) -> None:
    trip = sent(Trip())
    own = trip.boarded[D]
    trip.boarded[D] = replace(own, stage=replace(own.stage, state=state, because="no"))
    trip.passes(A)
    trip.look()
    assert trip.states == "returning left left returned"


def test_a_train_that_is_cancelled_under_way_comes_back() -> None:
    trip = sent(Trip())
    trip.passes(A)
    trip.look()
    assert trip.passage is not None
    trip.passage = replace(trip.passage, cancel_asked_by=ANNA)
    trip.look()
    assert trip.states == "returning left left left"
    trip.is_back(A)
    trip.look()
    assert trip.last is not None and trip.last.because == "cancelled by anna"


@pytest.mark.parametrize("watched", [False, True])
def test_what_cannot_go_back_stays_and_those_before_it_come_back_all_the_same(watched: bool) -> None:
    trip = sent(Trip())
    for service in (A, B):
        trip.passes(service, watched=watched)
        trip.look()
    floor = PlacementFloor(2, "b1", "drop old columns", NOON)
    own = trip.boarded[B]
    trip.boarded[B] = replace(own, placement=replace(own.placement, floor=floor))
    trip.fails(C)
    trip.look()
    trip.is_back(C)
    trip.look()
    own = trip.boarded[B]
    asked = own.rollout if watched else own.returns
    assert asked is not None and asked.rollback_asked is not None, "its placement decides, and opens the incident"
    held = replace(asked, held_at_floor=asked.rollback_asked, rollback_asked=None)
    if watched:
        trip.boarded[B] = replace(own, rollout=held)
    else:
        trip.boarded[B] = replace(own, returns=replace(held, state=RolloutState.HELD))
    trip.look()
    assert trip.states == "returning held returned left"
    assert trip.boarded[B].run.status is own.run.status is not RunStatus.ROLLED_BACK
    trip.is_back(A)
    trip.look()
    assert trip.last is not None and trip.last.state is TrainState.RETURNED


def test_what_somebody_else_put_there_since_is_left_alone() -> None:
    trip = sent(Trip())
    trip.passes(A)
    trip.look()
    trip.boarded[A] = replace(trip.boarded[A], placement=a_placement())
    trip.fails(B)
    trip.look()
    trip.is_back(B)
    trip.look()
    assert trip.states == "returned returned left left"
    assert trip.boarded[A].returns is None


@st.composite
def journeys(draw: st.DrawFn) -> tuple[Train, ServiceName | None, list[int], bool]:
    """Any order without a circle, who fails (if anybody does), in which order things happen, and whether passed ones
    are still watched."""
    names = (A, B, C, D)
    after = {one: tuple(before for before in names[:index] if draw(st.booleans())) for index, one in enumerate(names)}
    failing = draw(st.sampled_from([None, *names]))
    return replace(TRAIN, after=after), failing, draw(st.lists(st.integers(0, 3), max_size=8)), draw(st.booleans())


@UNHURRIED
@given(journeys())
def test_any_train_arrives_whole_or_comes_back_whole_and_keeps_its_order(
    journey: tuple[Train, ServiceName | None, list[int], bool],
) -> None:
    train, failing, choices, watched = journey
    trip = sent(Trip(train))
    passed: list[ServiceName] = []
    back: list[ServiceName] = []
    for step in range(30):
        if trip.last is not None:
            break
        called = [one for one in train.services if trip.state(one) is MemberState.CALLED]
        going = [one for one in train.services if _goes_back(trip, one)]
        pick = choices[step % len(choices)] if choices else 0
        if going:
            one = going[pick % len(going)]
            assert all(other not in passed or other in back for other in _behind(train, one)), "the later ones first"
            back.append(one)
            trip.is_back(one)
        elif called:
            one = called[pick % len(called)]
            assert all(before in passed for before in train.after[one]), "in its turn"
            if one == failing:
                trip.fails(one)
            else:
                trip.passes(one, watched=watched)
            passed.append(one)
        trip.look()
    assert trip.last is not None
    assert trip.last.state is (TrainState.ARRIVED if failing is None else TrainState.RETURNED)
    if failing is not None:
        assert set(back) == set(passed)
        assert {trip.state(one) for one in train.services} <= {MemberState.RETURNED, MemberState.LEFT}


def _goes_back(trip: Trip, service: ServiceName) -> bool:
    own = trip.boarded[service]
    found = own.returns or own.rollout
    if found is None or found.state is RolloutState.ROLLED_BACK:
        return False
    return found.state is RolloutState.RETURNING or found.rollback_asked is not None


def _behind(train: Train, service: ServiceName) -> list[ServiceName]:
    return [one for one, before in train.after.items() if service in before]


# what gates see


def test_a_gate_sees_whether_it_is_its_turn_and_what_it_waits_for() -> None:
    trip = Trip(DAILY)
    run = RunId("run-b-1")
    assert "has not begun to collect" in sign_for("payments", DAILY, None, run).text
    trip.look()
    collecting = sign_for("payments", DAILY, trip.passage, run)
    assert collecting.text == "the train payments leaves at 2026-03-02 13:00 UTC"
    assert collecting.remedy == "tidegate train depart payments"
    trip.now += timedelta(hours=1)
    trip.look()
    aboard = sign_for("payments", DAILY, trip.passage, run)
    assert (aboard.is_turn, aboard.is_aboard) == (False, True)
    assert "after a" in aboard.text
    assert "without it" in sign_for("payments", DAILY, trip.passage, RunId("another")).text
    trip.passes(A)
    trip.look()
    assert sign_for("payments", DAILY, trip.passage, run).is_turn
    trip.fails(B)
    trip.look()
    stopped = sign_for("payments", DAILY, trip.passage, RunId("run-c-1"))
    assert not stopped.is_turn
    assert "comes back: b b1 failed" in stopped.text
