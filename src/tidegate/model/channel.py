"""Channels: whom the server tells what, and how far each has been told."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from fnmatch import fnmatchcase

from tidegate.model.ids import EnvironmentName


class Topic(StrEnum):
    """What a notification can be about."""

    APPROVAL = "approval"
    BREAK_GLASS = "break-glass"
    ROLLBACK = "rollback"
    HOLD = "hold"
    STUCK = "stuck"
    LINE_STOPPED = "line-stopped"
    RUN_FAILED = "run-failed"
    RUN_SUCCEEDED = "run-succeeded"
    TROUBLE = "trouble"
    FREEZE = "freeze"
    TRAIN = "train"
    TRAIN_STOPPED = "train-stopped"
    QUESTION = "question"
    ERROR_BUDGET = "error-budget"
    INCIDENT = "incident"
    DRILL = "drill"
    REHEARSAL = "rehearsal"


UNLESS_SAID = frozenset(Topic) - {Topic.RUN_SUCCEEDED, Topic.TRAIN}
"""What a channel is told that names nothing: all but what goes well by itself."""


@dataclass(frozen=True, slots=True)
class Channel:
    """Some people, and what they are told about. `urls_file` is a file in the data folder with the addresses of their
    services, which hold secrets. `services` are patterns of names; without `environments` it is told of all, and of
    what concerns none."""

    name: str
    urls_file: str
    about: frozenset[Topic] = UNLESS_SAID
    services: tuple[str, ...] = ("*",)
    environments: tuple[EnvironmentName, ...] | None = None

    def wants(self, topic: Topic, services: Collection[str] | None, environment: str | None) -> bool:
        """Whether it is told of this; without `services` it concerns all of them."""
        return (
            topic in self.about
            and (services is None or any(fnmatchcase(one, pattern) for one in services for pattern in self.services))
            and (self.environments is None or environment in self.environments)
        )


@dataclass(frozen=True, slots=True)
class NotificationCursor:
    """How far a channel has been told: up to the event of that id. With `failing_since` nobody there takes messages
    at present, and `failing_because` says why. Until `leased_until` no other than `teller` tells it."""

    channel: str
    event: int
    failing_since: datetime | None = None
    failing_because: str = ""
    teller: str | None = None
    leased_until: datetime | None = None

    def is_free_for(self, teller: str, now: datetime) -> bool:
        """Whether that teller may go on, or take over."""
        return self.teller in (None, teller) or self.leased_until is None or self.leased_until <= now
