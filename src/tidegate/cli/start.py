"""The console script. `tidegate build` is over before the other commands and their libraries are imported."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tidegate.cli.characters import tolerate_every_character
from tidegate.cli.loading import without_collecting

if TYPE_CHECKING:
    from tidegate.cli.build_run import Wishes

_FLAGS = {"--force": "force", "--keep-going": "keep_going", "--json": "json"}
_VALUES = {"--jobs": "jobs", "-j": "jobs", "--explain": "explain", "--log": "log", "--file": "file", "-f": "file"}


def main() -> None:
    """Run the command of this process and end with its exit code."""
    tolerate_every_character()
    arguments = sys.argv[1:]
    wishes = understood(arguments)
    if wishes is not None:
        raise SystemExit(_build(wishes, arguments))
    with without_collecting():
        from tidegate.cli.main import run
    raise SystemExit(run(arguments))


def understood(arguments: Sequence[str]) -> Wishes | None:
    """What a plain `tidegate build` asks for. None for every other command line, which Typer reads and explains."""
    if arguments[:1] != ["build"]:
        return None
    steps: list[str] = []
    given: dict[str, object] = {}
    left = list(reversed(arguments[1:]))
    while left:
        word = left.pop()
        if word in _FLAGS:
            given[_FLAGS[word]] = True
        elif word in _VALUES and left:
            given[_VALUES[word]] = left.pop()
        elif word.startswith("-"):
            return None
        else:
            steps.append(word)
    return _wishes(steps, given)


def _wishes(steps: Sequence[str], given: dict[str, object]) -> Wishes | None:
    from pathlib import Path

    from tidegate.cli.build_run import Wishes

    jobs = given.get("jobs")
    if jobs is not None:
        if not (isinstance(jobs, str) and jobs.isascii() and jobs.isdecimal() and int(jobs)):
            return None
        given["jobs"] = int(jobs)
    if "file" in given:
        given["file"] = Path(str(given["file"]))
    return Wishes(tuple(steps), **given)  # type: ignore[arg-type]  # the names and types are those of the options


def _build(wishes: Wishes, arguments: Sequence[str]) -> int:
    with without_collecting():
        from tidegate.cli.build_run import run_build
    try:
        return run_build(wishes)
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        from tidegate.cli.main import failed

        return failed(error, arguments)


if __name__ == "__main__":
    main()
