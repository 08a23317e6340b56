"""Usage: which share of requests used a feature, and what is known of that."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from tests.unit.model.builders import rollout_at

from tidegate.model.ids import PlacementId, RolloutId
from tidegate.model.metric import (
    BEFORE_FIRST_STEP,
    Counted,
    Figures,
    MetricReading,
    MetricRule,
    MetricSeries,
    SourceName,
)
from tidegate.model.rollout import Rollout, RolloutState
from tidegate.model.usage import interval, is_new_feature, last_seen, usage_of
from tidegate.model.verdict import Judgement, MetricFinding, Verdict

BEGIN = datetime(2026, 3, 2, 12, tzinfo=UTC)
WISHES = MetricRule("wish list", SourceName.COMMAND, usage=True, tolerance=0.2)
Sides = tuple[Figures | None, Figures | None]


def series(*sides: Sides, before: Figures | None = None, rule: MetricRule = WISHES) -> MetricSeries:
    def reading(step: int, canary: Figures | None, baseline: Figures | None) -> MetricReading:
        return MetricReading(RolloutId("r"), rule.name, BEGIN, BEGIN + timedelta(minutes=1), step, canary, baseline)

    return MetricSeries(rule, tuple(reading(0, *one) for one in sides), reading(BEFORE_FIRST_STEP, None, before))


@pytest.mark.parametrize(
    ("hits", "trials", "low", "high"),
    # by scipy.stats.binomtest(hits, trials).proportion_ci(method="wilson")
    [(0, 20, 0.0, 0.161125), (1, 10, 0.017876, 0.404150), (51, 1200, 0.032471, 0.055448), (20, 20, 0.838875, 1.0)],
)
def test_the_interval_is_wilsons(hits: int, trials: int, low: float, high: float) -> None:
    assert interval(hits, trials) == pytest.approx((low, high), abs=1e-6)


@pytest.mark.parametrize("share", [0.02, 0.2, 0.5])
def test_the_real_share_lies_in_the_interval_in_nineteen_of_twenty_cases(share: float) -> None:
    rng = random.Random(1)
    tries = 400
    found = [interval(sum(rng.random() < share for _ in range(150)), 150) for _ in range(tries)]
    assert sum(low <= share <= high for low, high in found) / tries == pytest.approx(0.95, abs=0.03)


def test_all_windows_of_a_rollout_count() -> None:
    usage = usage_of(series((Counted(3, 100), Counted(8, 100)), (None, None), (Counted(9, 200), None)))
    assert usage is not None
    assert (usage.used, usage.requests, usage.share, usage.before) == (12, 300, 0.04, 0.08)
    assert usage.low < 0.04 < usage.high


@pytest.mark.parametrize(
    ("sides", "before", "is_new"),
    [
        ((Counted(3, 100), None), None, True),
        ((Counted(3, 100), Counted(0, 100)), Counted(0), True),
        ((Counted(3, 100), None), Counted(0, 50), True),
        ((Counted(3, 100), Counted(1, 100)), Counted(0), False),
        ((Counted(3, 100), None), Counted(4), False),
        ((Counted(3, 100), None), Counted(4, 50), False),
    ],
    ids=["no figures", "zeros", "zeros before", "used beside", "used before, of unknown requests", "used before"],
)
def test_a_feature_is_new_where_the_old_deployment_was_never_seen_to_have_it(
    sides: Sides, before: Figures | None, is_new: bool
) -> None:
    assert is_new_feature(series(sides, before=before)) is is_new


def test_a_metric_that_counts_no_usage_has_none() -> None:
    plain = MetricRule("orders", SourceName.COMMAND)
    assert usage_of(series((Counted(3, 100), None), rule=plain)) is None
    assert usage_of(series((None, Counted(3, 100)))) is None
    assert not is_new_feature(series((Counted(3, 100), None), rule=plain))


def test_of_each_environment_the_newest_rollout_that_counted_usage_is_told() -> None:
    use, errors = (
        MetricFinding("wishes (usage)", 4.0, None, 1.0, "%", Verdict.UNDECIDED, 3.0, 5.0),
        MetricFinding("errors", 0.1, 0.1, 0.6, "%", Verdict.PASS),
    )

    def came(*told: MetricFinding, place: str = "shop/production", drill: bool = False) -> Rollout:
        judgement = Judgement(Verdict.PASS, "fine", metrics=told)
        return replace(
            rollout_at(RolloutState.SUCCEEDED), placement=PlacementId(place), judgement=judgement, drill=drill
        )

    older = replace(use, canary=9.0)
    seen = last_seen([came(errors), came(older, drill=True), came(errors, use), came(older)])
    assert seen == {"production": (use,)}
    assert last_seen([came(use), came(older, place="shop/staging")]) == {"production": (use,), "staging": (older,)}
    assert last_seen([]) == {}
