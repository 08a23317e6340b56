"""The log of an attempt on the agent's disk: complete there first, sent to the server whenever it can be."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from threading import Lock

from tidegate.agent.lines import CutLine
from tidegate.model.lease import LogLine

_BATCH_LINES = 4000
_BATCH_BYTES = 512 * 1024
"""A server takes a body of 1 MiB; a line of it is hardly longer than here."""


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """How far the raw output was read: `part` is the number of the command, `end` an offset in its output."""

    part: int
    end: int


@dataclass(slots=True)
class LogSpool:
    """Lines in a file, one JSON array each: `[time, text, part, end]`. One writer, one sender, any time apart.

    Opened again after a crash it knows its lines and how far the output was read; a torn last line is dropped and
    read anew.
    """

    path: Path
    count: int = 0
    """How many lines there are."""

    position: Position = Position(-1, 0)
    sent: int = 0
    """How many of them the server has."""

    _sent_offset: int = 0
    _size: int = 0
    _sending: Lock = field(default_factory=Lock)

    def __post_init__(self) -> None:
        whole = 0
        if not self.path.exists():
            return  # nothing was written yet
        with open(self.path, "rb+") as file:
            for line in file:
                record = _record(line)
                if record is None:
                    break
                whole += len(line)
                self.count += 1
                self.position = record[1]
            file.truncate(whole)
        self._size = whole

    def append(self, lines: Sequence[CutLine], part: int, now: datetime) -> None:
        """Keep lines of that part of the output, stamped `now`."""
        if not lines:
            return
        stamp = now.isoformat()
        records = (json.dumps([stamp, line.text, part, line.end], ensure_ascii=False) for line in lines)
        data = ("\n".join(records) + "\n").encode()
        with open(self.path, "ab") as file:
            file.write(data)
        self.position = Position(part, lines[-1].end)
        self._size += len(data)
        self.count += len(lines)

    def send(self, post: Callable[[int, Sequence[LogLine]], int]) -> None:
        """Give the lines that the server does not have to `post(first, lines)`, which says what it wants next.

        What `post` raises passes through; the lines are sent again the next time.
        """
        with self._sending:
            while self._send_some(post):
                pass

    def send_some(self, post: Callable[[int, Sequence[LogLine]], int]) -> bool:
        """Give some of them; whether there are more. Nothing is done while another thread sends them."""
        if not self._sending.acquire(blocking=False):
            return False
        try:
            return self._send_some(post)
        finally:
            self._sending.release()

    def _send_some(self, post: Callable[[int, Sequence[LogLine]], int]) -> bool:
        first = self.sent
        if first >= self.count:
            return False
        lines, offset = self._read(first)
        wanted = post(first, lines)
        if wanted == first + len(lines):
            self.sent, self._sent_offset = wanted, offset
        elif wanted == first:
            return False
        else:
            self._go_to(min(wanted, self.count))
        return self.sent < self.count

    def _read(self, first: int) -> tuple[list[LogLine], int]:
        lines: list[LogLine] = []
        with open(self.path, "rb") as file:
            file.seek(self._sent_offset)
            while len(lines) < min(_BATCH_LINES, self.count - first):
                if file.tell() - self._sent_offset > _BATCH_BYTES:
                    break
                record = _record(file.readline())
                assert record is not None  # written whole before it was counted
                lines.append(record[0])
            return lines, file.tell()

    def _go_to(self, index: int) -> None:
        with open(self.path, "rb") as file:
            for _ in range(index):
                file.readline()
            self.sent, self._sent_offset = index, file.tell()


@dataclass(slots=True)
class OutputFile:
    """A command's raw output, read from `offset` on as it grows."""

    path: Path
    offset: int = 0
    _most: int = 64 * 1024

    def read(self) -> bytes:
        """The next bytes, at most 64 KiB; empty where there are none yet."""
        try:
            with open(self.path, "rb") as file:
                file.seek(self.offset)
                chunk = file.read(self._most)
        except FileNotFoundError:
            return b""
        self.offset += len(chunk)
        return chunk

    @property
    def size(self) -> int:
        """How many bytes there are by now."""
        try:
            return os.stat(self.path).st_size
        except FileNotFoundError:
            return 0


def _record(line: bytes) -> tuple[LogLine, Position] | None:
    if not line.endswith(b"\n"):
        return None
    try:
        stamp, text, part, end = json.loads(line)
        return LogLine(datetime.fromisoformat(stamp), text), Position(part, end)
    except ValueError:
        return None
