"""A step's command: started in a session of its own, followed to its end, and ended with all that it started."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from tidegate.agent.endings import exit_in_words, wrote_too_much
from tidegate.builder.leader import MARK, Leader
from tidegate.builder.step_log import StepLog
from tidegate.builder.stop import Stop
from tidegate.model.lease import StepOutcome
from tidegate.model.pipeline import Sidecar

_FORCE_SECONDS = 30.0
_POLL_SECONDS = 0.02
_BLIND_POLL_SECONDS = 0.05
_LONGEST_POLL_SECONDS = 3600.0
_OUTPUT_HELD_SECONDS = 0.5
"""How long after all has ended the output may be held open, by what cannot be found."""

_CHUNK_BYTES = 65536


@dataclass(frozen=True, slots=True)
class Limits:
    """What one command may take, as on an agent: so long to end when it is asked to, and a log of such a size."""

    grace_seconds: float = 10.0
    leftover_seconds: float = 2.0
    output_bytes: int = 256 * 1024 * 1024
    lines: int = 1_000_000

    def exceeded_by(self, log: StepLog) -> str:
        """What was written too much of, in words; empty where all is well."""
        if log.bytes > self.output_bytes:
            return f"more than {self.output_bytes / 1024**2:g} MiB"
        return f"more than {self.lines} lines" if log.lines > self.lines else ""


@dataclass(frozen=True, slots=True)
class Command:
    """A script for `sh -eu` in `cwd` with exactly this environment, which is ended after so many seconds.

    `folder` is for files about it. `mark` is what its processes are known by; no other command has the same. With an
    `image` it runs in a container, which sees `folder` and the `shared` folders; `sidecars` run beside it.
    """

    script: str
    cwd: Path
    folder: Path
    env: Mapping[str, str]
    seconds: float
    mark: str
    image: str | None = None
    sidecars: tuple[Sidecar, ...] = ()
    shared: tuple[Path, ...] = ()
    taken_seconds: float = 0.0
    """What another command has taken of its time already."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended; `detail` says in words what went wrong. `image` is the digest of the one that it ran in."""

    outcome: StepOutcome
    exit_code: int | None = None
    detail: str = ""
    image: str | None = None


@dataclass(frozen=True, slots=True)
class Bounds:
    """What ends a command that does not end by itself; `until` is by the monotonic clock."""

    limits: Limits
    seconds: float
    until: float

    @classmethod
    def of(cls, command: Command, limits: Limits) -> Bounds:
        """The bounds of a command that begins now."""
        return cls(limits, command.seconds, time.monotonic() + command.seconds - command.taken_seconds)

    def broken_by(self, log: StepLog, stop: Stop, now: float) -> Ended | None:
        """Why the command must end, None where it may go on."""
        if stop.asked:
            return Ended(StepOutcome.CANCELLED, None, "it was cancelled while it ran")
        if now >= self.until:
            return Ended(StepOutcome.TIMED_OUT, None, f"it took longer than its timeout of {self.seconds:g} s")
        beyond = self.limits.exceeded_by(log)
        return Ended(StepOutcome.FAILED, None, wrote_too_much(beyond, stopped=True)) if beyond else None


class Shell(Protocol):
    """Runs commands of steps."""

    def run(self, command: Command, log: StepLog, stop: Stop) -> Ended:
        """Run a command until nothing of it is left; it is ended early when `stop` is asked."""


