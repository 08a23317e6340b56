"""Which files of a commit, or of a working tree, a step depends on."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import attrgetter

from tidegate.model.pipeline import Setup, Step

_WILD = re.compile(r"[*?\[]")
_LAST = "\U0010ffff"


@dataclass(frozen=True, slots=True, order=True)
class InputFile:
    """A file as git knows it: its path below the service's folder, its mode, and the id of its content (a blob)."""

    path: str
    mode: str
    content: str


@dataclass(frozen=True, slots=True)
class Listing:
    """All files that may be inputs, sorted by path; those that git ignores are not among them."""

    files: tuple[InputFile, ...] = ()

    @classmethod
    def of(cls, files: Iterable[InputFile]) -> Listing:
        """A listing of files in any order."""
        return cls(tuple(sorted(files, key=attrgetter("path"))))

    def matched(self, patterns: Sequence[str]) -> tuple[InputFile, ...]:
        """The files that the patterns match, in the order of their paths; a pattern with `!` takes files away again.

        Patterns are globs from the service's folder: `*` and `?` stay in a folder, `**` is any depth, a folder's name
        is all that is in it. Names of variables (`$NAME`) match nothing.
        """
        wanted: dict[int, InputFile] = {}
        for pattern in patterns:
            if pattern.startswith("!"):
                matches = _matcher(pattern[1:])
                wanted = {at: file for at, file in wanted.items() if not matches(file.path)}
            elif not pattern.startswith("$"):
                wanted |= self._matched(pattern)
        return tuple(wanted[at] for at in sorted(wanted))

    def unmatched(self, patterns: Iterable[str]) -> str | None:
        """The first pattern that names no file at all; what takes away, and names of variables, need not."""
        named = (pattern for pattern in patterns if pattern[:1] not in ("!", "$"))
        return next((pattern for pattern in named if not self._matched(pattern)), None)

    def _matched(self, pattern: str) -> dict[int, InputFile]:
        literal = literal_part(pattern)
        begin = bisect_left(self.files, literal, key=lambda file: file.path)
        end = bisect_left(self.files, literal + _LAST, key=lambda file: file.path)
        if begin == end:
            return {}
        matches = _matcher(pattern)
        return {at: self.files[at] for at in range(begin, end) if matches(self.files[at].path)}


def missing_input(step: Step, setup: Setup | None, listing: Listing) -> str | None:
    """Why a step cannot run: a pattern of its inputs, or of setup's, that matches no file. None where all do."""
    for whose, patterns in ((f'"{step.name}"', step.inputs), ("setup", setup.inputs if setup else ())):
        pattern = listing.unmatched(patterns)
        if pattern is not None:
            return f"the input {pattern} of {whose} matches no file; files that git ignores are never inputs"
    return None


def variables_in(patterns: Iterable[str]) -> tuple[str, ...]:
    """The names of the variables among inputs, sorted."""
    return tuple(sorted({pattern[1:] for pattern in patterns if pattern.startswith("$")}))


def contents(files: Iterable[InputFile]) -> dict[str, str]:
    """Path → mode and content, as a step's key takes them."""
    return {file.path: f"{file.mode} {file.content}" for file in files}


class _Matcher:
    """Whether a path fits one pattern. Patterns that are a path or all of a folder are compared as texts."""

    def __init__(self, pattern: str) -> None:
        pattern = pattern.rstrip("/")
        whole_folder = pattern.removesuffix("/**")
        self._prefix = None if _WILD.search(whole_folder) else whole_folder
        self._only_below = whole_folder != pattern
        self._regexes: list[re.Pattern[str]] = []
        if self._prefix is None:
            self._regexes = _regexes([pattern, f"{pattern}/**"])

    def __call__(self, path: str) -> bool:
        if self._prefix is None:
            return any(regex.match(path) for regex in self._regexes)
        if self._prefix in ("", ".", "**"):
            return True
        return path.startswith(self._prefix + "/") or (path == self._prefix and not self._only_below)


def _regexes(patterns: list[str]) -> list[re.Pattern[str]]:
    # most patterns are a path or all of a folder, and a build in which nothing changed is over in less time than this
    from wcmatch import glob

    included, _ = glob.translate(patterns, flags=glob.GLOBSTAR | glob.DOTGLOB | glob.FORCEUNIX)
    return [re.compile(one) for one in included]


_matcher = lru_cache(maxsize=4096)(_Matcher)


def literal_part(pattern: str) -> str:
    """With what every path that fits a pattern begins."""
    if pattern in ("**", "."):
        return ""
    wild = _WILD.search(pattern)
    return pattern.rstrip("/") if wild is None else pattern[: wild.start()]
