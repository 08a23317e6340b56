"""A line of the record as it is stored, and the hashes that chain the lines.

A line's hash is made of its number, its time, a hash of its service's name, a hash of everything else in it, and the
hash of the line before. So a line whose content is not shown still proves which service it is of, and which place it
has.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

GENESIS = "0" * 64
"""What stands for the hash of the line before the first."""

FIRST_FORM, FORM = 1, 2
"""How the hash is made; a line of the first form proves nothing without its content."""


@dataclass(frozen=True, slots=True)
class RecordLine:
    """One line, each column as the text that is stored: `about`, `data` and `access` are JSON. `at` is UTC."""

    id: int
    form: int
    at: str
    kind: str
    text: str
    actor_kind: str
    actor: str
    access: str | None
    service: str | None
    run: str | None
    about: str
    data: str
    previous_hash: str
    hash: str

    @property
    def content_hash(self) -> str:
        """Of what is not shown of a line of another service."""
        content = [self.kind, self.text, self.actor_kind, self.actor, self.access, self.run, self.about, self.data]
        return hash_of(content)

    @property
    def first_document(self) -> str:
        """What a line of the first form was hashed as. Raises ValueError where its columns cannot be that."""
        about = json.loads(self.about)
        document = {
            "id": self.id,
            "at": _first_time(self.at),
            "kind": self.kind,
            "text": self.text,
            "actor_kind": self.actor_kind,
            "actor": self.actor,
            "service": about.get("service"),
            "run": about.get("run"),
            "about": about,
            "data": json.loads(self.data),
            "previous_hash": self.previous_hash,
        }
        return json.dumps(document, sort_keys=True, ensure_ascii=False)

    def made_hash(self) -> str | None:
        """The hash that a line with this content has; None where there can be no such line."""
        if self.form == FORM:
            return chained_hash(self.id, self.at, service_mark(self.service), self.content_hash, self.previous_hash)
        if self.form != FIRST_FORM or self.access is not None:
            return None
        try:
            about = json.loads(self.about)
            if (self.service, self.run) != (about.get("service"), about.get("run")):
                return None
            return hashlib.sha256(self.first_document.encode()).hexdigest()
        except (ValueError, AttributeError):
            return None


def hash_of(values: Sequence[object]) -> str:
    """SHA-256 of the values as a JSON list without spaces, in hexadecimal digits."""
    document = json.dumps(values, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(document.encode()).hexdigest()


@lru_cache(maxsize=1024)
def service_mark(service: str | None) -> str:
    """What stands in a line's hash for its service."""
    return hash_of(["service", service])


def chained_hash(number: int, at: str, mark: str, content: str, previous: str) -> str:
    """A line's hash."""
    return hash_of([FORM, number, at, mark, content, previous])


@dataclass(frozen=True, slots=True)
class BrokenLine:
    """A row that cannot be read as a line at all."""

    id: int


@dataclass(frozen=True, slots=True)
class ChainCheck:
    """Whether lines are a whole chain: how many were looked at, the number of the first that does not fit, and why."""

    ok: bool
    events: int
    first_bad: int | None
    because: str | None = None


def check_lines(
    lines: Iterable[RecordLine | BrokenLine], known: Mapping[int, str], after: int = 0, previous: str = GENESIS
) -> ChainCheck:
    """Recompute every hash after the line `after`, whose hash is `previous`.

    `known` holds the hashes that lines had at an earlier time, by number: of checkpoints, and what a server remembers.
    """
    expected = after
    for line in lines:
        expected += 1
        why = _misfit(line, expected, previous, known)
        if why:
            return ChainCheck(False, expected - after, line.id, why)
        assert isinstance(line, RecordLine)
        previous = line.hash
    cut = min((number for number in known if number > expected), default=None)
    if cut is not None:
        why = f"the record ends at line {expected}, and line {cut} was there before"
        return ChainCheck(False, expected - after, expected + 1, why)
    return ChainCheck(True, expected - after, None)


def _misfit(line: RecordLine | BrokenLine, expected: int, previous: str, known: Mapping[int, str]) -> str | None:
    if line.id != expected:
        return f"line {expected} should follow, and line {line.id} does"
    if isinstance(line, BrokenLine):
        return f"line {line.id} holds what no line can hold"
    if line.previous_hash != previous:
        return f"line {line.id} does not hold the hash of the line before"
    if line.made_hash() != line.hash:
        return f"line {line.id} was changed: it no longer has the hash that it was written with"
    if known.get(line.id, line.hash) != line.hash:
        return f"line {line.id} had another hash before: it, or one before it, was written anew"
    return None


def _first_time(at: str) -> str:
    """The time as the first form had it: without microseconds where there are none."""
    return at.removesuffix("Z").removesuffix(".000000") + "+00:00"
