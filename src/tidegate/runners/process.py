"""A step's command as a process of this machine.

A keeper stands between the agent and the command; see `keeper`. It is started first, waits until its pid and start
time are on disk, runs the command, carries its output to `output` and leaves the exit status in `exit`; so the command
is found, watched and ended by any later agent. The keeper reads the command's output through a pipe, because a script
that writes to /dev/stderr would otherwise cut off the log at its beginning.

A process that clears its environment *and* begins a session of its own cannot be told from a stranger: the group's
end and `cancel` do not see it.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tidegate.model.lease import PolledStep, ProcessState, StepCommand, StepHandle
from tidegate.runners.attempt_folder import (
    emptied,
    exit_status,
    locked,
    mark_of,
    read_lines,
    write_script,
    write_whole,
)
from tidegate.runners.identity import SeenProcess, boot_id, has_mark, pids, see
from tidegate.runners.keeper import BEGIN, UNBEGUN
from tidegate.runners.newcomers import Started, newcomers, started_so_far
from tidegate.runners.runner import AttemptTaken, StepNotStarted, StepWillNotEnd
from tidegate.runners.spawner import NotSpawned, Order, spawner

MARK = "TIDEGATE_MARK"
"""The environment variable by which the processes of an attempt are found wherever they have moved to."""

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

_OUTPUT_HELD = timedelta(milliseconds=500)
"""How long after its exit a command's left-over children may keep the output open before it counts as ended."""

_FORCE_SECONDS = 30.0
_POLL_SECONDS = 0.02
_ORPHANS_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class ProcessRunner:
    """Runs commands as processes of this machine.

    `run_as` is the uid and gid that they run under (only root may give one; it needs no entry in the user
    database); None runs them as the agent's own user. `path` is their PATH where their environment names none.
    """

    run_as: int | None = None
    path: str = DEFAULT_PATH

    def start(self, command: StepCommand) -> StepHandle:
        """Start the command; see `Runner.start`. The folder is made where it is missing."""
        folder = Path(command.folder)
        folder.mkdir(mode=0o711, parents=True, exist_ok=True)
        with locked(folder):
            if self.find(command.folder) is not None:
                raise AttemptTaken(f"a command was started in {folder} before; it is not started twice")
            started_before = started_so_far()
            handle = self._start(folder, command)
            _STARTED_BEFORE[handle] = started_before
            return handle

    def find(self, folder: str) -> StepHandle | None:
        """See `Runner.find`. A handle that cannot be read (a power cut) is of another boot: what it was, is gone."""
        try:
            with open(f"{folder}/handle.json") as file:
                text = file.read()
        except FileNotFoundError:
            return None
        if read_lines(f"{folder}/exit") == UNBEGUN.decode():
            return None
        try:
            fields = json.loads(text)
            return StepHandle(folder, int(fields["pid"]), float(fields["started"]), str(fields["boot"]))
        except (ValueError, KeyError, TypeError):
            return StepHandle(folder, 0, 0.0, "unreadable")

    def poll(self, handle: StepHandle) -> PolledStep:
        """See `Runner.poll`."""
        ended = exit_status(handle.folder)
        if handle.boot != boot_id():
            return ended or PolledStep(ProcessState.GONE)
        leads = _leader_runs(handle)
        if ended is not None:
            assert ended.ended_at is not None
            waits_for_output = leads and datetime.now(UTC) - ended.ended_at < _OUTPUT_HELD
            return PolledStep(ProcessState.RUNNING) if waits_for_output else ended
        if leads:
            return PolledStep(ProcessState.RUNNING)
        # the status may have been written between the two looks
        ended = exit_status(handle.folder)
        if ended is not None:
            return ended
        return PolledStep(ProcessState.RUNNING if _members(handle, self._uid) else ProcessState.GONE)

    def wait(self, handle: StepHandle, seconds: float) -> PolledStep:
        """See `Runner.wait`. Woken by the kernel when the keeper ends, where the system can."""
        deadline = time.monotonic() + seconds
        while True:
            polled = self.poll(handle)
            left = deadline - time.monotonic()
            if polled.state is not ProcessState.RUNNING or left <= 0:
                return polled
            _sleep_until_end(handle, left)

    def cancel(self, handle: StepHandle, grace: timedelta) -> None:
        """See `Runner.cancel`."""
        if handle.boot != boot_id():
            return
        gentle_until = time.monotonic() + grace.total_seconds()
        members = _members(handle, self._uid)
        _signal(members, signal.SIGTERM)
        _signal(members, signal.SIGCONT)
        while members and time.monotonic() < gentle_until:
            time.sleep(_POLL_SECONDS)
            members = _members(handle, self._uid)
        force_until = time.monotonic() + _FORCE_SECONDS
        while members:
            if time.monotonic() > force_until:
                raise StepWillNotEnd(f"the processes {members} survived SIGKILL for {_FORCE_SECONDS:g} s")
            _signal(members, signal.SIGKILL)
            time.sleep(_POLL_SECONDS)
            members = _members(handle, self._uid)
        _STARTED_BEFORE.pop(handle, None)

    @property
    def _uid(self) -> int:
        return os.geteuid() if self.run_as is None else self.run_as

    def _start(self, folder: Path, command: StepCommand) -> StepHandle:
        begin, may_begin = os.pipe()
        with open(may_begin, "wb", buffering=0) as agent:
            with (
                open(begin, "rb", buffering=0),
                emptied(folder / "exit") as status,
                emptied(folder / "output") as output,
            ):
                pid = self._spawn(folder, command, begin, status, output)
            write_script(folder, command.script, self.run_as)
            seen = see(pid)
            if seen is None:
                raise StepNotStarted(f"the command's keeper, process {pid}, was killed before it began")
            handle = StepHandle(str(folder), pid, seen.started, boot_id())
            # before it reads this the keeper runs nothing; without it (the agent is killed here) it leaves
            _write_handle(folder, handle)
            with contextlib.suppress(BrokenPipeError):  # it was killed: whoever follows the command will see
                agent.write(BEGIN)
        return handle

    def _spawn(self, folder: Path, command: StepCommand, begin: int, status: int, output: int) -> int:
        env = {"PATH": self.path, **command.env, MARK: mark_of(command.folder)}
        order = Order(["/bin/sh", "-eu", str(folder / "script")], command.cwd, env, self.run_as)
        try:
            os.stat(f"{command.cwd}/.")  # a keeper has nobody to tell that there is none
            return spawner().spawn(order, begin, status, output)
        except (NotSpawned, OSError) as error:
            raise StepNotStarted(f"the command could not be started in {command.cwd}: {error}") from error


