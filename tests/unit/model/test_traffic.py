"""What was counted between two looks at a router, and to which minutes and hours it belongs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from tidegate.model.figures import Counters
from tidegate.model.ids import DeploymentId, PlacementId
from tidegate.model.traffic import Span, Traffic, TrafficReading, spans_of

SHOP = PlacementId("shop/production")
NOON = datetime(2026, 3, 2, 12, 0, 30, tzinfo=UTC)
EDGES = (10.0, 100.0)


def seen(after: float = 0, **counted: Counters) -> TrafficReading:
    deployments = {DeploymentId(name): counters for name, counters in counted.items()}
    return TrafficReading(SHOP, NOON + timedelta(seconds=after), deployments)


def counters(requests: int, errors: int = 0, latency: tuple[int, ...] = ()) -> Counters:
    return Counters(requests, errors, EDGES if latency else (), latency)


def test_all_deployments_of_a_placement_count_together() -> None:
    before = seen(old=counters(100, 1, (90, 9, 1)), new=counters(10, 0, (10, 0, 0)))
    now = seen(60, old=counters(150, 1, (135, 14, 1)), new=counters(15, 2, (13, 2, 0)))
    assert now.counted_since(before) == counters(55, 2, (48, 7, 0))


def test_a_new_deployment_and_a_router_that_was_started_again_count_from_zero() -> None:
    before = seen(old=counters(100, 5))
    now = seen(60, old=counters(7, 1), new=counters(3))
    assert now.counted_since(before) == counters(10, 1)


def test_what_was_counted_while_nobody_looked_belongs_to_no_minute() -> None:
    minute, hour = datetime(2026, 3, 2, 12, 1, tzinfo=UTC), datetime(2026, 3, 2, 12, tzinfo=UTC)
    assert set(spans_of(seen(60), seen())) == {(Span.HOUR, hour), (Span.MINUTE, minute)}
    assert spans_of(seen(3600), seen()) == ((Span.HOUR, hour + timedelta(hours=1)),)
    assert spans_of(seen(), seen(60)) == ((Span.HOUR, hour),), "a clock that was set back"


@given(st.lists(st.tuples(st.integers(0, 50), st.booleans()), max_size=20))
def test_nothing_is_counted_twice_and_a_restart_loses_only_what_came_before_it(minutes: list[tuple[int, bool]]) -> None:
    row = Traffic(SHOP, Span.HOUR, NOON, 0, 0)
    counter, before, expected = 0, seen(old=counters(0)), 0
    for came, restarted in minutes:
        counter = came if restarted else counter + came
        now = seen(old=counters(counter))
        row, before = row.with_more(now.counted_since(before)), now
        # after a restart a count that is as high as before cannot be told from one that went on
        expected += came if not restarted else 0
    assert row.requests <= sum(came for came, _ in minutes)
    assert row.requests >= expected - sum(came for came, restarted in minutes if restarted)


def test_latencies_of_other_buckets_replace_those_that_cannot_be_added() -> None:
    row = Traffic(SHOP, Span.HOUR, NOON, 2, 0, (5.0,), (1, 1))
    added = row.with_more(counters(3, 0, (1, 1, 1)))
    assert (added.requests, added.edges, added.latency) == (5, EDGES, (1, 1, 1))
    assert added.with_more(counters(1)).latency == (1, 1, 1)
