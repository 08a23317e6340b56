"""The seam between an agent and the way in which a command runs."""

from __future__ import annotations

from datetime import timedelta
from typing import Protocol

from tidegate.model.lease import PolledStep, StepCommand, StepHandle


class Runner(Protocol):
    """Runs a step's command apart from the agent, so that either may die without the other."""

    def start(self, command: StepCommand) -> StepHandle:
        """Start the command in a process group of its own; its folder is locked before it begins."""

    def poll(self, handle: StepHandle) -> PolledStep:
        """What became of it; works in another process than the one that started it."""

    def cancel(self, handle: StepHandle, grace: timedelta) -> None:
        """End the whole group: first gently, after `grace` by force. Returns when nothing of it is left."""
