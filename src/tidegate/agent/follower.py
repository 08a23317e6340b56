"""Following a command to its end: its output becomes the log, and it is ended where it has to be."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event

from tidegate.agent.endings import AttemptEnded, Dropped, Stopping, wrote_too_much
from tidegate.agent.lines import CutLine, LineCutter
from tidegate.agent.record import AttemptRecord, Part
from tidegate.agent.spool import LogSpool, OutputFile
from tidegate.model.lease import PolledStep, ProcessState, StepHandle, StepOutcome
from tidegate.runners.runner import Runner, StepWillNotEnd

_log = logging.getLogger(__name__)

_LOOK_SECONDS = 0.2
_READS_A_LOOK = 16
_LEFTOVER_GRACE = timedelta(seconds=2)
"""What a step leaves running when it ends is asked to end, and ended by force after this time."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one command may take: a log of so many bytes and lines, and so long to end when it is asked to."""

    cancel_grace: timedelta = timedelta(seconds=10)
    output_bytes: int = 256 * 1024 * 1024
    lines: int = 1_000_000


@dataclass(frozen=True, slots=True)
class Follower:
    """Follows the commands of one attempt. `stop`, `cancelled` and `dropped` are set by other threads."""

    record: AttemptRecord
    spool: LogSpool
    runner: Runner
    limits: Limits
    timeout: timedelta
    stop: Event
    cancelled: Event
    dropped: Event
    now: Callable[[], datetime]

    def follow(self, handle: StepHandle, part: Part) -> PolledStep:
        """Follow a command until nothing of it is left; gives how it exited.

        Raises AttemptEnded where the command was ended (cancelled, too long, too much output) or is lost, Dropped,
        and Stopping, which leaves it running.
        """
        now = self.now()
        left = self.timeout - max(timedelta(0), now - (self.record.clock_began(part) or now))
        deadline = time.monotonic() + left.total_seconds()
        output = _Output(Path(handle.folder) / "output", part, self)
        polled = self._wait(handle, deadline)
        while polled.state is ProcessState.RUNNING:
            output.read(_READS_A_LOOK)
            if self.dropped.is_set():
                raise Dropped
            if self.stop.is_set():
                raise Stopping
            if self._must_end(deadline, output):
                self.end(handle, self.limits.cancel_grace)
                polled = self.runner.poll(handle)
                break
            polled = self._wait(handle, deadline)
        self.end(handle, _LEFTOVER_GRACE)
        output.read()
        # of a command that ended by itself the rest is not kept either, so it must not pass for a whole log
        beyond = output.beyond_limit() if polled.state is ProcessState.EXITED else None
        too_much = (StepOutcome.FAILED, wrote_too_much(beyond, stopped=False)) if beyond else None
        ending = self.record.ending() or too_much
        output.finish(ending)
        if ending is not None:
            raise AttemptEnded(*ending, polled)
        if polled.state is ProcessState.GONE:
            raise AttemptEnded(StepOutcome.LOST, "the command's processes are gone and left no exit status", polled)
        return polled

    def end(self, handle: StepHandle, grace: timedelta) -> None:
        """End all processes of a command. Raises Stopping where they resist and the agent stops."""
        while True:
            try:
                self.runner.cancel(handle, grace)
                return
            except StepWillNotEnd as error:
                _log.error("attempt %s: %s; trying again", self.record.held, error)
                if self.stop.is_set():
                    raise Stopping from error

    def _wait(self, handle: StepHandle, deadline: float) -> PolledStep:
        return self.runner.wait(handle, min(_LOOK_SECONDS, max(0.0, deadline - time.monotonic())))

    def _must_end(self, deadline: float, output: _Output) -> bool:
        """Whether the command has to be ended now; why is on disk before it is."""
        if self.record.ending() is not None:
            return True
        if self.cancelled.is_set():
            self.record.keep_ending(StepOutcome.CANCELLED, "it was cancelled while it ran")
        elif time.monotonic() >= deadline:
            seconds = self.timeout.total_seconds()
            self.record.keep_ending(StepOutcome.TIMED_OUT, f"it took longer than its timeout of {seconds:g} s")
        elif (beyond := output.beyond_limit()) is not None:
            self.record.keep_ending(StepOutcome.FAILED, wrote_too_much(beyond, stopped=True))
        else:
            return False
        return True


class _Output:
    """Carries a command's output into the log as it grows, from where an earlier agent left off."""

    def __init__(self, path: Path, part: Part, follower: Follower) -> None:
        position = follower.spool.position
        offset = position.end if position.part == part else 0
        self._follower = follower
        self._part = part
        self._file = OutputFile(path, offset)
        self._cutter = LineCutter(offset)

    def read(self, most: int | None = None) -> None:
        """Keep what was written since the last look, at most so many chunks, as far as the limit allows."""
        while most != 0 and self.beyond_limit() is None and (chunk := self._file.read()):
            self._keep(self._cutter.feed(chunk))
            most = None if most is None else most - 1

    def finish(self, ending: tuple[StepOutcome, str] | None) -> None:
        """Keep a line without an end, and a last one that says why the attempt ended badly."""
        self._keep(self._cutter.flush())
        if ending is not None:
            self._keep([CutLine(f"── {ending[1]} ──", self._cutter.offset)])

    def beyond_limit(self) -> str | None:
        """What the command wrote too much of, in words."""
        limits = self._follower.limits
        if self._file.size > limits.output_bytes:
            return f"more than {limits.output_bytes / 1024**2:g} MiB"
        if self._follower.spool.count > limits.lines:
            return f"more than {limits.lines} lines"
        return None

    def _keep(self, lines: list[CutLine]) -> None:
        self._follower.spool.append(lines, self._part, self._follower.now())
