"""`index.html` of a pack: one page to read and to print, without scripts and without anything from elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from tidegate.evidence.record_file import Extract
from tidegate.evidence.story import ReleaseStory, Told

_FLUSHED_AT = 64
"""Pieces of the page that are handed on together."""

_templates = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@dataclass(frozen=True, slots=True)
class Figures:
    """How much the lines of the service tell, counted by what happened."""

    lines: int
    releases: int
    approvals: int
    rollouts: int
    rollbacks: int
    break_glass: int


@dataclass(frozen=True, slots=True)
class PageHead:
    """What stands at the top: of one release where `release` names it, else of a service's time."""

    extract: Extract
    figures: Figures
    public_key: str
    release: str | None = None


def evidence_page(head: PageHead, stories: Iterable[ReleaseStory], others: Iterable[Told]) -> Iterator[bytes]:
    """The page in chunks; `others` are the lines of the service that belong to no release that is told."""
    stream = _templates.get_template("evidence.html").stream(
        head=head, extract=head.extract, figures=head.figures, stories=stories, others=others, time=_time
    )
    stream.enable_buffering(_FLUSHED_AT)
    for chunk in stream:
        yield chunk.encode("utf-8", "replace")


def stories_file(stories: Iterable[ReleaseStory]) -> Iterator[bytes]:
    """The same as JSON, a release in each chunk."""
    yield b"["
    for number, story in enumerate(stories):
        text = json.dumps(asdict(story), ensure_ascii=False, indent=1, default=_time)
        yield ((",\n" if number else "\n") + text).encode("utf-8", "replace")
    yield b"\n]\n"


def _time(at: object) -> str:
    """A time in UTC, to the second."""
    if not isinstance(at, datetime):
        return "–" if at is None else str(at)
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