_STARTED_BEFORE: dict[StepHandle, Started | None] = {}
"""Of the commands that this process started and has not ended: see `newcomers`."""


def _write_handle(folder: Path, handle: StepHandle) -> None:
    write_whole(folder / "handle.json", asdict(handle))


def _leader_runs(handle: StepHandle) -> bool:
    leader = see(handle.pid)
    return leader is not None and leader.started == handle.started and not leader.ended


def _members(handle: StepHandle, uid: int) -> list[int]:
    """The running processes of the attempt: its keeper, its group, and those that carry its mark.

    Oldest first, so that a signal reaches a script before its commands: one that learns first that its command was
    ended takes that for a failure, and leaves without cleaning up.
    """
    mark = mark_of(handle.folder)
    leader = see(handle.pid)
    # a pid is not given away again while a group has its number: another leader means that the group is gone
    has_group = (leader is None or leader.started == handle.started) and _group_exists(handle.pid)
    found: list[SeenProcess] = []
    # the keeper does not count as its user's for the system, because it changed its user while it ran
    came = newcomers(_STARTED_BEFORE.get(handle), uid)
    for pid in {handle.pid, *(pids(uid) if came is None else came)}:
        seen = see(pid)
        if seen is None or seen.ended or seen.started < handle.started:
            continue
        if _is_keeper(seen, handle) or (has_group and _is_of_group(seen, handle)) or has_mark(pid, MARK, mark):
            found.append(seen)
    return [one.pid for one in sorted(found, key=lambda one: (one.started, one.pid))]


def _is_keeper(seen: SeenProcess, handle: StepHandle) -> bool:
    return seen.pid == handle.pid and seen.started == handle.started


def _group_exists(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _is_of_group(seen: SeenProcess, handle: StepHandle) -> bool:
    return seen.group == handle.pid and seen.session == handle.pid


def _signal(members: list[int], number: signal.Signals) -> None:
    for pid in members:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def _sleep_until_end(handle: StepHandle, seconds: float) -> None:
    """Sleep until the keeper ends, at most `seconds`; or a moment, where there is no keeper to wait for."""
    leader = see(handle.pid)
    if leader is None or leader.ended or not hasattr(os, "pidfd_open"):
        time.sleep(min(seconds, _ORPHANS_SECONDS))
        return
    try:
        end = os.pidfd_open(handle.pid)
    except OSError:
        return
    try:
        poller = select.poll()
        poller.register(end, select.POLLIN)
        # not for all that time: the status may come and the keeper stay, for a child that keeps the output open
        poller.poll(max(1, int(min(seconds, _OUTPUT_HELD.total_seconds()) * 1000)))
    finally:
        os.close(end)


def default_path(run_as: int | None) -> str:
    """The PATH of the agent itself, so that steps find what its user installed.

    For another user without the folders that it may not enter: a shell that meets one of them says of a command that
    does not exist that it is forbidden.
    """
    path = os.environ.get("PATH", DEFAULT_PATH)
    if run_as is None:
        return path
    return os.pathsep.join(folder for folder in path.split(os.pathsep) if _is_open(folder)) or DEFAULT_PATH


def _is_open(folder: str) -> bool:
    way = (Path(folder), *Path(folder).parents)
    try:
        return Path(folder).is_absolute() and all(part.stat().st_mode & 0o001 for part in way)
    except OSError:
        return False
