"""The logs of steps: one file an attempt, one JSON line a line of output."""

from __future__ import annotations

import json
import re
import threading
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from tidegate.model.lease import LogLine
from tidegate.model.step_run import AttemptId

MARK_EVERY = 1000
"""Lines between two places of a log that are known, so that a page near its end is read from near its end."""

KNOWN_LOGS = 200
"""Of how many logs the places are kept in memory; 8 bytes for each 1,000 lines."""


PAGE_CHARACTERS = 2 * 1024**2
"""Of a log at a time, and a line more, however many lines are asked for."""

_CHUNK_LINES = 100


@dataclass(frozen=True, slots=True)
class Page:
    """Lines of a log, each with its index; `is_full`: there may be more after them."""

    lines: tuple[tuple[int, LogLine], ...]
    is_full: bool


@dataclass(slots=True)
class _Places:
    """How many whole lines a log has, where they end, and where every MARK_EVERY-th line begins."""

    count: int = 0
    end: int = 0
    marks: array[int] = field(default_factory=lambda: array("q", [0]))

    def note(self, line: bytes) -> None:
        """A whole line follows."""
        self.count += 1
        self.end += len(line)
        if self.count % MARK_EVERY == 0:
            self.marks.append(self.end)


class StepLogs:
    """Keeps what agents send, in order and each line once; safe to be asked by several threads."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._known: dict[Path, _Places] = {}

    def append(self, attempt: AttemptId, first: int, lines: Sequence[LogLine]) -> int:
        """Append those lines (the first has the index `first`) that are not here yet; the index wanted next."""
        path = self._path(attempt)
        with self._lock:
            places = self._places(path)
            fresh = [_encoded(line) for line in lines[places.count - first :]] if first <= places.count else []
            if fresh:
                path.parent.mkdir(parents=True, exist_ok=True)
                del self._known[path]  # on a full disk only a part may be written: it is surveyed again then
                with path.open("ab") as file:
                    file.write(b"".join(fresh))
                for line in fresh:
                    places.note(line)
                self._known[path] = places
            return places.count

    def read(self, attempt: AttemptId, first: int = 0, limit: int = 10_000) -> tuple[LogLine, ...]:
        """Lines from index `first` on, at most `limit` of them."""
        return tuple(line for _, line in islice(self.lines(attempt, first), limit))

    def page(self, attempt: AttemptId, first: int, limit: int, words: str = "") -> Page:
        """At most `limit` lines from index `first` on, of those that hold these words, in whatever case."""
        wanted = words.casefold()
        found = self.lines(attempt, first)
        if wanted:
            found = (one for one in found if wanted in plain(one[1].text).casefold())
        lines, characters = [], 0
        for one in found:
            lines.append(one)
            characters += len(one[1].text)
            if len(lines) == limit or characters > PAGE_CHARACTERS:
                return Page(tuple(lines), is_full=True)
        return Page(tuple(lines), is_full=False)

    def lines(self, attempt: AttemptId, first: int = 0) -> Iterator[tuple[int, LogLine]]:
        """All lines from index `first` on that are there now, each with its index; read as they are asked for."""
        path = self._path(attempt)
        with self._lock:
            places = self._places(path)
            mark = min(first // MARK_EVERY, len(places.marks) - 1)
            begin, count = places.marks[mark], places.count
        if first >= count:
            return
        with path.open("rb") as file:
            file.seek(begin)
            for index in range(mark * MARK_EVERY, count):
                line = file.readline()
                if index >= first:
                    yield index, _decoded(line)

    def text(self, attempt: AttemptId) -> Iterator[str]:
        """A log as text without colours, some lines at a time: a time, and what was written, in each."""
        lines = (f"{line.at.isoformat()} {plain(line.text)}\n" for _, line in self.lines(attempt))
        while some := "".join(islice(lines, _CHUNK_LINES)):
            yield some

    def _path(self, attempt: AttemptId) -> Path:
        for name in (attempt.run, attempt.step_run):
            if not re.fullmatch(r"[0-9a-zA-Z-]+", name):
                raise ValueError(f"{name!r} is not an identifier")
        return self._folder / attempt.run / f"{attempt.step_run}.{attempt.attempt}.jsonl"

    def _places(self, path: Path) -> _Places:
        """What is known of a log; what a crash left of a last line is cut off first."""
        known = self._known.pop(path, None) or self._survey(path)
        self._known[path] = known  # at the end: the one that was not asked for longest goes first
        if len(self._known) > KNOWN_LOGS:
            del self._known[next(iter(self._known))]
        return known

    def _survey(self, path: Path) -> _Places:
        places = _Places()
        if not path.exists():
            return places
        with path.open("r+b") as file:
            for line in _lines_of(file):
                if not line.endswith(b"\n"):
                    file.truncate(places.end)
                    break
                places.note(line)
        return places


_COLOURS = re.compile(r"\x1b\[[0-9;:]*m")


def plain(text: str) -> str:
    """A line without its colours."""
    return _COLOURS.sub("", text) if "\x1b" in text else text


def _lines_of(file: BinaryIO) -> Iterator[bytes]:
    while line := file.readline():
        yield line


def _encoded(line: LogLine) -> bytes:
    text = json.dumps({"at": line.at.isoformat(), "text": line.text}, ensure_ascii=False)
    return text.encode(errors="replace") + b"\n"


def _decoded(line: bytes) -> LogLine:
    entry = json.loads(line)
    return LogLine(datetime.fromisoformat(entry["at"]), entry["text"])
