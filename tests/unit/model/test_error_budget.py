"""When an error budget burns, and how much of it is left."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.model.error_budget import FAST, SLOW, budget_left, burning
from tidegate.model.ids import PlacementId
from tidegate.model.traffic import Span, Traffic

SHOP = PlacementId("shop/production")
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
OBJECTIVE = 0.999


def minutes(count: int, requests: int, errors: int, ended: int = 0) -> list[Traffic]:
    """So many minutes alike, the last of which was `ended` minutes ago."""
    return [Traffic(SHOP, Span.MINUTE, NOW - MINUTE * (ended + back), requests, errors) for back in range(count)]


def hours(count: int, requests: int, errors: int, ended: int = 0) -> list[Traffic]:
    """So many hours alike, and their minutes as far as those are kept."""
    rows = [Traffic(SHOP, Span.HOUR, NOW - HOUR * (ended + back), requests, errors) for back in range(count)]
    return rows + minutes(max(0, 7 - ended) * 60, requests // 60, errors // 60, ended * 60)


@pytest.mark.parametrize(
    ("traffic", "windows"),
    [
        pytest.param(minutes(420, 600, 0), (), id="nothing fails"),
        pytest.param(minutes(60, 600, 9), (FAST[0], FAST[1]), id="15 times as many as allowed, for an hour"),
        pytest.param(minutes(60, 600, 9, ended=6), (FAST[1],), id="the same, over for six minutes"),
        pytest.param(minutes(360, 600, 4), (FAST[1],), id="7 times as many, for six hours"),
        pytest.param(minutes(60, 600, 2), (), id="3 times as many, for an hour"),
        pytest.param(hours(24, 36_000, 120), (SLOW[0], SLOW[1]), id="3.3 times as many, for a day"),
        pytest.param(hours(72, 36_000, 60), (SLOW[1],), id="a little more than allowed, for three days"),
        pytest.param(hours(72, 36_000, 60, ended=7), (), id="the same, over for seven hours"),
        pytest.param(minutes(60, 1, 0) + minutes(5, 1, 1), (), id="five failures at a request a minute"),
    ],
)
def test_a_budget_burns_where_too_many_fail_over_a_long_time_and_still_do(
    traffic: list[Traffic], windows: tuple[object, ...]
) -> None:
    assert tuple(one.window for one in burning(OBJECTIVE, traffic, NOW)) == windows


def test_a_burn_says_how_fast_it_is() -> None:
    burn = burning(OBJECTIVE, minutes(60, 600, 9), NOW)[0]
    assert burn.is_fast
    assert burn.text == "540 of 36,000 requests failed within 1 h, 15 times as many as the objective allows"
    assert "within 3 d" in burning(OBJECTIVE, hours(72, 36_000, 60), NOW)[0].text


@pytest.mark.parametrize(
    ("requests", "errors", "left"),
    [(10_000, 0, 100.0), (10_000, 5, 50.0), (10_000, 10, 0.0), (10_000, 20, -100.0), (0, 0, None)],
)
def test_what_is_left_is_what_the_objective_allows_without_what_failed(
    requests: int, errors: int, left: float | None
) -> None:
    found = budget_left(OBJECTIVE, requests, errors)
    assert found == (None if left is None else pytest.approx(left))


def test_an_objective_of_all_requests_leaves_no_budget_to_burn() -> None:
    assert budget_left(1.0, 100, 0) is None
    assert burning(1.0, minutes(60, 600, 600), NOW) == ()


@given(
    st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 1000)), max_size=420),
    st.floats(0.9, 0.9999),
)
def test_a_budget_that_burns_for_a_strict_objective_is_all_that_burns_for_a_mild_one(
    counted: list[tuple[int, int]], availability: float
) -> None:
    traffic = [
        Traffic(SHOP, Span.MINUTE, NOW - MINUTE * back, max(pair), min(pair)) for back, pair in enumerate(counted)
    ]
    mild = {one.window for one in burning(availability, traffic, NOW)}
    assert mild <= {one.window for one in burning((1 + availability) / 2, traffic, NOW)}
