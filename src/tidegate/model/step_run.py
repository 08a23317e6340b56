"""A step's passage: its state and its attempts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from tidegate.model.ids import RunId, StepName, StepRunId
from tidegate.model.lease import StepOutcome, StepReport
from tidegate.model.pipeline import Step

BUILD = "build"
"""The scope of the build's steps; a stage's steps have the stage's name."""


class StepState(StrEnum):
    """How far a step run is."""

    WAITING = "waiting"
    READY = "ready"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"
    LOST = "lost"
    SKIPPED = "skipped"
    """A step that it needs ended badly."""

    LEFT_OUT = "left_out"
    """Its `if` said that it is not wanted; what needs it goes on as if it were not there."""

    @property
    def is_ended(self) -> bool:
        """Whether nothing more happens by itself."""
        return self not in (StepState.WAITING, StepState.READY, StepState.RUNNING)

    @property
    def is_good(self) -> bool:
        """Whether what needs it may go on."""
        return self in (StepState.SUCCEEDED, StepState.LEFT_OUT)

    @property
    def words(self) -> str:
        """The state as a sentence says it."""
        return self.value.replace("_", " ")


_BAD = (StepState.FAILED, StepState.TIMED_OUT, StepState.LOST)

STATE_OF = {
    StepOutcome.SUCCEEDED: StepState.SUCCEEDED,
    StepOutcome.FAILED: StepState.FAILED,
    StepOutcome.TIMED_OUT: StepState.TIMED_OUT,
    StepOutcome.CANCELLED: StepState.CANCELLED,
    StepOutcome.LOST: StepState.LOST,
}


@dataclass(frozen=True, slots=True)
class AttemptId:
    """One attempt of a step in a run."""

    run: RunId
    step_run: StepRunId
    attempt: int


@dataclass(frozen=True, slots=True)
class StepRun:
    """One step in one run. `fence` grows with every lease; a report under an older one is refused."""

    id: StepRunId
    run: RunId
    scope: str
    name: StepName
    position: int
    step: Step
    state: StepState = StepState.WAITING
    attempt: int = 1
    fence: int = 0
    agent: str | None = None
    leased_until: datetime | None = None
    cancel_asked: bool = False
    ready_at: datetime | None = None
    began_at: datetime | None = None
    ended_at: datetime | None = None
    report: StepReport | None = None
    earlier: tuple[StepReport, ...] = ()
    """The reports of earlier attempts, oldest first."""

    files: str | None = None
    """The digest of its inputs and setup's at the run's commit, None where it has no inputs."""

    missing_input: str | None = None
    """Why it cannot run: a pattern of its inputs, or of setup's, matches no file of the run's commit."""

    key: str | None = None
    """Under what its result is kept, known once what it needs has ended."""

    cached_from: AttemptId | None = None
    """The attempt whose result it was given."""

    def logged_by(self, attempt: int) -> AttemptId:
        """Who wrote the log of an attempt: of a result from the cache, the one that made it."""
        if self.cached_from and attempt == self.attempt:
            return self.cached_from
        return AttemptId(self.run, self.id, attempt)

    @property
    def reports(self) -> tuple[StepReport, ...]:
        """What is known of its attempts, oldest first; of many, the last ones."""
        return (*self.earlier, *((self.report,) if self.report else ()))

    @property
    def is_settled(self) -> bool:
        """Whether what needs it may go on: it ended well, was left out, or may fail and did."""
        return self.state.is_good or self.failed_as_it_may

    @property
    def failed_as_it_may(self) -> bool:
        """Whether it failed without failing what it is part of: `allow_failure`."""
        return self.step.allow_failure and self.state in _BAD

    @property
    def ending(self) -> str:
        """How it ended and why, as it follows its name in a sentence."""
        why = (self.report.detail if self.report else "", "it may fail" if self.failed_as_it_may else "")
        said = ", ".join(text for text in why if text)
        return f"{self.state.words}: {said}" if said else self.state.words
