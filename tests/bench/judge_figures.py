"""How often the judge fails harmless rollouts, and how soon it sees harm and passes without any; beside other methods.

Prints the tables of docs/verification.md, and with `--write` puts them and the plot there:
`python tests/bench/judge_figures.py [--rollouts N] [--beside N] [--seed S] [--only PART] [--write]`.

Every rollout is an hour of 15-second batches with errors, latency and orders, judged after each batch at a level of 1%
over all three. The other methods judge the same data, one figure a minute: Kayenta's Mann–Whitney test (confidence 98%,
tolerance 25%) after every minute and once at the end, and a fixed limit (errors above 2%, the 95th percentile above
70 ms, orders below 4%) of which one or three minutes may be beyond.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import repeat
from math import inf
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.bench.judge_plot import plot
from tests.bench.judge_traffic import (
    BATCHES,
    SECONDS,
    Errors,
    Moves,
    World,
    error_metrics,
    recordings,
    serve,
    serve_alike,
)

from tidegate.judge.mann_whitney.recorded import judge_as_kayenta
from tidegate.judge.proportions import ERROR_HARMS, Rows, Rules
from tidegate.judge.sequential import decide, judge_sequentially, track_all
from tidegate.judge.threshold import judge_by_threshold
from tidegate.judge.tracks import Track
from tidegate.judge.two_proportions import Counts, Line
from tidegate.model.mann_whitney import ComparisonRule, Direction, MannWhitneyRule
from tidegate.model.recording import Method, RecordedAnswer, RecordedMetric, Recording
from tidegate.model.threshold import Limit, ThresholdRule
from tidegate.model.verdict import Verdict

DOCS = Path(__file__).parents[2] / "docs"
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"
MINUTE = round(60 / SECONDS)
PROCESSES = 2
"""Rows are independent of each other, each with a seed of its own."""

_RULES = {
    "errors": (ComparisonRule(direction=Direction.INCREASE, critical=True), Limit(0.02)),
    "latency": (ComparisonRule(direction=Direction.INCREASE, critical=True, quantile=0.95), Limit(70.0)),
    "orders": (ComparisonRule(direction=Direction.DECREASE, critical=True), Limit(0.04)),
}


@dataclass(frozen=True, slots=True)
class Way:
    """A way to judge; `name` is its column."""

    name: str
    judge: Callable[[Sequence[Recording]], Sequence[RecordedAnswer]]


def _with_rules(one: RecordedMetric, failures: int) -> RecordedMetric:
    comparison, limit = _RULES[one.name]
    quantile = 0.95 if one.edges else None
    threshold = ThresholdRule(limit, failure_limit=failures, minimum_requests=1, quantile=quantile)
    return replace(one, mann_whitney=comparison, threshold=threshold)


def kayenta(every: int | None) -> Callable[[Sequence[Recording]], Sequence[RecordedAnswer]]:
    """Kayenta's judge, after every so many batches, or once at the end."""

    def judge(some: Sequence[Recording]) -> Sequence[RecordedAnswer]:
        rule = MannWhitneyRule(every=every)
        return [
            judge_as_kayenta(
                Recording(
                    tuple(_with_rules(metric, 0) for metric in one.metrics),
                    Method.MANN_WHITNEY,
                    interval=MINUTE,
                    mann_whitney=rule,
                )
            )
            for one in some
        ]

    return judge


def threshold(failures: int) -> Callable[[Sequence[Recording]], Sequence[RecordedAnswer]]:
    """A fixed limit of which so many minutes may be beyond."""

    def judge(some: Sequence[Recording]) -> Sequence[RecordedAnswer]:
        return [
            judge_by_threshold(
                Recording(
                    tuple(_with_rules(metric, failures) for metric in one.metrics), Method.THRESHOLD, interval=MINUTE
                )
            )
            for one in some
        ]

    return judge


SEQUENTIAL = Way("sequential", judge_sequentially)
OTHERS = (
    Way("Mann–Whitney, every minute", kayenta(MINUTE)),
    Way("once at the end", kayenta(None)),
    Way("limit, 1 may fail", threshold(1)),
    Way("3 may fail", threshold(3)),
)


@dataclass(frozen=True, slots=True)
class Situation:
    """A row of the table of harm: what it is called, its traffic, what is asked, and the bar."""

    name: str
    world: World
    within: float
    bar: str
    since: int | None = None
    """The batch from which time counts, where not from the beginning of the harm."""

    history: bool = False


