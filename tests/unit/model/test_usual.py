"""What is usual at a time of the day: each day once, and only of enough days."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tidegate.model.ids import PlacementId
from tidegate.model.traffic import Span, Traffic
from tidegate.model.usual import LEAST_DAYS, Usual, usual_of

SHOP = PlacementId("shop/production")
BEGAN = datetime(2026, 3, 20, 14, 20, tzinfo=UTC)
EDGES = (10.0, 100.0)


def row(days_ago: int, hour: int, requests: int = 100, errors: int = 1) -> Traffic:
    begin = (BEGAN - timedelta(days=days_ago)).replace(hour=hour, minute=0)
    return Traffic(SHOP, Span.HOUR, begin, requests, errors, EDGES, (requests, 0, 0))


def days(hours: tuple[int, ...], count: int = LEAST_DAYS, requests: int = 100) -> list[Traffic]:
    return [row(day, hour, requests) for day in range(1, count + 1) for hour in hours]


def test_each_day_counts_once() -> None:
    found = usual_of(days((12, 13, 14, 15)), BEGAN).at(BEGAN)
    assert [one.begin.hour for one in found] == [14] * LEAST_DAYS
    assert list(found) == sorted(found, key=lambda one: one.begin)


@pytest.mark.parametrize(("hour", "minute", "around"), [(14, 20, [14, 13]), (14, 30, [14, 15]), (0, 0, [0, 23])])
def test_a_moment_lies_between_its_hour_and_the_nearer_one(hour: int, minute: int, around: list[int]) -> None:
    usual = usual_of(days((13, 14, 15, 23, 0)), BEGAN)
    found = usual.around(BEGAN.replace(hour=hour, minute=minute))
    assert [{one.begin.hour for one in days_there} for days_there in found] == [{one} for one in around]


def test_hours_in_which_the_service_did_not_run_say_nothing() -> None:
    usual = usual_of(days((3, 4)), BEGAN)
    assert not usual.at(BEGAN)
    assert not usual.around(BEGAN)


@pytest.mark.parametrize(("count", "requests", "known"), [(6, 100, 0), (7, 100, 7), (8, 49, 0), (8, 50, 8)])
def test_fewer_than_a_week_of_days_with_enough_requests_are_nothing_usual(
    count: int, requests: int, known: int
) -> None:
    assert len(usual_of(days((14,), count, requests), BEGAN).at(BEGAN)) == known


def test_what_is_not_over_when_the_rollout_begins_is_not_before_it() -> None:
    today = [row(0, 12), row(0, 13), row(0, 14, errors=90)]
    found = usual_of([*days((12, 13, 14, 15)), *today], BEGAN)
    assert len(found.at(BEGAN)) == LEAST_DAYS
    assert len(found.at(BEGAN - timedelta(hours=1))) == LEAST_DAYS + 1


def test_of_no_traffic_nothing_is_usual() -> None:
    assert usual_of([], BEGAN) == Usual()
