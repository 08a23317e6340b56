"""A rehearsal: the whole pipeline with faults put in, to see what finds them, when, and how it ends."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from tidegate.model.actor import Actor
from tidegate.model.ids import Commit, ServiceName


class Fault(StrEnum):
    """What is put in."""

    ERRORS = "errors"
    SLOW = "slow"
    LEAK = "leak"
    CRASH = "crash"
    UNHEALTHY = "unhealthy"
    METRICS = "metrics"
    SERVER = "server"
    AGENT = "agent"

    @property
    def in_words(self) -> str:
        """What it does."""
        return _WORDS[self]

    @property
    def is_bad_version(self) -> bool:
        """Whether the new version is at fault, so that it must be taken back; in the others it must come through."""
        return self not in (Fault.METRICS, Fault.AGENT)

    @property
    def of_version(self) -> Fault:
        """The fault of the new version in it: a server that is killed leaves a bad version unwatched."""
        return Fault.ERRORS if self is Fault.SERVER else self


_WORDS = {
    Fault.ERRORS: "the new version fails 5% of its requests",
    Fault.SLOW: "every answer of the new version takes 250 ms more",
    Fault.LEAK: "the new version gets worse by the minute: 1% more failures, and 50 ms more for every answer",
    Fault.CRASH: "each instance of the new version ends two seconds after its first request",
    Fault.UNHEALTHY: "the new version never gets healthy",
    Fault.METRICS: "the router's figures stop while a healthy version is judged",
    Fault.SERVER: "the server is killed while it judges a version that fails 5% of its requests",
    Fault.AGENT: "the agent is killed while it performs a step of a healthy version's build",
}


class End(StrEnum):
    """What serves where users are when it is over: all instances of it and all of the traffic."""

    BEFORE = "before"
    """The release that served before."""

    NEW = "new"
    """The release that was sent through the pipeline."""

    UNKNOWN = "unknown"
    """Neither, or not whole."""

    @property
    def in_words(self) -> str:
        """It in a sentence."""
        return {End.BEFORE: "the release before", End.NEW: "the new release", End.UNKNOWN: "no known release"}[self]


@dataclass(frozen=True, slots=True)
class FaultOutcome:
    """What became of one fault; times in seconds as they were measured.

    `seconds` is the time from the first harmed request (or, where nobody was harmed, from when the fault was put in)
    until it was found, `rollback_seconds` from the decision to go back until all traffic was back. `requests` are those
    of users from the beginning of the rollout to its end, `harmed` those that failed or were slow because of it.
    """

    fault: Fault
    found: bool
    why: str
    seconds: float | None
    requests: int
    harmed: int
    end: End
    rollback_seconds: float | None = None
    took_seconds: float = 0.0

    @property
    def went_well(self) -> bool:
        """Whether it was found and ended on a known release."""
        return self.found and self.is_known

    @property
    def is_known(self) -> bool:
        """Whether it ended on a known release, and not on the bad one."""
        return self.end is End.BEFORE or (self.end is End.NEW and not self.fault.is_bad_version)

    @property
    def harmed_share(self) -> float | None:
        """The share of the requests that were harmed, None where there were none."""
        return self.harmed / self.requests if self.requests else None


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """Faults that were rehearsed one after another with the release of `commit`.

    `quick` is by how much times were shortened and rates raised, `per_second` how many requests a second users sent in
    it. The figures in it are as they were measured: a time was `quick` times as long without that.
    """

    service: ServiceName
    commit: Commit
    environment: str
    began_at: datetime
    ended_at: datetime
    quick: float
    per_second: float
    outcomes: tuple[FaultOutcome, ...]

    @property
    def went_well(self) -> bool:
        """Whether every fault was found and ended on a known release."""
        return bool(self.outcomes) and all(one.went_well for one in self.outcomes)

    @property
    def in_words(self) -> str:
        """What came of it, in a line."""
        wrong = [one.fault.value for one in self.outcomes if not one.went_well]
        count = len(self.outcomes)
        well = "all went well" if not wrong else f"{', '.join(wrong)} went wrong"
        faults = f"{count} fault{'' if count == 1 else 's'}"
        return f"{self.commit[:8]} of {self.service} was rehearsed with {faults} in {self.environment}: {well}"


@dataclass(frozen=True, slots=True)
class RecordedRehearsal:
    """A rehearsal as it is in the record: the number of its line, when that was written, and who played it."""

    id: int
    at: datetime
    by: Actor
    rehearsal: Rehearsal

    @property
    def over_at(self) -> datetime:
        """When it was over, as it says itself, but not after it was recorded: gates read how long ago that is."""
        return min(self.rehearsal.ended_at, self.at)
