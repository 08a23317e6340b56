"""Raw output → lines of a log. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

LINE_BYTES = 16 * 1024
"""A longer line is cut into pieces of this length."""

# colours are kept; other escape sequences could move the cursor or change the title of whoever reads the log
_ESCAPE = re.compile(
    r"(?P<colour>\x1b\[[0-9;:]*m)"
    r"|\x1b\[[0-?]*[ -/]*[@-~]"
    r"|\x1b[\]PX^_].*?(?:\x07|\x1b\\|$)"
    r"|\x1b[ -/]*[0-~]?"
    r"|[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f]"
)


@dataclass(frozen=True, slots=True)
class CutLine:
    """A line's text, and the offset in the raw output at which the next one begins."""

    text: str
    end: int


@dataclass(slots=True)
class LineCutter:
    """Cuts a stream of bytes into lines; `offset` is where the first byte that it is given lies."""

    offset: int = 0
    _rest: bytearray = field(default_factory=bytearray)

    def feed(self, chunk: bytes) -> list[CutLine]:
        """The lines that are complete with this chunk."""
        self._rest += chunk
        lines = []
        begin = 0
        while (end := self._end_of_line(begin)) is not None:
            lines.append(CutLine(clean(bytes(self._rest[begin:end])), self.offset + end))
            begin = end
        del self._rest[:begin]
        self.offset += begin
        return lines

    def flush(self) -> list[CutLine]:
        """What is left at the end, a line without its end."""
        if not self._rest:
            return []
        self.offset += len(self._rest)
        line = CutLine(clean(bytes(self._rest)), self.offset)
        self._rest.clear()
        return [line]

    def _end_of_line(self, begin: int) -> int | None:
        newline = self._rest.find(b"\n", begin, begin + LINE_BYTES)
        if newline >= 0:
            return newline + 1
        if len(self._rest) - begin <= LINE_BYTES:
            return None
        end = begin + LINE_BYTES
        # not in the middle of a character: its later bytes are 10xxxxxx, and it has at most four
        for _ in range(3):
            if self._rest[end] & 0xC0 != 0x80:
                break
            end -= 1
        return end


def clean(raw: bytes) -> str:
    """The text of a line as a terminal would leave it: what a carriage return overwrote is gone, colours are kept."""
    text = raw.decode("utf-8", errors="replace").rstrip("\r\n")
    if "\r" in text:
        text = next((part for part in reversed(text.split("\r")) if part), "")
    return _ESCAPE.sub(lambda match: match["colour"] or "", text)
