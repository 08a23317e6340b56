"""Becomes a program: what supervisord starts, in place of the program's command itself.

supervisord's own file format cannot carry every value (a newline, a quote at the end of a value), passes its own
environment on, reads a program's output through a pipe that breaks when supervisord dies, and does not count
restarts. So it starts this module, which reads the program's definition, counts the start, ends what an earlier
process of the same program left behind, and then replaces itself by the command.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

from tidegate.supervision import marks
from tidegate.supervision.program import Program
from tidegate.supervision.run_folder import RunFolder
from tidegate.supervision.starts import Starts, read_starts, write_starts

LAUNCH_FAILED = 127
_LOG_LIMIT_BYTES = 5 * 1024 * 1024


def main() -> int:
    """Become the program that the environment names; returns only when that failed."""
    folder = RunFolder(Path(os.environ[marks.RUN_FOLDER]).parent)
    name = os.environ["SUPERVISOR_PROCESS_NAME"]
    record = folder.starts(name)
    earlier = read_starts(record)
    if earlier is not None and _group_exists(earlier.pid):
        _end_what_is_left(folder, name, earlier)
    write_starts(record, Starts.after(earlier, os.getpid(), time.time()))
    program = Program.from_json(folder.definition(name).read_text(encoding="utf-8"))
    # opened now, because the program's user may not write here
    with open(folder.failure(name), "w", encoding="utf-8") as failure:
        try:
            _become(program, folder.data)
        except OSError as error:
            failure.write(_explain(program, error))
            print(f"tidegate: {_explain(program, error)}", file=sys.stderr, flush=True)  # noqa: T201 (its log)
    return LAUNCH_FAILED


def _become(program: Program, data: Path) -> None:
    """Replace this process by the program's command. Raises OSError where that is not possible."""
    # the log is opened and the signals are reset with the rights of supervisord, before they are given away
    _log_to(program.log)
    for ignored in (signal.SIGPIPE, signal.SIGXFSZ):  # by Python, and exec would hand that on
        signal.signal(ignored, signal.SIG_DFL)
    os.umask(0o022)
    os.chdir(program.cwd)
    if program.run_as is not None:
        os.setgroups([])
        os.setgid(program.run_as)
        os.setuid(program.run_as)
    env = {
        **program.env,
        marks.PROGRAM: marks.program_mark(data, program.name),
        marks.PART_OF: str(data),
    }
    os.execvpe(program.command[0], program.command, env)  # noqa: S606 (no shell is what we want)


def _log_to(log: Path) -> None:
    """Append both output streams to `log`, with an empty input; a log that has grown is put aside first."""
    if log.exists() and log.stat().st_size > _LOG_LIMIT_BYTES:
        log.replace(log.with_name(log.name + ".1"))
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(output)
    os.close(nothing)


def _explain(program: Program, error: OSError) -> str:
    if not program.cwd.is_dir():
        return f"the folder {program.cwd} of {program.name} does not exist"
    if isinstance(error, FileNotFoundError):
        return f"the command {program.command[0]!r} of {program.name} does not exist"
    return f"the command {program.command[0]!r} of {program.name} cannot be started: {error.strerror}"


def _group_exists(pid: int) -> bool:
    try:
        os.killpg(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _end_what_is_left(folder: RunFolder, name: str, earlier: Starts) -> None:
    """End children that outlived the program's last process, or they would hold its port."""
    from tidegate.supervision import processes  # loaded here because a start is rarely in need of it

    def left() -> list[processes.Found]:
        return [one for one in processes.programs_running(folder, {name: earlier}) if one.program == name]

    processes.end_all(left, grace_seconds=1)


if __name__ == "__main__":
    sys.exit(main())