HARMLESS = [
    World(per_minute, share, base, errors, moves)
    for errors, moves in (
        (Errors.ALONE, Moves.STEADY),
        (Errors.ALONE, Moves.MOVING),
        (Errors.ALONE, Moves.INCIDENT),
        (Errors.CLUMPS, Moves.STEADY),
        (Errors.GEOMETRIC, Moves.STEADY),
        (Errors.RETRYING, Moves.STEADY),
    )
    for per_minute in (20, 600, 60_000)
    for share in (0.05, 0.5)
    for base in (0.001, 0.01)
]

HARMFUL = [
    Situation("errors 0.1% → 5%", World(times=50), 10, "median ≤ 2 min, all within 10"),
    Situation("errors 1% → 2%", World(base=0.01, times=2), 30, "≥ 90% within 30 min"),
    Situation("errors 0.1% → 0.5%", World(times=5), 30, "≥ 80% within 30 min"),
    Situation("errors leak to 3% from minute 10 on", World(leak=0.03, start=40), 30, "≥ 90% within 30 min"),
    Situation("latency +20%", World(slower=1.2), 30, "median ≤ 10 min"),
    Situation("latency +100%", World(slower=2.0), 10, "median ≤ 1 min"),
    Situation(
        "×3 errors in a common ×20 incident",
        World(times=3, moves=Moves.INCIDENT),
        30,
        "median ≤ 5 min after it begins",
        since=40,
    ),
    Situation("errors 0.1% → 5% from minute 10 on", World(times=50, start=40), 10, ""),
    Situation("errors 0.1% → 5%, 5% split", World(times=50, share=0.05), 30, ""),
    Situation("errors 1% → 2%, 5% split", World(base=0.01, times=2, share=0.05), 60, ""),
    Situation("latency +20%, 5% split", World(slower=1.2, share=0.05), 30, ""),
    Situation("orders −20%", World(orders=0.8), 60, ""),
    Situation("errors 1% → 5% in clumps of 5", World(base=0.01, times=5, errors=Errors.CLUMPS), 30, ""),
    Situation("the same, with history", World(base=0.01, times=5, errors=Errors.CLUMPS), 30, "", history=True),
    Situation("errors 0.1% → 5%, 20/min", World(20, times=50), 60, ""),
]


def false_alarms(rollouts: int, beside: int, seed: int, *, history: bool) -> Iterator[str]:
    """Lines of the table of harmless rollouts."""
    ways = () if history else OTHERS
    yield f"| requests/min | split | errors | traffic | sequential | {' | '.join(one.name for one in ways)} |".replace(
        "|  |", "|"
    )
    yield "| --- " * (5 + len(ways)) + "|"
    worlds = [one for one in HARMLESS if one.errors is not Errors.ALONE] if history else HARMLESS
    groups: dict[object, list[World]] = {}
    for one in worlds:
        groups.setdefault((one.per_minute, one.share, one.moves is Moves.MOVING), []).append(one)
    judge = partial(_harmless_group, rollouts=rollouts, beside=beside, seed=seed, history=history)
    found: dict[World, tuple[float, str]] = {}
    with ProcessPoolExecutor(PROCESSES) as pool:
        for group, rows in zip(groups.values(), pool.map(judge, enumerate(groups.values())), strict=True):
            found.update(zip(group, rows, strict=True))
            print(f"{len(found)} of {len(worlds)}", file=sys.stderr, flush=True)
    yield from (found[one][1] for one in worlds)
    total = sum(failed for failed, _ in found.values())
    yield f"| all | | | | **{total / len(worlds):.2%}** |{' |' * len(ways)}"


def _harmless_group(
    numbered: tuple[int, list[World]], *, rollouts: int, beside: int, seed: int, history: bool
) -> list[tuple[float, str]]:
    """How many fail, and the row, of each of some worlds that differ in their errors only. Latency and orders are drawn
    and tracked once for all of them, which takes three quarters of the time."""
    number, worlds = numbered
    rng = np.random.default_rng((seed, number, history))
    now = serve_alike(worlds, rollouts, rng)
    past = serve_alike([one.harmless for one in worlds], rollouts, rng) if history else repeat(None)
    some: list[Recording] = []
    others: list[Track] = []
    rows = []
    for world, sides, before in zip(worlds, now, past, strict=False):
        if not some:
            some = recordings(sides, before)
            others = _tracks([metric for one in some for metric in one.metrics[1:]])
        errors = error_metrics(sides, before)
        some = [replace(one, metrics=(mine, *one.metrics[1:])) for one, mine in zip(some, errors, strict=True)]
        of_errors = _tracks(errors)
        answers = [
            decide(one, [of_errors[place], *others[2 * place : 2 * place + 2]]) for place, one in enumerate(some)
        ]
        rows.append(_harmless_row(world, _failed(answers), some[:beside], () if history else OTHERS))
    return rows


