"""What is known of the rehearsals of a service that the server begins by itself: the last one, and the next."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from tidegate.model.actor import Actor, ActorKind
from tidegate.model.event import EventKind, RecordedEvent
from tidegate.model.ids import Commit, EnvironmentName, ServiceName
from tidegate.model.pipeline import Pipeline
from tidegate.model.quantity import format_duration
from tidegate.model.rehearsal_rule import RehearsalRule

KINDS = (EventKind.REHEARSAL_BEGAN, EventKind.REHEARSED, EventKind.REHEARSAL_ENDED)
SCHEDULED = Actor(ActorKind.SYSTEM, "the rehearsal schedule")
AGAIN = "again"
"""In the data of REHEARSAL_ENDED: its occurrence does not count, because it had to make room."""

FAILED = "failed"
"""There, too: it could not be played, which people are told."""


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """The release of `commit`, which serves in the environment, and the file in which it says when it is rehearsed."""

    service: ServiceName
    environment: EnvironmentName
    commit: Commit
    pipeline: Pipeline
    rule: RehearsalRule


@dataclass(frozen=True, slots=True)
class Known:
    """What the record says: when the last rehearsal began that counts, whoever played it; and since when one goes on
    that the server began, with the number of that line."""

    last_at: datetime | None = None
    since: datetime | None = None
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Occurrence:
    """A service's rehearsals by themselves, as they stand: one goes on `since`; or the next is at `next_at`, which has
    come where it `is_due`."""

    rehearsed: Rehearsed
    known: Known
    next_at: datetime | None
    is_due: bool

    def in_words(self, now: datetime) -> str:
        """How it stands, for a person."""
        service = self.rehearsed.service
        by_itself = f"{service} is rehearsed by itself, {self.rehearsed.rule.when}"
        if self.known.since is not None:
            return f"{by_itself}: it goes on since {format_duration(now - self.known.since)}"
        if self.is_due:
            return f"{by_itself}: it is due, and begins when no other goes on and nothing protected is verified"
        assert self.next_at is not None  # that is so where none goes on
        return f"{by_itself}: the next begins in {format_duration(self.next_at - now)}"


def known_of(newest_first: Iterable[RecordedEvent]) -> Known:
    """What a service's newest events of KINDS tell."""
    by_others: datetime | None = None
    is_open, left_out = True, False
    for one in newest_first:
        match one.event.kind:
            case EventKind.REHEARSED if one.event.actor.name != SCHEDULED.name:
                by_others = _later(by_others, _began_at(one.event.data, one.at))
            case EventKind.REHEARSED | EventKind.REHEARSAL_ENDED:
                is_open, left_out = False, bool(one.event.data.get(AGAIN))
            case _ if is_open:
                return Known(_later(by_others, one.at), one.at, one.id)
            case _ if not left_out:
                return Known(_later(by_others, one.at))
    return Known(by_others)


def occurrence(rehearsed: Rehearsed, known: Known, now: datetime) -> Occurrence:
    """How a service's rehearsals by themselves stand."""
    if known.since is not None:
        return Occurrence(rehearsed, known, None, False)
    when = rehearsed.rule.when
    return Occurrence(rehearsed, known, when.next_at(known.last_at, now), when.is_due(known.last_at, now))


def _later(one: datetime | None, other: datetime) -> datetime:
    return other if one is None else max(one, other)


def _began_at(data: Mapping[str, object], recorded_at: datetime) -> datetime:
    """When a rehearsal that was played began; not in the future, whatever its clock said."""
    return min(datetime.fromisoformat(str(data["began_at"])), recorded_at)
