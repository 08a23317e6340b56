"""The seam between an agent and the way in which a command runs."""

from __future__ import annotations

from datetime import timedelta
from typing import Protocol

from tidegate.model.lease import PolledStep, StepCommand, StepHandle


class StepNotStarted(Exception):
    """The command could not be started and nothing of it ran; the message says why."""


class AttemptTaken(StepNotStarted):
    """Another agent started, or is starting, the command in this folder."""


class StepWillNotEnd(Exception):
    """Something of the command survives even being ended by force; the message names the processes."""


class Runner(Protocol):
    """Runs a step's command apart from the agent, so that either may die without the other."""

    def start(self, command: StepCommand) -> StepHandle:
        """Start the command in a process group of its own; its folder is locked before it begins.

        Raises StepNotStarted, or AttemptTaken where something was started in that folder before.
        """

    def find(self, folder: str) -> StepHandle | None:
        """The handle of what was started in `folder`, by whichever process; None where nothing was."""

    def poll(self, handle: StepHandle) -> PolledStep:
        """What became of it; works in another process than the one that started it."""

    def wait(self, handle: StepHandle, seconds: float) -> PolledStep:
        """As `poll`, but while it runs, wait up to `seconds` for its end and return at once when it comes."""

    def cancel(self, handle: StepHandle, grace: timedelta) -> None:
        """End the whole group: first gently, after `grace` by force. Returns when nothing of it is left.

        Raises StepWillNotEnd.
        """
