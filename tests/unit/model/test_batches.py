"""Batches are cut so that no figure is counted under a split of the traffic at which it did not happen."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tidegate.model.batches import LabelledSnapshot, Pause, cut_batches, labelled
from tidegate.model.figures import Counters, Snapshot
from tidegate.model.ids import DeploymentId, Generation

NEW, OLD = DeploymentId("production-2-aaaaaaaa"), DeploymentId("production-1-aaaaaaaa")
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def taken(
    second: int,
    new: Counters | None,
    old: Counters | None,
    *,
    step: int = 0,
    generation: int = 1,
    may_begin: bool = True,
) -> LabelledSnapshot:
    known = {NEW: new, OLD: old}
    deployments = {name: counters for name, counters in known.items() if counters is not None}
    snapshot = Snapshot(NOON + timedelta(seconds=second), Generation(generation), deployments)
    return LabelledSnapshot(snapshot, step, may_begin)


def count(requests: int, errors: int = 0) -> Counters:
    return Counters(requests, errors)


def test_what_was_counted_between_two_snapshots_is_a_batch() -> None:
    (batch,) = cut_batches([taken(0, count(5), count(50)), taken(10, count(25, 3), count(130, 1))], NEW, OLD)
    assert (batch.begin, batch.end, batch.step) == (NOON, NOON + timedelta(seconds=10), 0)
    assert batch.canary == count(20, 3)
    assert batch.baseline == count(80, 1)


def test_what_happens_during_a_change_of_shares_is_in_no_batch() -> None:
    batches = cut_batches(
        [
            taken(0, count(0), count(0)),
            taken(10, count(10), count(90), may_begin=False),
            taken(11, count(99), count(99), step=1, generation=2),
            taken(21, count(149), count(149), step=1, generation=2),
        ],
        NEW,
        OLD,
    )
    assert [(batch.step, batch.canary, batch.baseline) for batch in batches] == [
        (0, count(10), count(90)),
        (1, count(50), count(50)),
    ]


def test_a_new_generation_cuts_even_within_a_step() -> None:
    assert not cut_batches([taken(0, count(0), count(0)), taken(9, count(9), count(9), generation=2)], NEW, OLD)


def test_a_new_step_cuts_even_within_a_generation() -> None:
    assert not cut_batches([taken(0, count(0), count(0)), taken(9, count(9), count(9), step=1)], NEW, OLD)


def test_a_batch_does_not_begin_before_the_warm_up_is_over() -> None:
    batches = cut_batches(
        [
            taken(0, count(0), count(0), may_begin=False),
            taken(5, count(9), count(9)),
            taken(9, count(19), count(19)),
        ],
        NEW,
        OLD,
    )
    assert [batch.canary for batch in batches] == [count(10)]


def test_a_counter_that_went_backwards_is_no_data_for_its_side_alone() -> None:
    batches = cut_batches(
        [taken(0, count(70), count(50)), taken(9, count(5), count(90)), taken(19, count(25), count(130))], NEW, OLD
    )
    assert [(batch.canary, batch.baseline) for batch in batches] == [(None, count(40)), (count(20), count(40))]


def test_a_side_that_a_snapshot_lacks_is_no_data() -> None:
    batches = cut_batches(
        [taken(0, None, count(50)), taken(9, count(5), count(90)), taken(19, count(6), None)], NEW, OLD
    )
    assert [(batch.canary, batch.baseline) for batch in batches] == [(None, count(40)), (count(1), None)]


def test_a_first_release_has_no_baseline() -> None:
    (batch,) = cut_batches([taken(0, count(0), count(0)), taken(9, count(5), count(90))], NEW, None)
    assert batch.canary == count(5)
    assert batch.baseline is None


def test_a_clock_that_stands_still_makes_no_batch() -> None:
    assert not cut_batches([taken(5, count(0), count(0)), taken(5, count(5), count(90))], NEW, OLD)


def test_fewer_than_two_snapshots_make_no_batch() -> None:
    assert cut_batches([], NEW, OLD) == ()
    assert cut_batches([taken(0, count(0), count(0))], NEW, OLD) == ()


def test_what_a_load_check_asked_is_in_no_batch() -> None:
    ten = timedelta(seconds=10)
    snapshots = [(0, taken(10 * number, count(number), count(number)).snapshot) for number in range(6)]
    for end, begins in ((NOON + 3 * ten, [0, 3, 4]), (None, [0])):
        pause = Pause(NOON + ten + timedelta(seconds=1), end)
        batches = cut_batches(labelled(snapshots, pause), NEW, OLD)
        assert [one.begin for one in batches] == [NOON + number * ten for number in begins]
    assert len(cut_batches(labelled(snapshots), NEW, OLD)) == 5
