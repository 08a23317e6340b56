"""`tidegate down`: stop everything of a data folder, services included."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tidegate.cli.data_folder import (
    KnownServer,
    known_server_file,
    read_known_server,
    resolve_data_folder,
    server_lock_file,
)
from tidegate.cli.exit_code import CommandFailed, ExitCode
from tidegate.cli.options import DataOption, JsonOption
from tidegate.cli.output import Output

if TYPE_CHECKING:
    import psutil

    from tidegate.supervision.supervisor import Supervisor

SERVER_SECONDS = 20.0
"""How long a server may take to end its requests before it is killed."""
_SAME_START_SECONDS = 1.0
_CLOCK_SECONDS = 2.0
"""Process start times are known to the clock tick, and files' times to the file system's."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """A process that was ended; `forced` where it had to be killed."""

    pid: int
    what: str
    forced: bool = False


def down(json: JsonOption = False, data: DataOption = None) -> None:
    """Stop the server of a data folder and all that it keeps alive: services, router, agent and steps.

    Nothing is lost: the next `tidegate server` on the folder brings it back.
    """
    folder = resolve_data_folder(data)
    output = Output(json)
    if not folder.is_dir():
        if data is not None:
            raise CommandFailed(
                ExitCode.USAGE, f"there is no data folder {folder}", "name the server's with --data DIR"
            )
        _report(output, folder, ())
        return
    _report(output, folder, stop_everything(folder))


def stop_everything(data: Path) -> tuple[Stopped, ...]:
    """End the server first, so that it starts nothing again, then all that supervisord keeps alive.

    Returns what was ended. Raises CommandFailed where something cannot be ended, and names it.
    """
    from tidegate.supervision.processes import ProcessesRemain, supervisord_running
    from tidegate.supervision.run_folder import RunFolder
    from tidegate.supervision.supervisor import Supervisor, SupervisorAway

    servers = (*_stop_servers(data), *end_rehearsals(data))
    supervisor = Supervisor(data)
    programs = _programs(supervisor)
    if supervisord := supervisord_running(RunFolder(data)):
        programs = (*programs, Stopped(supervisord.pid, "supervisor"))
    try:
        others = supervisor.shutdown()
    except (ProcessesRemain, SupervisorAway) as error:
        raise CommandFailed(ExitCode.FAILED, f"not everything of {data} could be stopped: {error}") from error
    _refuse_if_anything_is_left(data)
    forced = {one.pid for one in others if one.forced}
    told = {one.pid for one in programs}
    return (
        *servers,
        *(replace(one, forced=one.pid in forced) for one in programs),
        *(
            Stopped(one.pid, f"{one.command} of {one.program or data.name}", one.forced)
            for one in others
            if one.pid not in told
        ),
    )


def rehearsals_folder(data: Path) -> Path:
    """Where the rehearsals that the server began are played, each in a folder of its service."""
    return data / "rehearsals"


def rehearsal_process_file(data: Path) -> Path:
    """The file that says which process plays, or played last."""
    return rehearsals_folder(data) / "process.json"


def end_rehearsals(data: Path) -> tuple[Stopped, ...]:
    """End a rehearsal that the data folder's server began: the process that plays, and the server that it started.

    Raises CommandFailed where something cannot be ended, and names it.
    """
    if not rehearsals_folder(data).is_dir():
        return ()
    from tidegate.supervision import processes

    found = [processes.Found(one, "rehearsal") for one in _rehearsing(data)]
    try:
        ended = [Stopped(one.pid, "the rehearsal", one.forced) for one in processes.end(found, SERVER_SECONDS)]
    except processes.ProcessesRemain as error:
        raise CommandFailed(ExitCode.FAILED, f"the rehearsal of {data} could not be stopped: {error}") from error
    rehearsal_process_file(data).unlink(missing_ok=True)
    for folder in sorted(rehearsals_folder(data).glob("*/data")):
        ended += (replace(one, what=f"{one.what} of a rehearsal") for one in stop_everything(folder))
    return tuple(ended)


def _rehearsing(data: Path) -> Iterator[psutil.Process]:
    import psutil

    try:
        noted = json.loads(rehearsal_process_file(data).read_text(encoding="utf-8"))
        process = psutil.Process(int(noted["pid"]))
        if abs(process.create_time() - float(noted["started"])) <= _SAME_START_SECONDS:
            yield process
    except (OSError, ValueError, KeyError, TypeError, psutil.NoSuchProcess):
        return


def _report(output: Output, data: Path, stopped: tuple[Stopped, ...]) -> None:
    ended = [{"pid": one.pid, "what": one.what, "forced": one.forced} for one in stopped]
    output.document({"data": str(data), "ended": ended})
    if output.json:
        return
    for one in stopped:
        output.say(f"{'killed' if one.forced else 'ended'} {one.what} (process {one.pid})")
    output.say(f"nothing of {data} runs" + ("" if stopped else ", and nothing did"))


def _stop_servers(data: Path) -> tuple[Stopped, ...]:
    """The announced server, and one that has the folder but has not announced itself yet."""
    from tidegate.supervision import processes

    found = {process.pid: process for process in _servers(data)}
    if not found:
        known_server_file(data).unlink(missing_ok=True)
        return ()
    ended = processes.end([processes.Found(process, "server") for process in found.values()], SERVER_SECONDS)
    known_server_file(data).unlink(missing_ok=True)
    return tuple(Stopped(one.pid, "the server", one.forced) for one in ended)


def _servers(data: Path) -> Iterator[psutil.Process]:
    import psutil

    known = read_known_server(data)
    if known is not None:
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(known.pid)
            if is_that_server(process, known, known_server_file(data).stat().st_mtime):
                yield process
    if server_lock_file(data).exists():
        yield from _holders(server_lock_file(data))


def is_that_server(process: psutil.Process, known: KnownServer, announced_at: float) -> bool:
    """Whether the process is the server that announced itself, and not a later one with its process id.

    `announced_at` is when it wrote its file, in seconds since 1970: no later process had begun by then.
    """
    began = process.create_time()
    if known.started is not None and abs(began - known.started) > _SAME_START_SECONDS:
        return False
    return began <= announced_at + _CLOCK_SECONDS and _runs_tidegate(process)


def _holders(file: Path) -> Iterator[psutil.Process]:
    """The servers that have the file open."""
    import psutil

    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if _runs_tidegate(process) and any(one.path == str(file) for one in process.open_files()):
                yield process


def _runs_tidegate(process: psutil.Process) -> bool:
    return any("tidegate" in argument for argument in process.cmdline())


def _programs(supervisor: Supervisor) -> tuple[Stopped, ...]:
    """What supervisord keeps alive; nothing where it does not answer, and then all of it is found by its marks."""
    from tidegate.supervision.supervisor import SupervisorAway

    try:
        states = supervisor.states()
    except SupervisorAway:
        return ()
    return tuple(Stopped(state.pid, name) for name, state in sorted(states.items()) if state.pid is not None)


def _refuse_if_anything_is_left(data: Path) -> None:
    from tidegate.supervision.processes import parts_running, supervisord_running
    from tidegate.supervision.run_folder import RunFolder

    folder = RunFolder(data)
    left = [one.process.pid for one in parts_running(folder)]
    supervisord = supervisord_running(folder)
    left += [supervisord.pid] if supervisord else []
    left += [process.pid for process in _servers(data)]
    if left:
        pids = ", ".join(str(pid) for pid in sorted(set(left)))
        raise CommandFailed(
            ExitCode.FAILED, f"these processes of {data} still run: {pids}", "end them, then again: tidegate down"
        )
