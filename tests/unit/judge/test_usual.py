"""Where nothing runs beside the new deployment, the same hours of the days before say what is usual."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from tidegate.judge.comparison import ComparisonJudge
from tidegate.judge.judge import Case
from tidegate.judge.usual import day_bound
from tidegate.model.figures import Batch, Counters
from tidegate.model.ids import PlacementId
from tidegate.model.pipeline import VerifyRule
from tidegate.model.traffic import Span, Traffic
from tidegate.model.usual import NOTHING_USUAL, Usual, usual_of
from tidegate.model.verdict import Judgement, Verdict

SHOP = PlacementId("shop/production")
BEGAN = datetime(2026, 3, 20, 11, 30, tzinfo=UTC)
EDGES = (5.0, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0, 90.0, 130.0, 200.0, 400.0, 1000.0)
A_DAY_DIFFERS = 0.3
"""The standard deviation of the logarithm of a day's errors."""

MINUTE = timedelta(minutes=1)
JUDGE = ComparisonJudge()
RULE = VerifyRule(availability=0.8)


def busy(moment: datetime) -> float:
    """Twice as slow, and four times the errors, at noon."""
    return 1 + float(np.exp(-((moment.hour + moment.minute / 60 - 12.5) ** 2) / 2))


def served(
    rng: np.random.Generator, moment: datetime, count: int, errors: float, day: float, slower: float = 1.0
) -> Counters:
    took = rng.lognormal(np.log(12 * busy(moment) * slower * day**0.1), 0.4, count)
    latency = tuple(int(one) for one in np.bincount(np.searchsorted(EDGES, took), minlength=len(EDGES) + 1))
    failed = int(rng.binomial(count, min(errors * busy(moment) ** 2 * day, 1.0)))
    return Counters(count, failed, EDGES, latency)


def days_before(rng: np.random.Generator, days: int = 21) -> Usual:
    rows = []
    for day in range(1, days + 1):
        differs = float(np.exp(rng.normal(0, A_DAY_DIFFERS)))
        for hour in range(9, 17):
            begin = (BEGAN - timedelta(days=day)).replace(hour=hour, minute=0)
            seen = served(rng, begin + timedelta(minutes=30), 2000, 0.002, differs)
            rows.append(
                Traffic(PlacementId("shop/production"), Span.HOUR, begin, 2000, seen.errors, EDGES, seen.latency)
            )
    return usual_of(rows, BEGAN)


def moments(minutes: range) -> list[datetime]:
    return [BEGAN + minute * MINUTE for minute in minutes]


def alone(rng: np.random.Generator, *, errors: float = 0.002, slower: float = 1.0) -> list[Batch]:
    """All of the traffic for half an hour, 600 requests a minute, in batches of three minutes."""
    day = float(np.exp(rng.normal(0, A_DAY_DIFFERS)))
    return [
        Batch(at, at + 2 * MINUTE, 0, served(rng, at, 1200, errors, day, slower), None)
        for at in moments(range(0, 30, 2))
    ]


def judged(batches: list[Batch], usual: Usual, rule: VerifyRule = RULE) -> tuple[Judgement, int]:
    """The first judgement that fails, with its look; else the last one."""
    for seen in range(1, len(batches) + 1):
        step = batches[seen - 1].step
        beside = batches[seen - 1].baseline is not None
        case = Case(batches[:seen], step, rule, beside, usual=usual)
        judgement = JUDGE.judge(case)
        if judgement.verdict is Verdict.FAIL:
            return judgement, seen
    return judgement, len(batches)


def test_more_errors_than_on_other_days_fail_though_the_objective_allows_them() -> None:
    rng = np.random.default_rng(1)
    usual = days_before(rng)
    bad = alone(rng, errors=0.02)
    judgement, looks = judged(bad, usual)
    assert (judgement.verdict, judgement.blamed) == (Verdict.FAIL, "errors (usual)")
    assert looks < 8
    assert "usual at this time of the day" in judgement.reason
    assert judged(bad, NOTHING_USUAL)[0].verdict is Verdict.PASS, "a fifth may fail"


def test_slower_than_on_other_days_fails_where_nothing_ran_beside_it() -> None:
    rng = np.random.default_rng(2)
    usual = days_before(rng)
    slow = alone(rng, slower=3.0)
    judgement, looks = judged(slow, usual)
    assert judgement.verdict is Verdict.FAIL and str(judgement.blamed).startswith("latency")
    assert looks < 5
    assert "latency is not judged" in judged(slow, NOTHING_USUAL)[0].reason


def test_what_every_noon_brings_is_no_harm() -> None:
    """The old deployment was measured in the morning; at noon everything takes twice as long, as on all days."""
    rng = np.random.default_rng(3)
    usual = days_before(rng)
    morning, noon = (moments(minutes) for minutes in (range(-60, -50), range(45, 75)))
    beside = [Batch(at, at + MINUTE, 0, *(served(rng, at, 600, 0.002, 1.0) for _ in range(2))) for at in morning]
    alone_at_noon = [Batch(at, at + MINUTE, 1, served(rng, at, 600, 0.002, 1.0), None) for at in noon]
    sides = [*beside, *alone_at_noon]
    assert judged(sides, usual)[0].verdict is Verdict.PASS
    judgement, _ = judged(sides, NOTHING_USUAL)
    assert (judgement.verdict, str(judgement.blamed)[:7]) == (Verdict.FAIL, "latency")


def test_days_that_differ_raise_no_alarms() -> None:
    """At most 1% of harmless rollouts; of 60 no more than 3 in all but one of 250 cases."""
    failed = 0
    for seed in range(60):
        rng = np.random.default_rng(1000 + seed)
        failed += judged(alone(rng), days_before(rng, 7 + seed % 25))[0].verdict is Verdict.FAIL
    assert failed <= 3


@pytest.mark.parametrize("days", [7, 14, 28])
def test_the_next_day_exceeds_its_bound_once_in_two_thousand(days: int) -> None:
    rng = np.random.default_rng(days)
    logs = rng.normal(np.log(0.01), 0.5, (4000, days + 1))
    many = np.full(days, 1e9)
    exceeded = sum(float(np.exp(one[-1])) > day_bound(np.exp(one[:-1])[:, None], many)[0] for one in logs)
    assert exceeded <= 8


def test_where_little_was_counted_the_bound_is_that_of_the_counts() -> None:
    (bound,) = day_bound(np.full((7, 1), 0.5 / 101), np.full(7, 100.0))
    assert 0.01 < bound < 0.05
