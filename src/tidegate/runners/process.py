"""A step's command as a process of this machine.

A tiny shell stands between the agent and the command. It is started first, waits until its pid and start time are
on disk, runs the command, carries its output to `output` and leaves the exit status in `exit`; so the command is
found, watched and ended by any later agent. The shell reads the command's output through a pipe, because a script
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
import subprocess
import time
from collections.abc import Mapping
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
from tidegate.runners.identity import boot_id, has_mark, pids, see
from tidegate.runners.runner import AttemptTaken, StepNotStarted, StepWillNotEnd

MARK = "TIDEGATE_MARK"
"""The environment variable by which the processes of an attempt are found wherever they have moved to."""

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

# Arguments: the command. Standard output is the file of the exit status, standard error the file of the output.
# Gentle signals are for the command alone: the shell stays to note the status, `cat` to carry the last lines.
_SHIM = """\
trap : TERM INT HUP QUIT
read -r begin || { echo unbegun; exit 0; }
exec 3>&1 </dev/null
{ trap : TERM INT HUP QUIT; "$@" 2>&1 3>&-; echo "$?" >&3; } | { trap '' TERM INT HUP QUIT; exec cat >&2 3>&-; }
"""

_UNBEGUN = "unbegun\n"
"""What the shell leaves instead of a status when its agent died before it might begin: nothing of it ran."""

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
            script = write_script(folder, command.script, self.run_as)
            return self._start_shim(folder, script, command)

    def find(self, folder: str) -> StepHandle | None:
        """See `Runner.find`. A handle that cannot be read (a power cut) is of another boot: what it was, is gone."""
        try:
            text = (Path(folder) / "handle.json").read_text()
        except FileNotFoundError:
            return None
        if read_lines(Path(folder) / "exit") == _UNBEGUN:
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
        """See `Runner.wait`. Woken by the kernel when the shell ends, where the system can."""
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
                raise StepWillNotEnd(f"the processes {sorted(members)} survived SIGKILL for {_FORCE_SECONDS:g} s")
            _signal(members, signal.SIGKILL)
            time.sleep(_POLL_SECONDS)
            members = _members(handle, self._uid)

    @property
    def _uid(self) -> int:
        return os.geteuid() if self.run_as is None else self.run_as

    def _start_shim(self, folder: Path, script: Path, command: StepCommand) -> StepHandle:
        env = {"PATH": self.path, **command.env, MARK: mark_of(folder)}
        argv = ["/bin/sh", "-c", _SHIM, "sh", "/bin/sh", "-eu", str(script)]
        with emptied(folder / "exit") as status, emptied(folder / "output") as output:
            shim = self._spawn(argv, command.cwd, env, status, output)
        _CHILDREN[shim.pid] = shim
        seen = see(shim.pid)
        assert seen is not None  # our own child, not yet waited for
        handle = StepHandle(str(folder), shim.pid, seen.started, boot_id())
        assert shim.stdin is not None
        with shim.stdin:
            # before this line of its input the shell runs nothing; without it (the agent is killed here) it leaves
            _write_handle(folder, handle)
            shim.stdin.write(b"begin\n")
        return handle

    def _spawn(
        self, argv: list[str], cwd: str, env: Mapping[str, str], status: int, output: int
    ) -> subprocess.Popen[bytes]:
        groups: list[int] | None = None if self.run_as is None else []
        try:
            return subprocess.Popen(
                argv,
                stdin=subprocess.PIPE,
                stdout=status,
                stderr=output,
                cwd=cwd,
                env=env,
                user=self.run_as,
                group=self.run_as,
                extra_groups=groups,
                umask=0o022,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            raise StepNotStarted(f"the command could not be started in {cwd}: {error}") from error


_CHILDREN: dict[int, subprocess.Popen[bytes]] = {}
"""The shells that this process started: a parent has to ask for their status, or they stay as zombies."""


def _write_handle(folder: Path, handle: StepHandle) -> None:
    write_whole(folder / "handle.json", asdict(handle))


def _leader_runs(handle: StepHandle) -> bool:
    leader = see(handle.pid)
    if leader is not None and leader.started == handle.started and not leader.ended:
        return True
    child = _CHILDREN.pop(handle.pid, None)
    if child is not None:
        child.wait()
    return False


def _members(handle: StepHandle, uid: int) -> set[int]:
    """The running processes of the attempt: its group, and those that carry its mark."""
    mark = mark_of(handle.folder)
    leader = see(handle.pid)
    # a pid is not given away again while a group has its number: another leader means that the group is gone
    has_group = (leader is None or leader.started == handle.started) and _group_exists(handle.pid)
    found = {pid for pid in pids(uid) if (has_group and _is_of_group(pid, handle)) or has_mark(pid, MARK, mark)}
    return {pid for pid in found if (seen := see(pid)) is not None and not seen.ended}


def _group_exists(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _is_of_group(pid: int, handle: StepHandle) -> bool:
    seen = see(pid)
    return (
        seen is not None and seen.group == handle.pid and seen.session == handle.pid and seen.started >= handle.started
    )


def _signal(members: set[int], number: signal.Signals) -> None:
    for pid in members:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def _sleep_until_end(handle: StepHandle, seconds: float) -> None:
    """Sleep until the shell ends, at most `seconds`; or a moment, where there is no shell to wait for."""
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
        # not for all that time: the status may come and the shell stay, for a child that keeps the output open
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
