"""Many runs: random ones by their seeds, and stories with a crash at each point; counted, and failures told."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import Pool
from typing import TypeVar

import typer
from rich.progress import MofNCompleteColumn, Progress, TimeRemainingColumn

from tidegate.sim.broken import RuleBroken
from tidegate.sim.every_story import EVERY_STORY as STORIES
from tidegate.sim.random_run import Outcome, simulate
from tidegate.sim.telling import Telling, ToldOtherwise
from tidegate.sim.world import WorldStuck

COMMAND = "python -m tidegate.sim"
LINES = 20
"""In a pipe a line says about so often how far it is."""

Work = TypeVar("Work")
Done = TypeVar("Done")


@dataclass(slots=True)
class Counts:
    """What many random runs came to."""

    seeds: int = 0
    runs: int = 0
    crashes: int = 0
    endings: Counter[str] = field(default_factory=Counter)
    failed: list[int] = field(default_factory=list)

    def add(self, outcome: Outcome) -> None:
        """Count one of them."""
        self.seeds += 1
        self.runs += outcome.runs
        self.crashes += outcome.crashes
        self.endings.update(outcome.statuses)
        if outcome.failure:
            self.failed.append(outcome.seed)

    def __str__(self) -> str:
        endings = ", ".join(f"{count} {status}" for status, count in self.endings.most_common())
        failed = f"{len(self.failed)} failed" if self.failed else "all rules held"
        return f"{self.seeds} seeds, {self.runs} runs ({endings}), {self.crashes} crashes: {failed}"


def run_seeds(seeds: Sequence[int], jobs: int) -> bool:
    """Play the random runs of these seeds; whether all rules held in all of them."""
    counts = Counts()
    began = time.monotonic()
    for outcome in _each(simulate, seeds, jobs, len(seeds)):
        counts.add(outcome)
        if outcome.failure:
            typer.echo(f"seed {outcome.seed}: {outcome.failure}\nto replay it: {COMMAND} --seed {outcome.seed}\n")
    typer.echo(f"{counts}, in {time.monotonic() - began:.0f} s")
    return not counts.failed


@dataclass(frozen=True, slots=True)
class Retold:
    """A story that was told with a crash; `failure` says what was not as it should be."""

    story: str
    crash_at: int
    failure: str | None = None


def tell_all_stories(jobs: int) -> bool:
    """Tell every story without a crash and with one at each point; whether all ended alike."""
    began = time.monotonic()
    tellings = [Telling.of(story) for story in STORIES]
    work = [(telling, point) for telling in tellings for point in range(1, telling.points + 1)]
    failed = 0
    for retold in _each(tell_again, work, jobs, len(work)):
        if retold.failure:
            failed += 1
            again = f"{COMMAND} --story '{retold.story}' --crash-at {retold.crash_at}"
            typer.echo(f"{retold.story}, with a crash at {retold.crash_at}: {retold.failure}\nto replay it: {again}\n")
    for telling in tellings:
        typer.echo(f"{telling.story.name}: {telling.points} crash points")
    said = f"{failed} failed" if failed else "all ended alike"
    typer.echo(f"{len(STORIES)} stories, {len(work)} crash points: {said}, in {time.monotonic() - began:.0f} s")
    return not failed


def tell_again(work: tuple[Telling, int]) -> Retold:
    """Tell one story with one crash."""
    telling, crash_at = work
    try:
        telling.tell_again(crash_at)
    except (ToldOtherwise, RuleBroken, WorldStuck) as error:
        return Retold(telling.story.name, crash_at, str(error))
    return Retold(telling.story.name, crash_at)


def _each(do: Callable[[Work], Done], work: Iterable[Work], jobs: int, total: int) -> Iterator[Done]:
    """Do all of the work in so many processes, and show how far it is."""
    with _progress(total) as step:
        if jobs == 1:
            for one in work:
                yield do(one)
                step()
            return
        with Pool(jobs) as pool:
            for done in pool.imap_unordered(do, work, chunksize=4):
                yield done
                step()


@contextmanager
def _progress(total: int) -> Iterator[Callable[[], None]]:
    """A bar on a terminal; in a pipe a line now and then."""
    if sys.stdout.isatty():
        with Progress(*Progress.get_default_columns()[:-1], MofNCompleteColumn(), TimeRemainingColumn()) as progress:
            task = progress.add_task("simulated", total=total)
            yield lambda: progress.advance(task)
        return
    done = 0

    def step() -> None:
        nonlocal done
        done += 1
        if done % max(1, total // LINES) == 0:
            typer.echo(f"{done} of {total}")

    yield step
