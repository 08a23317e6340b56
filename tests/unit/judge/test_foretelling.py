"""What is foretold of a rollout is what the judge then does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidegate.config.tidegate_yaml import load
from tidegate.judge.comparison import ComparisonJudge
from tidegate.judge.foretelling import Outlook, Step, Traffic, outlook
from tidegate.judge.judge import Case
from tidegate.judge.outlook_wording import foretold
from tidegate.judge.sequential import judge_sequentially
from tidegate.model.figures import Batch, Counters
from tidegate.model.pipeline import LatencyRule, VerifyRule
from tidegate.model.recording import MetricKind, RateSide, RecordedBatch, RecordedMetric, Recording, Tolerance
from tidegate.model.verdict import Verdict

BATCH = 15.0
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ERRORS_ONLY = VerifyRule(latency=LatencyRule(quantiles=()))
FILE = """\
service: shop
build: {{steps: [{{name: package, run: make, artifacts: {{shop: "*.txt"}}}}]}}
runtime: {{artifact: shop, command: ./shop}}
stages:
  - name: production
    environment: production
    deploy: {{strategy: {strategy}}}
    verify: {{at_most: 30m{more}}}
"""
CANARY = "canary, shares: [5%, 50%]"


def one(traffic: Traffic, share: float, minutes: float) -> Outlook:
    (found,) = outlook(traffic, [Step(share, minutes * 60)])
    return found


def failed(traffic: Traffic, share: float, minutes: int, error_rate: float, rollouts: int = 24) -> float:
    """The part of rollouts with that error rate that the judge fails in that time."""
    random = np.random.default_rng(7)
    batches = int(minutes * 60 / BATCH)

    def side(per_minute: float, rate: float) -> list[RateSide]:
        requests = random.poisson(per_minute * BATCH / 60, batches)
        return [RateSide(int(n), int(x)) for n, x in zip(requests, random.binomial(requests, rate), strict=True)]

    recordings = []
    for _ in range(rollouts):
        canary = side(traffic.per_minute * share, error_rate)
        baseline = side(traffic.per_minute * (1 - share), traffic.error_rate)
        sides = tuple(RecordedBatch(*pair) for pair in zip(canary, baseline, strict=True))
        errors = RecordedMetric("errors", MetricKind.RATE, sides, tolerance=Tolerance(1.0, 0.0002), gate=1.25)
        recordings.append(Recording((errors,), alpha=0.01 * 0.4, batch_seconds=BATCH))
    verdicts = [answer.verdict for answer in judge_sequentially(recordings)]
    return verdicts.count(Verdict.FAIL) / rollouts


@pytest.mark.parametrize(
    ("traffic", "share", "minutes"),
    [(Traffic(600, 0.001), 0.5, 30), (Traffic(600, 0.01), 0.05, 20), (Traffic(20, 0.01), 0.5, 60)],
)
def test_about_half_of_the_rollouts_with_the_harm_that_is_foretold_are_failed_in_that_time(
    traffic: Traffic, share: float, minutes: int
) -> None:
    seen = one(traffic, share, minutes).seen
    assert seen is not None
    assert failed(traffic, share, minutes, min(seen * 1.5, 1.0)) > 0.5
    assert failed(traffic, share, minutes, traffic.error_rate + (seen - traffic.error_rate) / 2) < 0.5


def seconds_until_a_step_passes(traffic: Traffic, share: float, minutes: int) -> float | None:
    """When the judge of live rollouts lets a step pass in which both sides fail exactly as many as ever."""
    judge, batches = ComparisonJudge(), []
    canary, rest = (round(traffic.per_minute * part * BATCH / 60) for part in (share, 1 - share))
    for number in range(int(minutes * 60 / BATCH)):
        begin = NOON + timedelta(seconds=BATCH * number)
        counters = [Counters(n, round(n * traffic.error_rate)) for n in (canary, rest)]
        batches.append(Batch(begin, begin + timedelta(seconds=BATCH), 0, *counters))
        if judge.judge(Case(batches, 0, ERRORS_ONLY)).verdict is Verdict.PASS:
            return BATCH * (number + 1)
    return None


@pytest.mark.parametrize(
    ("traffic", "share"),
    [(Traffic(600, 0), 0.5), (Traffic(2400, 0), 0.2), (Traffic(32, 0), 0.5), (Traffic(24_000, 0.01), 0.2)],
)
def test_a_harmless_step_passes_when_it_is_foretold(traffic: Traffic, share: float) -> None:
    assert one(traffic, share, 30).passes_after == seconds_until_a_step_passes(traffic, share, 30)


@settings(max_examples=10, deadline=None)
@given(st.floats(2, 3000), st.floats(0.0005, 0.05), st.sampled_from([0.01, 0.05, 0.25, 0.5]))
def test_more_traffic_shows_no_less(per_minute: float, error_rate: float, share: float) -> None:
    some = one(Traffic(per_minute, error_rate), share, 10)
    more = one(Traffic(per_minute * 4, error_rate), share, 10)
    assert more.seen is not None or some.seen is None
    assert some.seen is None or more.seen is None or more.seen <= some.seen
    assert some.passes_after is None or (more.passes_after or 0) <= some.passes_after


def test_without_traffic_or_without_a_baseline_nothing_can_be_shown() -> None:
    assert one(Traffic(0, 0.001), 0.5, 30).seen is None
    assert one(Traffic(600, 0.001), 1.0, 30) == Outlook(Step(1.0, 1800), 600, None, None)


def told(traffic: Traffic, strategy: str = CANARY, more: str = "") -> list[str]:
    pipeline = load(FILE.format(strategy=strategy, more=more), "tidegate.yaml")
    return list(foretold(pipeline, {"production": traffic}))


def test_little_traffic_is_said_with_what_helps() -> None:
    shows, helps = told(Traffic(20, 0.001))
    assert shows.startswith("production: at 20 requests a minute of which 0.1% fail, 5% shows within 30m when ")
    assert "and cannot pass in that time" in shows
    assert helps.startswith("production: what would show more: larger shares (50%), more time (at_most), synthetic")
    assert told(Traffic(0.5, 0.001))[0].endswith("50% shows no harm at all within 30m")
    assert "synthetic" not in told(Traffic(20, 0.001), more=", traffic: {path: /, rate: 1/s}")[1]
    assert "objective" not in told(Traffic(20, 0.001), more=", objective: {availability: 99%}")[1]


def test_much_traffic_needs_no_help_and_what_has_no_baseline_is_not_foretold() -> None:
    (shows,) = told(Traffic(6000, 0.001))
    assert "at the soonest" in shows
    assert told(Traffic(6000, 0.001), "rolling") == []
    assert list(foretold(load(FILE.format(strategy=CANARY, more=""), "tidegate.yaml"), {})) == []
