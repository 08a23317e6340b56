"""Steps with an image run in a container, all others as a process."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from tidegate.model.lease import PolledStep, StepCommand, StepHandle
from tidegate.runners.container import ContainerRunner, is_of_container
from tidegate.runners.process import ProcessRunner
from tidegate.runners.runner import Runner


@dataclass(frozen=True, slots=True)
class RunnerByImage:
    """Gives every command to the runner that it needs; which one has a command is seen in its folder."""

    processes: ProcessRunner
    containers: ContainerRunner

    def start(self, command: StepCommand) -> StepHandle:
        """See `Runner.start`."""
        runner: Runner = self.processes if command.image is None else self.containers
        return runner.start(command)

    def find(self, folder: str) -> StepHandle | None:
        """See `Runner.find`."""
        return self._of(folder).find(folder)

    def poll(self, handle: StepHandle) -> PolledStep:
        """See `Runner.poll`."""
        return self._of(handle.folder).poll(handle)

    def wait(self, handle: StepHandle, seconds: float) -> PolledStep:
        """See `Runner.wait`."""
        return self._of(handle.folder).wait(handle, seconds)

    def cancel(self, handle: StepHandle, grace: timedelta) -> None:
        """See `Runner.cancel`."""
        self._of(handle.folder).cancel(handle, grace)

    def _of(self, folder: str) -> Runner:
        return self.containers if is_of_container(folder) else self.processes
