"""Freezes: times in which nothing new may enter an environment."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from tidegate.model.actor import Actor, ActorKind
from tidegate.model.ids import EnvironmentName, ServiceName


@dataclass(frozen=True, slots=True)
class Freeze:
    """From `begins` until just before `ends` no gate into the environment opens: for one service, or for all.

    `lifted_at` says that somebody ended it before. Those of the server's configuration are lifted by nobody.
    """

    id: str
    environment: EnvironmentName
    begins: datetime
    ends: datetime
    reason: str
    by: Actor
    made_at: datetime
    timezone: str = "UTC"
    """The place in whose time it is told."""

    service: ServiceName | None = None
    lifted_at: datetime | None = None
    lifted_by: Actor | None = None

    @property
    def is_configured(self) -> bool:
        """Whether it stands in the server's configuration."""
        return self.by.kind is not ActorKind.PERSON

    @property
    def place(self) -> str:
        """What is frozen, in words."""
        return f"{self.service} in {self.environment}" if self.service else str(self.environment)

    def concerns(self, service: str, environment: str) -> bool:
        """Whether it holds for that service there."""
        return self.environment == environment and self.service in (None, service)

    def holds(self, now: datetime) -> bool:
        """Whether it holds at this moment."""
        return self.lifted_at is None and self.begins <= now < self.ends

    def is_over(self, now: datetime) -> bool:
        """Whether it has ended, or was lifted."""
        return self.lifted_at is not None or self.ends <= now


def changes_at(freezes: Iterable[Freeze], now: datetime) -> datetime | None:
    """When the next of them begins or ends."""
    edges = (edge for one in freezes if one.lifted_at is None for edge in (one.begins, one.ends))
    return min((edge for edge in edges if edge > now), default=None)
