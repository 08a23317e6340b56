"""How often the judge fails harmless deployments, and how soon it sees harm and passes without any.

Prints the table of docs/verification.md: `python tests/bench/judge_false_alarms.py [--rollouts N] [--seed S]`.

Every rollout is 60 minutes of 15-second batches at one split, judged after each batch. Requests are Poisson, errors
binomial, latency log-normal (sigma 0.5, median 20 ms). To judge 240 looks of thousands of rollouts quickly, the
evidence over all looks is bounded first (`log_evidence_path`); only a rollout whose bound reaches the level is then
judged look by look by the judge itself. Both give the same count: no single term is ever above the bound.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from statistics import median

import numpy as np
import numpy.typing as npt

from tidegate.judge.comparison import FALSE_ALARM_LEVEL, ComparisonJudge
from tidegate.judge.evidence import Floats, log_evidence_path
from tidegate.judge.judge import Case
from tidegate.judge.metric import Scope, metrics_of
from tidegate.judge.table import Column, Table
from tidegate.model.figures import Batch, Counters
from tidegate.model.pipeline import LatencyRule, VerifyRule
from tidegate.model.verdict import Verdict

BATCHES, SECONDS = 240, 15.0
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
EDGES = np.round(np.geomspace(1, 2000, 64), 3)
MEDIAN_MS, SIGMA = 20.0, 0.5
RULE = VerifyRule()


@dataclass(frozen=True, slots=True)
class World:
    """A kind of traffic and what the new version does to it."""

    per_minute: float
    share: float
    base: float
    moving: bool = False
    bursts: bool = False
    errors_times: float = 1.0
    latency_times: float = 1.0
    from_batch: int = 0

    def column(self, rng: np.random.Generator, *, new: bool, level: Floats) -> Column:
        """One side's figures; `level` multiplies the error rate of both sides."""
        share = self.share if new else 1 - self.share
        requests = rng.poisson(self.per_minute / 60 * SECONDS * share, BATCHES)
        harm = np.where(np.arange(BATCHES) >= self.from_batch, self.errors_times, 1.0) if new else 1.0
        rate = np.clip(self.base * level * harm, 0, 0.9)
        errors = self._bursty(rng, requests, rate) if self.bursts else rng.binomial(requests, rate)
        return Column(
            known=np.ones(BATCHES, dtype=np.bool_),
            requests=requests.astype(np.float64),
            errors=errors.astype(np.float64),
            latency=self._latency(rng, requests, level, self.latency_times if new else 1.0),
        )

    def _bursty(self, rng: np.random.Generator, requests: npt.NDArray[np.int_], rate: Floats) -> npt.NDArray[np.int_]:
        """Errors in clumps of five on average (a client that retries), at the same rate."""
        clumps = rng.poisson(requests * rate / 5)
        errors = clumps + rng.negative_binomial(np.maximum(clumps, 1), 1 / 5) * (clumps > 0)
        return np.asarray(np.minimum(requests, errors), dtype=np.int_)

    def _latency(self, rng: np.random.Generator, requests: npt.NDArray[np.int_], level: Floats, times: float) -> Floats:
        from scipy.special import ndtr

        slower = times * np.sqrt(level) if self.moving else np.full(BATCHES, times)
        below = ndtr(np.log(EDGES[None, :] / (MEDIAN_MS * slower[:, None])) / SIGMA)
        parts = np.diff(np.hstack([np.zeros((BATCHES, 1)), below, np.ones((BATCHES, 1))]), axis=1)
        return rng.multinomial(requests, parts).astype(np.float64)

    def rollout(self, rng: np.random.Generator) -> Table:
        """One rollout; where it moves, both sides move together, by a slow walk and an hour's wave."""
        level = np.ones(BATCHES)
        if self.moving:
            walk = np.cumsum(rng.normal(0, 0.1, BATCHES)) + np.sin(np.linspace(0, 6.3, BATCHES) + rng.uniform(0, 6.3))
            level = np.exp(walk - walk.mean())
        return Table(
            step=np.zeros(BATCHES, dtype=np.int_),
            seconds=np.full(BATCHES, SECONDS),
            edges=EDGES,
            canary=self.column(rng, new=True, level=level),
            baseline=self.column(rng, new=False, level=level),
        )


def batches_of(table: Table) -> list[Batch]:
    """The same rollout as the engine would hand it over."""

    def counters(column: Column, place: int) -> Counters:
        latency = tuple(int(count) for count in column.latency[place])
        return Counters(int(column.requests[place]), int(column.errors[place]), tuple(EDGES.tolist()), latency)

    return [
        Batch(
            BEGIN + timedelta(seconds=SECONDS * place),
            BEGIN + timedelta(seconds=SECONDS * (place + 1)),
            0,
            counters(table.canary, place),
            counters(table.baseline, place),
        )
        for place in range(BATCHES)
    ]


def may_fail(table: Table, rule: LatencyRule) -> bool:
    """Whether the bound of any metric's evidence reaches its part of the level at any look."""
    scope = Scope.of(table, 0, expects_baseline=True)
    for metric in metrics_of(table, scope, rule, None, FALSE_ALARM_LEVEL).metrics:
        question = metric.question
        assert not isinstance(question.other, float)
        both = question.canary.of + question.other.of
        chance = np.divide(question.canary.of, both, out=np.zeros_like(both), where=both > 0)
        path = log_evidence_path(question.canary.hits, question.canary.hits + question.other.hits, chance)
        if path.max() >= -np.log(question.level):
            return True
    return False


