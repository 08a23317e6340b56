"""Finding and ending the processes that belong to a data folder."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

import psutil

from tidegate.supervision import marks
from tidegate.supervision.run_folder import RunFolder
from tidegate.supervision.starts import Starts

_LOOK_EVERY_SECONDS = 0.02
_FORCE_SECONDS = 5.0
_ROUNDS = 10
_SAME_START_SECONDS = 60.0
"""The launcher notes its start a little after the system did: less than this, or the process id is another's."""


@dataclass(frozen=True, slots=True)
class Found:
    """A process that belongs to a data folder; `program` is empty where it is not known to which program."""

    process: psutil.Process
    program: str


@dataclass(frozen=True, slots=True)
class Ended:
    """A process that was ended; `forced` where it had to be killed."""

    pid: int
    program: str
    command: str
    forced: bool

    def __str__(self) -> str:
        how = "killed" if self.forced else "ended"
        return f"{how} process {self.pid} ({self.command}) of {self.program or 'this data folder'}"


def programs_running(folder: RunFolder, starts: Mapping[str, Starts]) -> list[Found]:
    """The processes of a data folder's programs, whether or not supervisord runs.

    A process is found by its mark. One that has overwritten its own environment (servers that set their title do) is
    found by its process group, where the group's leader is the process that `starts` recorded for a program.
    """
    groups = {one.pid: name for name, one in starts.items() if _is_recorded_process(one)}
    found = []
    for process, env in _others():
        program = marks.marked_program(folder.data, env.get(marks.PROGRAM))
        if program is None and env.get(marks.RUN_FOLDER) == str(folder.path):
            program = env.get("SUPERVISOR_PROCESS_NAME")  # a launcher that has not become its program yet
        if program is None:
            program = groups.get(_group(process.pid))
        if program is not None:
            found.append(Found(process, program))
    return found


def supervisord_running(folder: RunFolder) -> psutil.Process | None:
    """The supervisord of a data folder, whether or not it answers."""
    for process, env in _others():
        if env.get(marks.RUN_FOLDER) == str(folder.path) and "SUPERVISOR_PROCESS_NAME" not in env:
            return process
    return None


def parts_running(folder: RunFolder) -> list[Found]:
    """All processes marked as part of a data folder, and their descendants."""
    found: dict[int, Found] = {}
    for process, env in _others():
        if env.get(marks.PART_OF) != str(folder.data) and env.get(marks.RUN_FOLDER) != str(folder.path):
            continue
        program = marks.marked_program(folder.data, env.get(marks.PROGRAM)) or ""
        found[process.pid] = Found(process, program)
        with contextlib.suppress(psutil.Error):
            for child in process.children(recursive=True):
                found.setdefault(child.pid, Found(child, program))
    return [found[pid] for pid in found.keys() - _spared()]


def end(found: Collection[Found], grace_seconds: float) -> tuple[Ended, ...]:
    """End processes: all are asked first, and what is left after `grace_seconds` is killed.

    Raises ProcessesRemain where even that did not end them within five seconds.
    """
    commands = {one.process.pid: _command(one.process) for one in found}
    _each(found, psutil.Process.terminate)
    stubborn = _left_after(found, grace_seconds)
    _each(stubborn, psutil.Process.kill)
    remaining = _left_after(stubborn, _FORCE_SECONDS)
    if remaining:
        raise ProcessesRemain(", ".join(f"{one.process.pid} ({commands[one.process.pid]})" for one in remaining))
    forced = {one.process.pid for one in stubborn}
    return tuple(
        Ended(one.process.pid, one.program, commands[one.process.pid], one.process.pid in forced) for one in found
    )


def runs(process: psutil.Process) -> bool:
    """Whether it runs; one that has ended and was not yet collected by its parent does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def wait_for_end(process: psutil.Process, seconds: float) -> bool:
    """Wait until the process has ended, `seconds` at most; whether it has."""
    return not _left_after([Found(process, "")], seconds)


def end_all(find: Callable[[], Collection[Found]], grace_seconds: float) -> tuple[Ended, ...]:
    """End what `find` finds until it finds nothing: while processes are being ended, they may start others.

    Raises ProcessesRemain where new ones appear again and again.
    """
    ended: tuple[Ended, ...] = ()
    for _ in range(_ROUNDS):
        found = find()
        if not found:
            return ended
        ended += end(found, 0 if ended else grace_seconds)
    raise ProcessesRemain(f"new processes appear faster than they can be ended: {find()}")


class ProcessesRemain(Exception):
    """Processes could not be ended, even by force; the message lists them."""


def _others() -> Iterator[tuple[psutil.Process, dict[str, str]]]:
    """Every process with an environment that we may read, but for this one and those that it runs in."""
    spared = _spared()
    for process in psutil.process_iter():
        if process.pid not in spared:
            with contextlib.suppress(psutil.Error, OSError):
                if process.status() != psutil.STATUS_ZOMBIE:
                    yield process, process.environ()


def _spared() -> set[int]:
    return {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}


def _is_recorded_process(starts: Starts) -> bool:
    try:
        created = psutil.Process(starts.pid).create_time()
    except psutil.Error:
        return False
    return abs(created - starts.latest[-1]) < _SAME_START_SECONDS


def _group(pid: int) -> int:
    try:
        return os.getpgid(pid)
    except (ProcessLookupError, PermissionError):
        return -1


def _command(process: psutil.Process) -> str:
    """What the process is called; never its arguments, which may hold what is not for a log."""
    try:
        return process.name()
    except psutil.Error:
        return "gone"


def _each(found: Collection[Found], act: Callable[[psutil.Process], None]) -> None:
    for one in found:
        with contextlib.suppress(psutil.NoSuchProcess):
            act(one.process)


def _left_after(found: Collection[Found], seconds: float) -> list[Found]:
    """Those that still run once `seconds` have passed, or none as soon as all have ended."""
    deadline = time.monotonic() + seconds
    left = [one for one in found if runs(one.process)]
    while left and time.monotonic() < deadline:
        time.sleep(_LOOK_EVERY_SECONDS)
        left = [one for one in left if runs(one.process)]
    return left
