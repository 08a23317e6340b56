"""A small sample of the tables in docs/verification.md: harm is seen in time, and nobody cries wolf."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from tests.bench.judge_traffic import SECONDS, Errors, Moves, World, recordings, serve

from tidegate.judge.sequential import judge_sequentially
from tidegate.model.recording import RecordedAnswer, Recording
from tidegate.model.verdict import Verdict

HALF_AN_HOUR = 120


def errors_only(some: Sequence[Recording]) -> list[Recording]:
    return [replace(one, metrics=one.metrics[:1]) for one in some]


def made(world: World, rollouts: int, *, history: bool = False, seed: int = 3) -> list[Recording]:
    """Errors alone, which is where bursts are; other metrics are in the cases that are about them."""
    rng = np.random.default_rng(seed)
    sides = serve(world, rollouts, rng)
    return errors_only(recordings(sides, serve(world.harmless, rollouts, rng) if history else None))


def judged(world: World, rollouts: int) -> list[RecordedAnswer]:
    return judge_sequentially(made(world, rollouts))


def minutes(answers: Sequence[RecordedAnswer], since: int = 0) -> list[float]:
    return [float("inf") if one.failed_at is None else (one.failed_at + 1 - since) * SECONDS / 60 for one in answers]


@pytest.mark.parametrize(
    ("world", "median", "within", "part"),
    [
        (World(times=50, batches=40), 2, 10, 1.0),
        (World(base=0.01, times=2, batches=HALF_AN_HOUR), 30, 30, 0.9),
        (World(times=5, batches=HALF_AN_HOUR), 30, 30, 0.8),
        (World(leak=0.03, start=40, batches=160), 30, 30, 0.9),
        (World(times=3, moves=Moves.INCIDENT, batches=HALF_AN_HOUR), 15, 30, 0.9),
        (World(base=0.01, times=5, errors=Errors.CLUMPS, batches=HALF_AN_HOUR), 15, 30, 0.9),
    ],
)
def test_harm_is_seen_in_time(world: World, median: float, within: float, part: float) -> None:
    times = minutes(judged(world, 40), world.start)
    assert np.median(times) <= median
    assert sum(one <= within for one in times) >= part * len(times)


@pytest.mark.parametrize(("slower", "median"), [(1.2, 10), (2.0, 1)])
def test_a_slower_version_is_seen_in_time(slower: float, median: float) -> None:
    answers = judge_sequentially(recordings(serve(World(slower=slower, batches=60), 16, np.random.default_rng(5))))
    assert np.median(minutes(answers)) <= median
    assert {one.blamed for one in answers} == {"latency"}


@pytest.mark.parametrize("history", [False, True])
def test_harmless_rollouts_are_not_failed_with_bursts_and_without(history: bool) -> None:
    some = [
        one
        for errors in (Errors.ALONE, Errors.CLUMPS, Errors.GEOMETRIC)
        for per_minute, share in ((20, 0.5), (600, 0.05), (600, 0.5), (60_000, 0.5))
        for one in made(World(per_minute, share, 0.01, errors, batches=HALF_AN_HOUR), 20, history=history)
    ]
    failed = [one.reason for one in judge_sequentially(some) if one.verdict is Verdict.FAIL]
    assert len(failed) <= 0.02 * len(some)


@pytest.mark.parametrize(("per_minute", "share", "base"), [(600, 0.5, 0.01), (600, 0.05, 0.01), (60_000, 0.05, 0.001)])
def test_clients_that_retry_for_minutes_fail_few_rollouts_without_history(
    per_minute: float, share: float, base: float
) -> None:
    some = made(World(per_minute, share, base, Errors.RETRYING), 150, seed=21)
    # of a level of 1% this is the part that errors have beside other metrics
    answers = judge_sequentially([replace(one, alpha=0.004) for one in some])
    assert sum(one.verdict is Verdict.FAIL for one in answers) <= 0.02 * len(some)


def test_healthy_rollouts_pass_in_minutes() -> None:
    some = recordings(serve(World(batches=60), 12, np.random.default_rng(6)))
    answers = judge_sequentially([replace(one, metrics=one.metrics[:2]) for one in some])
    passed = [float("inf") if one.passed_at is None else (one.passed_at + 1) * SECONDS / 60 for one in answers]
    assert np.median(passed) <= 10


def test_little_traffic_is_undecided_and_says_how_long_it_would_take() -> None:
    answers = judged(World(20, batches=240), 20)
    assert {one.verdict for one in answers} == {Verdict.UNDECIDED}
    assert all("at this traffic" in one.reason for one in answers)
