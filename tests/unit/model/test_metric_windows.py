"""Which times of a rollout are asked about, and how many of the router's requests belong to them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tidegate.model.batches import LabelledSnapshot
from tidegate.model.figures import Counters, Snapshot
from tidegate.model.ids import DeploymentId, Generation
from tidegate.model.metric import Counted, MetricRule, NoFigures, SourceName, Spread
from tidegate.model.metric_windows import of_requests, windows_to_read

BEGIN = datetime(2026, 3, 2, 12, tzinfo=UTC)
LATE = BEGIN + timedelta(hours=1)
NEW = DeploymentId("new")


def rule(window: int = 30, delay: int = 0) -> MetricRule:
    return MetricRule("orders", SourceName.COMMAND, window=timedelta(seconds=window), delay=timedelta(seconds=delay))


def taken(*moments: int, step: int = 0, generation: int = 1, counts: int = 1) -> list[LabelledSnapshot]:
    """Snapshots at these seconds; the deployment has `counts` requests a second."""
    return [
        LabelledSnapshot(
            Snapshot(BEGIN + timedelta(seconds=at), Generation(generation), {NEW: Counters(counts * at, 0)}), step
        )
        for at in moments
    ]


def windows(snapshots: list[LabelledSnapshot], of: MetricRule, now: datetime = LATE) -> list[tuple[float, float, int]]:
    return [
        ((one.begin - BEGIN).total_seconds(), (one.end - BEGIN).total_seconds(), one.step)
        for one in windows_to_read(snapshots, of, (), now)
    ]


def test_windows_follow_each_other_and_are_as_short_as_snapshots_allow() -> None:
    assert windows(taken(0, 10, 20, 31, 40, 50, 60, 65), rule()) == [(0, 31, 0), (31, 65, 0)]


def test_a_window_never_spans_two_shares() -> None:
    both = [*taken(0, 20, 25), *taken(28, 40, 60, 70, step=1, generation=2)]
    assert windows(both, rule()) == [(28, 60, 1)]


def test_new_instances_are_left_time_until_prometheus_has_found_them() -> None:
    by_prometheus = replace(rule(), source=SourceName.PROMETHEUS)
    snapshots = [*taken(0, 20, 40, 60, 80), *taken(90, 120, 150, step=1, generation=2)]
    assert [one.begin for one in windows_to_read(snapshots, by_prometheus, (), LATE, {0})] == [
        BEGIN + timedelta(seconds=at) for at in (40, 90, 120)
    ]
    assert windows_to_read(snapshots, rule(), (), LATE, {0}) == windows_to_read(snapshots, rule(), (), LATE)


def test_what_was_read_is_not_read_again_and_later_snapshots_do_not_move_it() -> None:
    snapshots = taken(0, 15, 30, 45, 60)
    first, second = windows_to_read(snapshots, rule(), (), LATE)
    assert windows_to_read(snapshots, rule(), (first.begin,), LATE) == (second,)
    assert windows_to_read(taken(0, 15, 30), rule(), (), LATE) == (first,)


def test_a_source_that_is_late_is_asked_late() -> None:
    snapshots = taken(0, 30, 60)
    assert windows(snapshots, rule(delay=120), BEGIN + timedelta(seconds=149)) == []
    assert windows(snapshots, rule(delay=120), BEGIN + timedelta(seconds=150)) == [(0, 30, 0)]


def test_a_gap_of_an_hour_is_one_window() -> None:
    assert windows(taken(0, 3000, 3010), rule()) == [(0, 3000, 0)]


def test_the_requests_of_a_window_are_the_routers() -> None:
    (window,) = windows_to_read(taken(10, 40, counts=5), rule(), (), LATE)
    assert window.requests(NEW) == 150
    assert window.requests(DeploymentId("old")) is None


def test_requests_of_a_router_that_began_anew_are_not_known() -> None:
    snapshots = [*taken(0, 10, counts=5), *taken(40, counts=1)]
    (window,) = windows_to_read(snapshots, rule(), (), LATE)
    assert window.requests(NEW) == 40
    (window,) = windows_to_read([*taken(10, counts=5), *taken(40, counts=1)], rule(), (), LATE)
    assert window.requests(NEW) is None


@pytest.mark.parametrize(
    ("figures", "requests", "found"),
    [
        (Counted(3), 10, Counted(3, 10)),
        (Counted(3, 5), 10, Counted(3, 5)),
        (Counted(3, 5), None, Counted(3, 5)),
        (Counted(10.8), 10, Counted(10, 10)),
        (Counted(0), 0, Counted(0, 0)),
        (Spread((1,), (2, 3)), None, Spread((1,), (2, 3))),
    ],
)
def test_counts_are_counts_of_something(figures: Counted | Spread, requests: int | None, found: object) -> None:
    assert of_requests(figures, requests) == found


@pytest.mark.parametrize(("figures", "requests"), [(Counted(3), None), (Counted(30), 10), (Counted(30, 10), 100)])
def test_counts_of_nothing_and_more_than_all_are_no_figures(figures: Counted, requests: int | None) -> None:
    found = of_requests(figures, requests)
    assert isinstance(found, NoFigures) and found.reason
