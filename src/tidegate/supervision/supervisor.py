"""Keeps programs alive apart from the server."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import time
import xmlrpc.client
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tidegate.supervision import daemon, processes, rpc
from tidegate.supervision.daemon import SupervisorFailed
from tidegate.supervision.endings import Ending, read_endings
from tidegate.supervision.processes import Ended
from tidegate.supervision.program import ABSENT, Program, ProgramPhase, ProgramState
from tidegate.supervision.rpc import SupervisorAway
from tidegate.supervision.run_folder import RunFolder, write_private
from tidegate.supervision.starts import Starts, read_starts

__all__ = ["Supervisor", "SupervisorAway", "SupervisorFailed"]

_LOG_LIMIT_BYTES = 10 * 1024 * 1024
_PATIENCE_SECONDS = 10.0
"""How much longer than a program's own stop grace its end may take before that is an error."""
_LOCK_SECONDS = 60.0
_GOES_ON = (ProgramPhase.STARTING, ProgramPhase.RUNNING, ProgramPhase.BACKOFF)
_LOOK_EVERY_SECONDS = 0.02


class Supervisor:
    """supervisord of the data folder `data`, and the programs that it keeps alive.

    Programs are kept by name. Several processes may use one data folder's supervisor at a time. Every method but
    `ensure_running`, `keep_logs_small` and `shutdown` raises SupervisorAway where supervisord does not answer.
    """

    def __init__(self, data: Path) -> None:
        self._folder = RunFolder(data.resolve())

    def ensure_running(self) -> tuple[Ended, ...]:
        """Start supervisord if it does not run; all programs that were put come back with it.

        Returns the processes of an earlier supervisord that were still there and had to be ended first. Raises
        SupervisorAway where it runs but does not answer (a stopped process: ending what it keeps alive would do
        more harm than waiting), and SupervisorFailed where it cannot be started.
        """
        self._folder.create()
        with self._locked():
            if self._answers():
                return ()
            self._refuse_if_merely_silent()
            orphans = self._end_programs()
            for name in self._names():
                self._folder.starts(name).unlink(missing_ok=True)
            self._folder.make_room_for_socket()
            daemon.write_conf(self._folder, self._definitions().values())
            daemon.start(self._folder)
            return orphans

    def put(self, program: Program) -> None:
        """Make `program` the definition under its name, and start it where it does not run.

        Nothing happens when it is already so. A changed definition replaces the running program, and one that is
        stopping is started again: both wait for its end, its stop grace at most. A program without `autorestart` is
        started once only; putting it again does not repeat it unless it was removed in between or supervisord was
        restarted.
        """
        with self._locked():
            phase = self._phase(program.name)
            text = program.to_json()
            if self._is_put(program) and (
                phase in _GOES_ON or (phase is ProgramPhase.EXITED and not program.autorestart)
            ):
                return
            self._take_out(program.name, wait=True)
            self._bring_in(program, text)

    def _is_put(self, program: Program) -> bool:
        definition = self._folder.definition(program.name)
        if not definition.exists():
            return False
        text = definition.read_text(encoding="utf-8")
        if text == program.to_json():
            return True
        try:
            return not program.is_another_than(Program.from_json(text))
        except (ValueError, KeyError):
            return False

    def remove(self, name: str, *, wait: bool = True) -> bool:
        """Stop a program and forget it, with all that its process left behind.

        Without `wait` it only begins to stop the program where it runs: call again until the answer is True, which
        means that nothing of it is left.
        """
        with self._locked():
            return self._take_out(name, wait)

    def state(self, name: str) -> ProgramState:
        """How the program is; its phase is ABSENT where supervisord does not know it."""
        return self.states().get(name, ABSENT)

    def states(self) -> Mapping[str, ProgramState]:
        """How every program is, by name."""
        infos = self._ask("getAllProcessInfo")
        endings = read_endings(self._folder.log)
        return {info["name"]: self._read_state(info, endings.get(info["name"])) for info in infos}

    def shutdown(self) -> tuple[Ended, ...]:
        """End supervisord and every process that belongs to the data folder, whether or not supervisord answers.

        What was put is kept: it starts again with the next `ensure_running`. Returns the processes that supervisord
        did not end itself. Raises processes.ProcessesRemain where one cannot be ended.
        """
        if not self._folder.path.exists():
            return ()
        with self._locked():
            parts = processes.parts_running(self._folder)
            supervisord = processes.supervisord_running(self._folder)
            grace = self._longest_grace()
            if supervisord is not None and self._answers():
                with contextlib.suppress(SupervisorAway):
                    self._stop_all(grace)
                    self._ask("shutdown")
                    processes.wait_for_end(supervisord, _PATIENCE_SECONDS)
            # descendants that were seen before count too: their parents are gone, which would hide them now
            ended = processes.end([one for one in parts if processes.runs(one.process)], grace)
            ended += processes.end_all(lambda: processes.parts_running(self._folder), grace)
            self._folder.remove_short_folder()
            return ended

    def keep_logs_small(self) -> None:
        """Put aside what programs wrote, where it has grown: copied and cut, because they keep the file open."""
        with self._locked():
            for program in self._definitions().values():
                if program.log.exists() and program.log.stat().st_size > _LOG_LIMIT_BYTES:
                    shutil.copyfile(program.log, program.log.with_name(program.log.name + ".1"))
                    os.truncate(program.log, 0)

    def _ask(self, method: str, *arguments: object, limit_seconds: float = 5.0) -> Any:
        return rpc.ask(self._folder.socket, method, *arguments, limit_seconds=limit_seconds)

    def _answers(self) -> bool:
        try:
            self._ask("getState", limit_seconds=2.0)
        except SupervisorAway:
            return False
        return True

    def _refuse_if_merely_silent(self) -> None:
        """Raise SupervisorAway where supervisord runs; but one whose socket has gone can never answer: end it."""
        process = processes.supervisord_running(self._folder)
        if process is None:
            return
        if self._folder.socket.exists():
            raise SupervisorAway(
                f"supervisord runs (process {process.pid}, {process.status()}) but does not answer; let it go on "
                f"(kill -CONT {process.pid}) or end it, then everything it keeps alive is started anew"
            )
        processes.end([processes.Found(process, "supervisord")], self._longest_grace() + _PATIENCE_SECONDS)

    def _stop_all(self, grace: float) -> None:
        """Stop all programs at once (supervisord's own shutdown ends one after another)."""
        self._ask("stopAllProcesses", False)
        deadline = time.monotonic() + grace + _PATIENCE_SECONDS
        # asking also wakes supervisord, which else notices an end within a second only
        while any(info["pid"] for info in self._ask("getAllProcessInfo")) and time.monotonic() < deadline:
            time.sleep(_LOOK_EVERY_SECONDS)

    def _bring_in(self, program: Program, text: str) -> None:
        name = program.name
        self._forget(name)
        program.log.parent.mkdir(parents=True, exist_ok=True)
        write_private(self._folder.definition(name), text)
        daemon.write_conf(self._folder, self._definitions().values())
        self._ask("reloadConfig")
        with _ignoring(rpc.ALREADY_ADDED):
            self._ask("addProcessGroup", name)
        self._start(name)

    def _start(self, name: str) -> None:
        # an end within its first moments is no failure to start it: its state tells
        with _ignoring(rpc.ALREADY_STARTED, rpc.SPAWN_ERROR):
            self._ask("startProcess", name, False)

    def _take_out(self, name: str, wait: bool) -> bool:
        """Stop the program and remove every trace of it; False where it goes on stopping and `wait` is False."""
        with _ignoring(rpc.NOT_RUNNING, rpc.BAD_NAME):
            self._ask("stopProcess", name, False)
        deadline = time.monotonic() + self._grace(name) + _PATIENCE_SECONDS
        while not self._group_removed(name):
            if not wait:
                return False
            if time.monotonic() > deadline:
                raise SupervisorFailed(f"{name} does not end, even by force; see {self._folder.log}")
            time.sleep(_LOOK_EVERY_SECONDS)
        if self._folder.definition(name).exists():
            processes.end_all(lambda: [one for one in self._programs_running() if one.program == name], 0.5)
            self._folder.definition(name).unlink()
            daemon.write_conf(self._folder, self._definitions().values())
        self._forget(name)
        return True

    def _group_removed(self, name: str) -> bool:
        try:
            self._ask("removeProcessGroup", name)
        except xmlrpc.client.Fault as fault:
            if fault.faultCode == rpc.STILL_RUNNING:
                return False
            if fault.faultCode != rpc.BAD_NAME:
                raise
        return True

    def _forget(self, name: str) -> None:
        self._folder.starts(name).unlink(missing_ok=True)
        self._folder.failure(name).unlink(missing_ok=True)

    def _phase(self, name: str) -> ProgramPhase:
        try:
            return ProgramPhase(self._ask("getProcessInfo", name)["statename"].lower())
        except xmlrpc.client.Fault as fault:
            if fault.faultCode == rpc.BAD_NAME:
                return ProgramPhase.ABSENT
            raise

    def _read_state(self, info: Mapping[str, Any], ending: Ending | None) -> ProgramState:
        name = info["name"]
        phase = ProgramPhase(info["statename"].lower())
        starts = read_starts(self._folder.starts(name))
        if starts is None:
            return ProgramState(phase, pid=info["pid"] or None, description="not started yet")
        if ending is not None and ending.at < starts.first:
            ending = None  # of an earlier program of that name
        failure = self._folder.failure(name)
        why = failure.read_text(encoding="utf-8") if failure.exists() else ""
        if why and phase is not ProgramPhase.RUNNING:
            phase = ProgramPhase.FATAL
        return ProgramState(
            phase=phase,
            pid=info["pid"] or None,
            exit_code=_exit_code(phase, info, ending),
            restarts=starts.count - 1,
            first_started_at=_moment(starts.first),
            started_at=tuple(_moment(at) for at in starts.latest),
            description=why or str(ending or phase),
        )

    def _programs_running(self) -> list[processes.Found]:
        return processes.programs_running(self._folder, self._all_starts())

    def _end_programs(self) -> tuple[Ended, ...]:
        return processes.end_all(self._programs_running, self._longest_grace())

    def _names(self) -> list[str]:
        return sorted(path.stem for path in self._folder.programs.glob("[!.]*.json"))

    def _definitions(self) -> Mapping[str, Program]:
        return {
            name: Program.from_json(self._folder.definition(name).read_text(encoding="utf-8")) for name in self._names()
        }

    def _all_starts(self) -> Mapping[str, Starts]:
        found = {name: read_starts(self._folder.starts(name)) for name in self._names()}
        return {name: starts for name, starts in found.items() if starts is not None}

    def _grace(self, name: str) -> float:
        program = self._definitions().get(name)
        return 0.0 if program is None else program.stop_grace.total_seconds()

    def _longest_grace(self) -> float:
        return max((one.stop_grace.total_seconds() for one in self._definitions().values()), default=1.0)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """One at a time, across threads and processes. Raises SupervisorAway where another one does not let go."""
        deadline = time.monotonic() + _LOCK_SECONDS
        with open(os.open(self._folder.lock, os.O_RDWR | os.O_CREAT, 0o600), "w") as file:
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError as error:
                    if time.monotonic() > deadline:
                        raise SupervisorAway(
                            f"another process has held {self._folder.lock} for {_LOCK_SECONDS:g} s; it may be stopped"
                        ) from error
                    time.sleep(_LOOK_EVERY_SECONDS)
            yield


@contextlib.contextmanager
def _ignoring(*codes: int) -> Iterator[None]:
    try:
        yield
    except xmlrpc.client.Fault as fault:
        if fault.faultCode not in codes:
            raise


def _exit_code(phase: ProgramPhase, info: Mapping[str, Any], ending: Ending | None) -> int | None:
    if ending is None and phase is ProgramPhase.EXITED and info["exitstatus"] >= 0:
        return int(info["exitstatus"])  # its line has left the log
    return None if ending is None else ending.exit_code


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