@dataclass(frozen=True, slots=True)
class ProcessShell:
    """Runs commands as processes of this machine."""

    limits: Limits = Limits()

    def run(self, command: Command, log: StepLog, stop: Stop) -> Ended:
        """See `Shell.run`."""
        script = command.folder / "script"
        script.write_text(command.script)
        try:
            process = subprocess.Popen(
                ["/bin/sh", "-eu", str(script)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                bufsize=0,
                cwd=command.cwd,
                env={**command.env, MARK: command.mark},
                umask=0o022,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            return Ended(StepOutcome.FAILED, None, f"the command could not be started in {command.cwd}: {error}")
        with process:
            leader = Leader.of(process.pid, command.mark)
            try:
                return _Following(Bounds.of(command, self.limits), process, leader, log, stop).follow()
            except BaseException:
                leader.signal(signal.SIGKILL)
                raise


@dataclass(slots=True)
class _Following:
    """A started command on the way to its end."""

    bounds: Bounds
    process: subprocess.Popen[bytes]
    leader: Leader
    log: StepLog
    stop: Stop
    _output: int = field(init=False)
    _poller: select.poll = field(default_factory=select.poll)
    _end: int | None = None
    _is_open: bool = True
    _has_exited: bool = False
    _why: Ended | None = None
    _force_at: float | None = None

    def __post_init__(self) -> None:
        assert self.process.stdout is not None
        self._output = self.process.stdout.fileno()

    def follow(self) -> Ended:
        """Follow it until nothing of it is left."""
        self._end = _end_of(self.process)
        try:
            for descriptor in (self._output, self.stop.signalled, *(() if self._end is None else (self._end,))):
                self._poller.register(descriptor, select.POLLIN)
            while not self._is_over():
                self._press()
                self._look(self._patience())
        finally:
            if self._end is not None:
                os.close(self._end)
        self._read_rest()
        return self._ended()

    def _is_over(self) -> bool:
        if not self._has_exited:
            return False
        if not self.leader.members():
            return True
        return self._force_at is not None and time.monotonic() > self._force_at + _FORCE_SECONDS

    def _look(self, seconds: float) -> None:
        """Wait for output, the end or a signal, at most so long."""
        for descriptor, _ in self._poller.poll(min(max(0, seconds), _LONGEST_POLL_SECONDS) * 1000):
            if descriptor == self._output:
                self._read()
            elif descriptor == self.stop.signalled:
                self._poller.unregister(descriptor)
        if self._end is None or not self._has_exited:
            self._has_exited = self.process.poll() is not None
            if self._has_exited and self._end is not None:
                self._poller.unregister(self._end)

    def _read(self) -> None:
        chunk = os.read(self._output, _CHUNK_BYTES)
        if not chunk:
            self._poller.unregister(self._output)
            self._is_open = False
        elif not self.bounds.limits.exceeded_by(self.log):
            self.log.feed(chunk)

    def _patience(self) -> float:
        if self._force_at is not None or self._has_exited:
            return _POLL_SECONDS
        left = self.bounds.until - time.monotonic()
        return left if self._end is not None else min(left, _BLIND_POLL_SECONDS)

    def _press(self) -> None:
        """End the command where it has to be: gently at first, by force when its time for that is over."""
        now = time.monotonic()
        if self._force_at is None:
            limits = self.bounds.limits
            if not self._has_exited:
                self._why = self.bounds.broken_by(self.log, self.stop, now)
                if self._why is None:
                    return
            self._force_at = now + (limits.leftover_seconds if self._has_exited else limits.grace_seconds)
            self.leader.signal(signal.SIGTERM, signal.SIGCONT)
        elif now >= self._force_at or self.stop.hurry:
            self.leader.signal(signal.SIGKILL)

    def _read_rest(self) -> None:
        until = time.monotonic() + _OUTPUT_HELD_SECONDS
        poller = select.poll()
        poller.register(self._output, select.POLLIN)
        while self._is_open and poller.poll(max(0, until - time.monotonic()) * 1000):
            self._read()
        self.log.flush()

    def _ended(self) -> Ended:
        status = self.process.returncode
        return ended(self._why, status if status >= 0 else 128 - status, self.log, self.bounds.limits)


def _end_of(process: subprocess.Popen[bytes]) -> int | None:
    """A descriptor that can be read when the process has ended, None where the system has none."""
    try:
        return os.pidfd_open(process.pid)
    except (AttributeError, OSError):
        return None


def ended(why: Ended | None, exit_code: int | None, log: StepLog, limits: Limits) -> Ended:
    """How a command ended that was ended because of `why`, or that exited by itself."""
    beyond = limits.exceeded_by(log)
    if why is None and exit_code is not None and beyond:
        why = Ended(StepOutcome.FAILED, None, wrote_too_much(beyond, stopped=False))
    if why is not None:
        log.say(why.detail)
        return replace(why, exit_code=exit_code)
    if exit_code is None:
        return Ended(StepOutcome.FAILED, None, "it is gone and left no exit status")
    if exit_code == 0:
        return Ended(StepOutcome.SUCCEEDED, 0)
    return Ended(StepOutcome.FAILED, exit_code, exit_in_words(exit_code))