def _tracks(metrics: Sequence[RecordedMetric]) -> list[Track]:
    return [
        track for begin in range(0, len(metrics), 1000) for track in track_all(metrics[begin : begin + 1000], SECONDS)
    ]


def _harmless_row(world: World, failed: float, beside: Sequence[Recording], ways: Sequence[Way]) -> tuple[float, str]:
    how = world.moves.value if world.errors is Errors.ALONE else world.errors.value
    others = [f"{_failed(one.judge(beside)):.1%}" if _is_for_all(world) else "" for one in ways]
    cells = " | ".join([f"{failed:.1%}", *others])
    return failed, f"| {world.per_minute:,g} | {world.share:.0%} | {world.base:.1%} | {how} | {cells} |"


def _is_for_all(world: World) -> bool:
    """Whether the other methods, which are slow, judge it too."""
    return world.moves is Moves.STEADY and world.errors in (Errors.ALONE, Errors.CLUMPS) and world.base == 0.01


def harms(rollouts: int, beside: int, seed: int) -> Iterator[str]:
    """Lines of the table of harmful rollouts: median minutes, how many within the time, requests harmed until then."""
    ways = (SEQUENTIAL, *OTHERS)
    yield f"| situation (600/min, 50/50 where nothing else is said) | bar | {' | '.join(one.name for one in ways)} |"
    yield "| --- " * (2 + len(ways)) + "|"
    with ProcessPoolExecutor(PROCESSES) as pool:
        yield from pool.map(partial(_harm_row, rollouts=rollouts, beside=beside, seed=seed), enumerate(HARMFUL))


def _harm_row(numbered: tuple[int, Situation], *, rollouts: int, beside: int, seed: int) -> str:
    number, one = numbered
    rng = np.random.default_rng((seed, 1000 + number))
    sides = serve(one.world, rollouts, rng)
    some = recordings(sides, serve(one.world.harmless, rollouts, rng) if one.history else None)
    since = one.world.start if one.since is None else one.since
    cells = []
    for way in (SEQUENTIAL, *OTHERS):
        of = some if way is SEQUENTIAL else some[:beside]
        ends = [inf if answer.failed_at is None else answer.failed_at + 1 for answer in way.judge(of)]
        cells.append(_times(ends, since, one.within, sides[0].requests))
    return f"| {one.name} | {one.bar} | {' | '.join(cells)} |"


def passes(rollouts: int, seed: int) -> Iterator[str]:
    """Lines of the table of passing."""
    yield "| healthy | passed within 60 min | median | undecided | failed |\n| --- | --- | --- | --- | --- |"
    for number, world in enumerate(
        [World(600, 0.5), World(600, 0.5, 0.01), World(600, 0.05), World(60_000, 0.05), World(20, 0.5), World(20, 0.05)]
    ):
        rng = np.random.default_rng((seed, 2000 + number))
        some = [replace(one, metrics=one.metrics[:2]) for one in recordings(serve(world, rollouts, rng))]
        answers = judge_sequentially(some)
        ends = [inf if one.passed_at is None else one.passed_at + 1 for one in answers]
        middle = float(np.median(ends)) * SECONDS / 60
        name = f"errors {world.base:.1%} and latency, {world.per_minute:,g}/min, {world.share:.0%} split"
        said = [sum(one.verdict is verdict for one in answers) / rollouts for verdict in Verdict]
        when = f"{middle:.2f} min" if np.isfinite(middle) else "–"
        yield f"| {name} | {said[0]:.0%} | {when} | {said[2]:.1%} | {said[1]:.1%} |"


