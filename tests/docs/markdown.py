"""The parts of a page that tests look at: fenced blocks, code spans, links and headings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_FENCE = re.compile(r"^(`{3,})(.*)$")
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_SPAN = re.compile(r"`([^`\n]+)`")
_HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: the words after the fence, its lines, and the number of its first line in the page."""

    info: tuple[str, ...]
    lines: tuple[str, ...]
    at: int

    @property
    def language(self) -> str:
        """The first word after the fence."""
        return self.info[0] if self.info else ""

    def option(self, name: str) -> str | None:
        """The value of `name=value` after the fence."""
        given = dict(word.split("=", 1) for word in self.info[1:] if "=" in word)
        return given.get(name)


def pages() -> tuple[Path, ...]:
    """Every page of the documentation, the README first."""
    return (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))


def blocks(text: str) -> Iterator[Block]:
    """The fenced blocks of a page, in order."""
    fence, info, began, inside = "", "", 0, list[str]()
    for number, line in enumerate(text.splitlines(), start=1):
        found = _FENCE.match(line)
        if fence:
            if line.strip() == fence:
                yield Block(tuple(info.split()), tuple(inside), began)
                fence = ""
            else:
                inside.append(line)
        elif found:
            fence, info, began, inside = found[1], found[2], number + 1, []
    assert not fence, f"a block is not closed: line {began - 1}"


def prose(text: str) -> str:
    """The page without its fenced blocks."""
    kept, fenced = [], False
    for line in text.splitlines():
        if _FENCE.match(line):
            fenced = not fenced
        elif not fenced:
            kept.append(line)
    return "\n".join(kept)


def links(text: str) -> tuple[str, ...]:
    """The targets of a page's links and pictures."""
    return tuple(_LINK.findall(_SPAN.sub("", prose(text))))


def spans(text: str) -> tuple[str, ...]:
    """The code spans of a page."""
    return tuple(_SPAN.findall(prose(text)))


def anchors(text: str) -> frozenset[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    made = (re.sub(r"[^\w\- ]", "", one.strip().lower()).replace(" ", "-") for one in _HEADING.findall(prose(text)))
    return frozenset(made)
