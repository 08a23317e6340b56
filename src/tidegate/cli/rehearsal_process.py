"""The rehearsal that a server began: `tidegate rehearse` as a process of its own, below the server's data folder."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from tidegate.cli.down import end_rehearsals, rehearsal_process_file, rehearsals_folder
from tidegate.cli.exit_code import CommandFailed
from tidegate.cli.own_environment import own_environment
from tidegate.engine.rehearsal_schedule import CannotPlay, Order, Played
from tidegate.security.isolation import make_passable, make_private

GRACE_SECONDS = 60.0
"""How long a rehearsal that is to end may take until it is killed: it stops a server of its own, with its services."""

_LEAST_PRIORITY = ("nice", "-n", "19")
_LAST_WORDS = 4000
"""Bytes of the log's end that are looked at for the last line."""


class RehearsalProcess:
    """Plays for the server of a data folder: at the lowest priority, with a token that is good for that alone."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._process: subprocess.Popen[bytes] | None = None
        self._log = Path()
        self._kill_at: float | None = None

    def begin(self, order: Order) -> None:
        """Begin to play in a fresh folder. Raises CannotPlay."""
        try:
            folder = self._fresh_folder(order)
            logs = make_private(self._data / "logs" / "rehearsals")
            self._log = logs / f"{order.service}.log"
            with self._log.open("wb") as log:
                process = subprocess.Popen(
                    [*_LEAST_PRIORITY, *command_of(order, self._data, folder)],
                    env={**own_environment(), "TIDEGATE_TOKEN": order.token},
                    cwd=folder,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
        except OSError as error:
            raise CannotPlay(f"it cannot be started: {error}") from error
        self._process, self._kill_at = process, None
        self._note(process)

    def look(self) -> Played | None:
        """How it ended; None as long as it goes on."""
        process = self._process
        if process is None:
            return Played("")
        if process.poll() is None:
            if self._kill_at is not None and time.monotonic() > self._kill_at:
                process.kill()
            return None
        self._process = None
        self.clear()
        return Played(f"{self._last_words()} (see logs/rehearsals/{self._log.name} in the server's data folder)")

    def ask_to_end(self) -> None:
        """Have it stop what it started, and end; it is killed where it does not."""
        if self._process is not None and self._kill_at is None:
            self._kill_at = time.monotonic() + GRACE_SECONDS
            self._process.terminate()

    def wait(self, seconds: float) -> None:
        """Return when it has ended, or after so long; then the next server, or `tidegate down`, ends it."""
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(seconds)

    def clear(self) -> None:
        """End whatever is left of a rehearsal of this data folder."""
        with contextlib.suppress(CommandFailed):
            end_rehearsals(self._data)

    def _fresh_folder(self, order: Order) -> Path:
        # others may pass, as through the data folder: that is how the rehearsal's steps reach their own folders
        folder = rehearsals_folder(self._data) / order.service
        shutil.rmtree(folder, ignore_errors=True)
        make_passable(rehearsals_folder(self._data), order.service)
        if order.rule.stand_ins:
            lines = "".join(f"{name}={value}\n" for name, value in order.rule.stand_ins.items())
            secrets = stand_ins_file(folder)
            secrets.touch(mode=0o600)
            secrets.write_text(lines, encoding="utf-8")
        return folder

    def _note(self, process: subprocess.Popen[bytes]) -> None:
        """Write which process it is, for whoever ends it when this server cannot any more."""
        with contextlib.suppress(psutil.NoSuchProcess):  # it has ended already
            started = psutil.Process(process.pid).create_time()
            file = rehearsal_process_file(self._data)
            file.write_text(json.dumps({"pid": process.pid, "started": started}), encoding="utf-8")

    def _last_words(self) -> str:
        with contextlib.suppress(OSError):
            lines = self._log.read_bytes()[-_LAST_WORDS:].decode(errors="replace").strip().splitlines()
            if lines:
                return lines[-1].strip()
        return "it said nothing"


def command_of(order: Order, data: Path, folder: Path) -> Sequence[str]:
    """The words of the command; the token is not among them."""
    rule = order.rule
    words = [sys.executable, "-m", "tidegate.cli.main", "rehearse", str(order.service)]
    words += ["--data", str(data), "--folder", str(folder), "--quick", f"{rule.quick:g}"]
    words += [word for fault in rule.faults for word in ("--fault", fault.value)]
    words += [word for path in rule.paths for word in ("--path", path)]
    if rule.per_second is not None:
        words += ["--traffic", f"{rule.per_second:.6f}/s"]
    if rule.stand_ins:
        words += ["--secrets", str(stand_ins_file(folder))]
    return words


def stand_ins_file(folder: Path) -> Path:
    """What stands in for the runtime's secrets, as lines NAME=VALUE."""
    return folder / "stand-ins"