def first(batches: Sequence[Batch], wanted: Verdict) -> int | None:
    """After how many batches the judge says so for the first time."""
    judge = ComparisonJudge()
    for seen in range(1, len(batches) + 1):
        if judge.judge(Case(batches[:seen], 0, RULE)).verdict is wanted:
            return seen
    return None


def false_alarms(world: World, rollouts: int, rng: np.random.Generator) -> int:
    """How many of the rollouts the judge fails at any look."""
    tables = (world.rollout(rng) for _ in range(rollouts))
    return sum(may_fail(table, RULE.latency) and first(batches_of(table), Verdict.FAIL) is not None for table in tables)


def times_to(world: World, wanted: Verdict, rollouts: int, rng: np.random.Generator) -> list[float]:
    """Minutes from the harm's beginning to the verdict; infinite where it is not said within the hour."""
    found = (first(batches_of(world.rollout(rng)), wanted) for _ in range(rollouts))
    return [float("inf") if seen is None else (seen - world.from_batch) * SECONDS / 60 for seen in found]


HEALTHY = [
    World(per_minute, share, base, moving=moving)
    for per_minute in (20, 600, 60_000)
    for share in (0.05, 0.5)
    for base in (0.001, 0.01)
    for moving in (False, True)
]
BURSTY = [World(per_minute, share, 0.01, bursts=True) for per_minute in (20, 600, 60_000) for share in (0.05, 0.5)]
TIMED = [
    ("errors 0.1% → 5%, 600/min, 50%", World(600, 0.5, 0.001, errors_times=50), Verdict.FAIL),
    (
        "errors 0.1% → 5% from minute 10 on, 600/min, 50%",
        World(600, 0.5, 0.001, errors_times=50, from_batch=40),
        Verdict.FAIL,
    ),
    ("errors 0.1% → 5%, 600/min, 5%", World(600, 0.05, 0.001, errors_times=50), Verdict.FAIL),
    ("errors 1% → 2%, 600/min, 50%", World(600, 0.5, 0.01, errors_times=2), Verdict.FAIL),
    ("errors 0.1% → 0.5%, 600/min, 50%", World(600, 0.5, 0.001, errors_times=5), Verdict.FAIL),
    ("latency +20%, 600/min, 50%", World(600, 0.5, 0.001, latency_times=1.2), Verdict.FAIL),
    ("latency +100%, 600/min, 50%", World(600, 0.5, 0.001, latency_times=2), Verdict.FAIL),
    ("errors 0.1% → 5%, 20/min, 50%", World(20, 0.5, 0.001, errors_times=50), Verdict.FAIL),
    ("no harm, 600/min, 50%", World(600, 0.5, 0.001), Verdict.PASS),
    ("no harm, 600/min, 5%", World(600, 0.05, 0.001), Verdict.PASS),
    ("no harm, 20/min, 50%", World(20, 0.5, 0.001), Verdict.PASS),
]


def alarm_rows(worlds: Sequence[World], rollouts: int, rng: np.random.Generator) -> Iterator[str]:
    """Lines of the table of false alarms, and the sum of them."""
    total = 0
    for world in worlds:
        failed = false_alarms(world, rollouts, rng)
        total += failed
        traffic = "bursts" if world.bursts else "both sides move" if world.moving else "steady"
        yield f"| {world.per_minute:,} | {world.share:.0%} | {world.base:.1%} | {traffic} | {failed / rollouts:.1%} |"
    yield f"| all | | | | {total / rollouts / len(worlds):.2%} |"


def timed_rows(rollouts: int, rng: np.random.Generator) -> Iterator[str]:
    """Lines of the table of times."""
    for name, world, wanted in TIMED:
        times = times_to(world, wanted, rollouts, rng)
        middle = median(times)
        said = f"{middle:.2f} min" if np.isfinite(middle) else "not within the hour"
        within = sum(time_taken <= 30 for time_taken in times) / rollouts
        yield f"| {name} | {wanted.value} | {said} | {within:.0%} |"


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rollouts", type=int, default=1000, help="rollouts a row of false alarms")
    parser.add_argument("--timed", type=int, default=100, help="rollouts a row of times")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    began = time.monotonic()
    head = "| requests/min | share | base errors | traffic | failed within 60 min |\n| --- | --- | --- | --- | --- |"
    print(f"No harm, {options.rollouts:,} rollouts a row, seed {options.seed}\n\n{head}")
    print("\n".join(alarm_rows(HEALTHY, options.rollouts, rng)), flush=True)
    print(f"\nNo harm, but errors in clumps of five\n\n{head}")
    print("\n".join(alarm_rows(BURSTY, max(1, options.rollouts // 5), rng)), flush=True)
    print("\n| situation | verdict | median | within 30 min |\n| --- | --- | --- | --- |")
    print("\n".join(timed_rows(options.timed, rng)))
    print(f"\n{time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
