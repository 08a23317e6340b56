"""What is said of a build while it goes on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tidegate.builder.kept_result import Origin
from tidegate.model.lease import StepReport
from tidegate.model.step_run import StepState

SETUP = "setup"
"""The name under which the setup is shown; a step may have the same."""


@dataclass(frozen=True, slots=True)
class StepEnd:
    """How a step, or the setup, ended.

    `origin` is when and on what its result was made, if it came from the cache. `detail` says what went wrong, or what
    is worth knowing. `may_fail`: the build goes on beside its failure.
    """

    name: str
    state: StepState
    cached: bool = False
    seconds: float = 0.0
    report: StepReport | None = None
    detail: str = ""
    origin: Origin | None = None
    artifact_paths: tuple[str, ...] = ()
    log: Path | None = None
    may_fail: bool = False

    @property
    def is_good(self) -> bool:
        """Whether the build may succeed with it."""
        return self.state.is_good or (self.may_fail and self.state in (StepState.FAILED, StepState.TIMED_OUT))


class View(Protocol):
    """Shows a build to somebody. Its methods are called from several threads."""

    def began(self, name: str, attempt: int) -> None:
        """A step really runs now."""

    def wrote(self, name: str, lines: Sequence[str]) -> None:
        """A running step wrote these lines."""

    def ended(self, end: StepEnd) -> None:
        """A step, or the setup, ended."""

    def note(self, text: str) -> None:
        """Something beside the steps."""
