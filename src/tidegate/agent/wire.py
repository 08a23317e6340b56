"""What an agent and a server say to each other: dataclasses, as JSON, in both directions.

Fields that one side does not know it leaves alone: the other may be one minor release newer.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from pydantic import TypeAdapter

from tidegate.model.agent import Platform
from tidegate.model.ids import Digest, StepRunId
from tidegate.model.lease import Lease, LogLine, StepReport
from tidegate.model.step_ahead import Promise

T = TypeVar("T")


@dataclass(frozen=True, slots=True, order=True)
class Held:
    """An attempt that an agent has, under the fence of its lease."""

    step_run: StepRunId
    attempt: int
    fence: int

    def __str__(self) -> str:
        return f"{self.step_run}.{self.attempt}.{self.fence}"


def held_by(lease: Lease) -> Held:
    """Which attempt a lease is for."""
    return Held(lease.step_run, lease.attempt, lease.fence)


@dataclass(frozen=True, slots=True)
class LeaseRequest:
    """An agent asks for up to `slots_free` leases, and says what it has and what it is.

    A server of the first release knows the first two fields only.
    """

    slots_free: int
    held: tuple[Held, ...]
    slots: int | None = None
    """How many steps it performs at most at a time."""

    labels: tuple[str, ...] = ()
    """Without those of its platform."""

    version: str | None = None
    platform: Platform | None = None
    instance: str | None = None
    """Which of possibly several of its name it is."""

    draining: bool = False
    """It takes no more, and ends when it has nothing left to do."""


@dataclass(frozen=True, slots=True)
class RenewRequest:
    """An agent still performs these."""

    held: tuple[Held, ...]


@dataclass(frozen=True, slots=True)
class RenewAnswer:
    """What to cancel and report, and what to end and forget because its fence is old."""

    cancel: tuple[StepRunId, ...] = ()
    refused: tuple[StepRunId, ...] = ()


@dataclass(frozen=True, slots=True)
class LogRequest:
    """Lines of an attempt's log; `first` is the index of the first of them, counted from 0."""

    attempt: int
    fence: int
    first: int
    lines: tuple[LogLine, ...]


@dataclass(frozen=True, slots=True)
class LogAnswer:
    """The index of the line that the server wants next."""

    next: int


@dataclass(frozen=True, slots=True)
class ArtifactAnswer:
    """What the server kept."""

    digest: Digest
    size: int


@dataclass(frozen=True, slots=True)
class ResultRequest:
    """How an attempt ended."""

    attempt: int
    fence: int
    report: StepReport
    agent: str | None = None
    """The name of the agent, where it asks for more."""

    next: LeaseRequest | None = None
    """What it says when it asks for work, as if this attempt were gone already. A server that is one minor release
    older does not know it."""

    began: tuple[Held, ...] = ()
    """What it began by itself, as an answer before had promised."""


@dataclass(frozen=True, slots=True)
class ResultAnswer:
    """Whether the server took the report (again: also true for the same report twice), and what is next: what the
    agent gets, what of that which it began by itself is its own, and what it may begin by itself after these.

    A server that is one minor release older promises nothing.
    """

    accepted: bool
    leases: tuple[Lease, ...] = ()
    began: tuple[Held, ...] = ()
    promises: tuple[Promise, ...] = ()

    def gives(self, held: Held) -> bool:
        """Whether an attempt that the agent began by itself is its own now."""
        return held in self.began or any(held == held_by(one) for one in self.leases)


@dataclass(frozen=True, slots=True)
class Taken:
    """What an agent notes of a lease: `boot` names the time since its machine was started, `at` when it came.

    `after` is the attempt after which it was begun without waiting for the server: kept before that is said, so that
    the next agent says it, too.
    """

    lease: Lease
    boot: str
    at: datetime
    after: Held | None = None


LEASES = TypeAdapter(tuple[Lease, ...])
LEASE_REQUEST = TypeAdapter(LeaseRequest)
RENEW_REQUEST = TypeAdapter(RenewRequest)
RENEW_ANSWER = TypeAdapter(RenewAnswer)
LOG_REQUEST = TypeAdapter(LogRequest)
LOG_ANSWER = TypeAdapter(LogAnswer)
ARTIFACT_ANSWER = TypeAdapter(ArtifactAnswer)
RESULT_REQUEST = TypeAdapter(ResultRequest)
RESULT_ANSWER = TypeAdapter(ResultAnswer)
TAKEN = TypeAdapter(Taken)
STEP_REPORT = TypeAdapter(StepReport)


def encode(kind: TypeAdapter[T], value: T) -> bytes:
    """The value as JSON: times as ISO 8601, durations as ISO 8601 (`PT30M`)."""
    return kind.dump_json(value)


def decode(kind: TypeAdapter[T], data: bytes) -> T:
    """The value in this JSON. Raises ValueError (pydantic's) naming each wrong field."""
    return kind.validate_json(data)
