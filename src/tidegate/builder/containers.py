"""Steps in containers, and with services beside them, on a person's machine."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

from tidegate.builder.command import Bounds, Command, Ended, Limits, ProcessShell, ended
from tidegate.builder.step_log import StepLog
from tidegate.builder.stop import Stop
from tidegate.model.lease import Mount, ProcessState, StepCommand, StepHandle, StepOutcome
from tidegate.runners.container import ContainerRunner
from tidegate.runners.engine import Engine
from tidegate.runners.runner import StepNotStarted, StepWillNotEnd
from tidegate.runners.sidecars import ContainerSidecars

_LOOK_SECONDS = 0.1
_CHUNK_BYTES = 65536
_OF_THIS_MACHINE = ("PATH",)
"""Variables that say nothing in an image, which has its own."""


class _Stopped(Exception):
    """The build is to end while a container is prepared."""


def _raising(stop: Stop) -> Callable[[], None]:
    """What is called again and again while a container is prepared."""

    def check_in() -> None:
        if stop.asked:
            raise _Stopped

    return check_in


@dataclass
class ContainerShell:
    """Runs commands with an image in containers, others as processes, both beside their sidecars.

    `owner` names the working tree on the containers: what a killed build of it left is removed before the first one.
    """

    owner: str
    limits: Limits = Limits()
    engine: Engine = field(default_factory=Engine)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def run(self, command: Command, log: StepLog, stop: Stop) -> Ended:
        """See `Shell.run`."""
        with self._lock:
            runner = self._runner
        try:
            image = runner.digest_of(command.image, _raising(stop)) if command.image else None
            return replace(self._run_beside(command, log, stop), image=image)
        except StepNotStarted as error:
            return Ended(StepOutcome.FAILED, None, str(error))
        except StepWillNotEnd as error:
            return Ended(StepOutcome.FAILED, None, f"it could not be ended: {error}")
        except _Stopped:
            return Ended(StepOutcome.CANCELLED, None, "it was cancelled before it ran")

    @cached_property
    def _runner(self) -> ContainerRunner:
        runner = ContainerRunner(self.owner, engine=self.engine)
        runner.remove_all_but(())
        return runner

    def _run_beside(self, command: Command, log: StepLog, stop: Stop) -> Ended:
        """Run a command beside its sidecars. Raises StepNotStarted, StepWillNotEnd, _Stopped."""
        if not command.sidecars:
            return self._run_command(command, None, log, stop)
        sidecars = ContainerSidecars(self.owner, self.engine)
        folder = str(command.folder)
        beside = sidecars.start(folder, command.sidecars, command.image is not None, _raising(stop))
        try:
            found = replace(command, env={**command.env, **beside.env})
            how = self._run_command(found, beside.network, log, stop)
            if how.outcome is StepOutcome.SUCCEEDED:
                return how
            return replace(how, detail="\n".join((how.detail, *sidecars.fallen(folder))))
        finally:
            sidecars.remove(folder)

    def _run_command(self, command: Command, network: str | None, log: StepLog, stop: Stop) -> Ended:
        if command.image is None:
            return ProcessShell(self.limits).run(command, log, stop)
        mounts = tuple(Mount(str(folder)) for folder in (*command.shared, command.folder))
        env = {name: value for name, value in command.env.items() if name not in _OF_THIS_MACHINE}
        folder = command.folder / "container"
        asked = StepCommand(
            command.script, str(command.cwd), str(folder), env, command.image, mounts=mounts, network=network
        )
        handle = self._runner.start(asked)
        try:
            return self._follow(command, handle, log, stop)
        except BaseException:
            self._runner.cancel(handle, timedelta(0))
            raise

    def _follow(self, command: Command, handle: StepHandle, log: StepLog, stop: Stop) -> Ended:
        """Follow a container to its end, and end it where it has to be."""
        bounds = Bounds.of(command, self.limits)
        why: Ended | None = None
        with (Path(handle.folder) / "output").open("rb") as output:
            polled = self._runner.wait(handle, _LOOK_SECONDS)
            while polled.state is ProcessState.RUNNING:
                self._read(output, log)
                why = bounds.broken_by(log, stop, time.monotonic())
                if why is not None:
                    break
                polled = self._runner.wait(handle, _LOOK_SECONDS)
            self._end(handle, self.limits.grace_seconds if why else self.limits.leftover_seconds, stop)
            self._read(output, log)
        log.flush()
        return ended(why, self._runner.poll(handle).exit_code, log, self.limits)

    def _read(self, output: BinaryIO, log: StepLog) -> None:
        while not self.limits.exceeded_by(log) and (chunk := output.read(_CHUNK_BYTES)):
            log.feed(chunk)

    def _end(self, handle: StepHandle, grace_seconds: float, stop: Stop) -> None:
        """End a container: gently at first, at once when that is wished for meanwhile. Raises StepWillNotEnd."""
        failed: list[StepWillNotEnd] = []

        def end_gently() -> None:
            try:
                self._runner.cancel(handle, timedelta(seconds=grace_seconds))
            except StepWillNotEnd as error:
                failed.append(error)

        ending = threading.Thread(target=end_gently)
        ending.start()
        while ending.is_alive():
            ending.join(_LOOK_SECONDS)
            if stop.hurry and ending.is_alive():
                with suppress(StepWillNotEnd):
                    self._runner.cancel(handle, timedelta(0))
        if failed:
            raise failed[0]
