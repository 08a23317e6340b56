"""Tests that failed the last time are run first, by the step's `failed_first`: who broke them learns it in seconds."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from tidegate.agent.collect import read_reports_of_failed
from tidegate.agent.confined import ConfinedFolder, Escape
from tidegate.agent.endings import AttemptEnded, exit_in_words
from tidegate.agent.place import Place
from tidegate.model.lease import Mount
from tidegate.model.pipeline import Step

VARIABLE = "TIDEGATE_FAILED_TESTS"
"""Where the step finds the file with the names, one a line."""

_ONE_FAILED_AGAIN = "a test that failed the last time fails again"


class FailedAgain(AttemptEnded):
    """Tests that had failed fail again: `run` is not run."""


@dataclass(frozen=True, slots=True)
class FailedFirst:
    """What a step runs first, with these tests."""

    step: Step
    tests: tuple[str, ...]

    @property
    def script(self) -> str | None:
        """What is to be run, None where nothing is: no test failed the last time."""
        return self.step.failed_first if self.tests else None

    @property
    def heading(self) -> str:
        """How its part of the log begins."""
        count = len(self.tests)
        return f"failed first: {count} test{'s' * (count > 1)} that failed the last time"

    def place(self, place: Place, file: Path) -> Place:
        """The place, where the names are found in that file as well."""
        file.write_text(names_in_file(self.tests))
        file.chmod(0o644)
        mounts = (*place.mounts, Mount(str(file), writable=False)) if place.image else place.mounts
        return replace(place, env={**place.env, VARIABLE: str(file)}, mounts=mounts)

    def failing(self, exit_code: int | None, confined: ConfinedFolder) -> int:
        """How many tests failed again; 0 where `run` follows.

        A command that failed without a test that did decides nothing: it may be that a test is not there any more.
        """
        if exit_code == 0:
            return 0
        tests = read_reports_of_failed(self.step, confined).tests
        return tests.failed if tests else 0


def remove_reports(step: Step, confined: ConfinedFolder) -> None:
    """Remove the reports of what was run first, so that nobody takes them for those of `run`."""
    for pattern in (step.junit, step.coverage):
        with contextlib.suppress(Escape, OSError):
            for path in confined.matches(pattern) if pattern is not None else ():
                confined.remove(path)


def names_in_file(tests: Iterable[str]) -> str:
    """What the file with the names holds."""
    return "".join(f"{test}\n" for test in tests)


def failed_again_in_words(count: int) -> str:
    """Why the step failed, where so many tests failed again."""
    what = f"{count} tests that failed the last time fail again" if count > 1 else _ONE_FAILED_AGAIN
    return f"{what}; `run` was not run"


def follows_in_words(exit_code: int | None) -> str:
    """How what was run first ended, where `run` follows."""
    if exit_code == 0:
        return "they pass now: all are run"
    return f"{exit_in_words(exit_code or 0)}, and no test failed: all are run"
