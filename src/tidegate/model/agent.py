"""An agent as the server knows it: what it says of itself, when it was seen, and what people decided about it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

AWAY_AFTER = timedelta(minutes=1)
"""An agent asks for work, or renews its leases, several times a minute."""


@dataclass(frozen=True, slots=True)
class Platform:
    """What a machine is: both words are labels of its agent."""

    os: str
    """`linux`, `darwin`."""

    processor: str
    """`x86-64`, `arm64`."""

    def __str__(self) -> str:
        return f"{self.os}/{self.processor}"


class AgentState(StrEnum):
    """How an agent stands."""

    NEVER_SEEN = "never_seen"
    IDLE = "idle"
    BUSY = "busy"
    DRAINING = "draining"
    """It takes no more, and still performs some."""

    DRAINED = "drained"
    """It takes no more, and performs nothing."""

    AWAY = "away"


@dataclass(frozen=True, slots=True)
class Agent:
    """An agent. Until it was seen, only its name and its token are known."""

    name: str
    added_at: datetime
    token_hash: str | None = None
    """Of a token of its own, None where it uses the one of the server's data folder."""

    instance: str | None = None
    """Which of possibly several processes of that name it is: it keeps this in its folder."""

    labels: tuple[str, ...] = ()
    """With those of its platform."""

    slots: int = 0
    version: str | None = None
    platform: Platform | None = None
    seen_at: datetime | None = None
    leaving: bool = False
    """It says itself that it takes no more."""

    drained_by: str | None = None
    """Who decided that it gets no more."""

    @property
    def takes_more(self) -> bool:
        """Whether it may be given steps."""
        return not self.leaving and self.drained_by is None

    def is_here(self, now: datetime) -> bool:
        """Whether it was seen lately."""
        return self.seen_at is not None and now - self.seen_at < AWAY_AFTER

    def state(self, performs: int, now: datetime) -> AgentState:
        """How it stands, where it performs so many steps."""
        if self.seen_at is None:
            return AgentState.NEVER_SEEN
        if not self.takes_more and (self.is_here(now) or not performs):
            return AgentState.DRAINING if performs else AgentState.DRAINED
        if not self.is_here(now):
            return AgentState.AWAY
        return AgentState.BUSY if performs else AgentState.IDLE