def cost() -> str:
    """What it costs to judge 50 metrics of 1,000 rollouts at once, of a core at 15-second batches."""
    count, rng = 50_000, np.random.default_rng(1)
    one = np.ones(count)
    rules = Rules(Line(one, one * 0.0002), Line(one * 2, one * 0.004))
    rows = Rows.new(count, ERROR_HARMS, 60.0, 4)
    seconds = []
    for _ in range(8):
        n, m = rng.poisson(75, count), rng.poisson(75, count)
        counts = Counts(*(np.array(one, float) for one in (n, rng.binomial(n, 0.001), m, rng.binomial(m, 0.001))))
        began = time.process_time()
        rows = rows.after(counts, rules)
        rows.harm.log_total(), rows.log_safety()
        seconds.append(time.process_time() - began)
    middle = float(np.median(seconds))
    return f"50 metrics of 1,000 rollouts: {middle:.2f} s a batch, {middle / SECONDS:.1%} of a core"


def _failed(answers: Sequence[RecordedAnswer]) -> float:
    return sum(one.verdict is Verdict.FAIL for one in answers) / max(1, len(answers))


def _times(ends: Sequence[float], since: int, within: float, requests: np.ndarray) -> str:
    early = sum(one <= since for one in ends) / len(ends)
    minutes = [(one - since) * SECONDS / 60 for one in ends if one > since]
    if not minutes:
        return "all before the harm"
    middle = float(np.median(minutes))
    share = sum(one <= within for one in minutes) / len(minutes)
    harmed = np.median(
        [requests[place, since : int(min(one, BATCHES))].sum() for place, one in enumerate(ends) if one > since]
    )
    when = f"{middle:.2f} min" if np.isfinite(middle) else "never"
    before = f", {early:.0%} before it began" if early else ""
    return f"{when}, {share:.0%} within {within:g} min, {harmed:,.0f} requests{before}"


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rollouts", type=int, default=1000, help="rollouts a cell")
    parser.add_argument("--beside", type=int, default=100, help="of them also judged by the other methods")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=["alarms", "history", "harms", "passes", "cost"])
    parser.add_argument("--write", action="store_true", help="put tables and plot into docs/")
    options = parser.parse_args()
    parts: dict[str, Callable[[], Iterator[str]]] = {
        "harms": lambda: harms(options.rollouts, options.beside, options.seed),
        "passes": lambda: passes(options.rollouts, options.seed),
        "alarms": lambda: false_alarms(options.rollouts, options.beside, options.seed, history=False),
        "history": lambda: false_alarms(options.rollouts, 0, options.seed, history=True),
        "cost": lambda: iter([cost()]),
    }
    said = []
    for name in [options.only] if options.only else parts:
        print(f"\n### {_TITLES[name].format(n=options.rollouts, beside=options.beside)}\n", flush=True)
        lines = []
        for line in parts[name]():
            print(line, flush=True)
            lines.append(line)
        said.append(f"### {_TITLES[name].format(n=options.rollouts, beside=options.beside)}\n\n" + "\n".join(lines))
    if options.write and not options.only:
        write("\n\n".join(said))


_TITLES = {
    "harms": "Harm: the median time until it fails, and requests to the new version until then ({n:,} rollouts a row, "
    "{beside:,} of them by the other methods)",
    "passes": "No harm: until it passes ({n:,} rollouts a row)",
    "alarms": "No harm: failed within 60 minutes ({n:,} rollouts a row, {beside:,} of them by the other methods)",
    "history": "The same with an hour of history ({n:,} rollouts a row)",
    "cost": "Cost",
}


def write(tables: str) -> None:
    """Put the tables between the marks of docs/verification.md, and the plot beside its other pictures."""
    page = DOCS / "verification.md"
    before, _, rest = page.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n\n{tables}\n\n{END}{after}")
    ways = (SEQUENTIAL, *OTHERS)
    some = recordings(serve(World(base=0.01, times=2), 200, np.random.default_rng(7)))
    healthy = recordings(serve(World(base=0.01), 200, np.random.default_rng(8)))
    curves = [(way.name, _curve(way, some), _curve(way, healthy)) for way in ways]
    (DOCS / "images" / "verification.svg").write_text(plot(curves, BATCHES * SECONDS / 60))


def _curve(way: Way, some: Sequence[Recording]) -> list[float]:
    """The share of rollouts that were failed by the end of each minute."""
    ends = [answer.failed_at for answer in way.judge(some)]
    return [
        sum(one is not None and (one + 1) * SECONDS / 60 <= minute for one in ends) / len(ends)
        for minute in range(round(BATCHES * SECONDS / 60) + 1)
    ]


if __name__ == "__main__":
    main()
