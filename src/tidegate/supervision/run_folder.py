"""The folder DIR/run: what is in it and how it is written."""

from __future__ import annotations

import os
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

_LONGEST_SOCKET_PATH = 90
"""Bytes. macOS allows 103; supervisord first binds to the path with its process id (8 bytes) appended."""


def write_private(path: Path, text: str) -> None:
    """Write `path` whole or not at all, readable by its owner only."""
    new = path.with_name(f".{path.name}.{os.getpid()}.new")
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


@dataclass(frozen=True, slots=True)
class RunFolder:
    """DIR/run of the data folder `data`, which is an absolute path without links."""

    data: Path

    @property
    def path(self) -> Path:
        return self.data / "run"

    @property
    def programs(self) -> Path:
        return self.path / "programs"

    @property
    def conf(self) -> Path:
        return self.path / "supervisord.conf"

    @property
    def log(self) -> Path:
        return self.path / "supervisord.log"

    @property
    def lock(self) -> Path:
        return self.path / "supervision.lock"

    def definition(self, program: str) -> Path:
        """The file that says what a program is (with its secrets: mode 0600)."""
        return self.programs / f"{program}.json"

    def starts(self, program: str) -> Path:
        """The file in which the launcher counts the starts of a program."""
        return self.programs / f"{program}.starts"

    def failure(self, program: str) -> Path:
        """The file in which the launcher says why the last start of a program did not reach its command."""
        return self.programs / f"{program}.failure"

    def create(self) -> None:
        """Make the folder and those in it, open to their owner only."""
        self.path.mkdir(parents=True, exist_ok=True)
        self.programs.mkdir(exist_ok=True)
        self.path.chmod(0o700)
        self.programs.chmod(0o700)

    @property
    def socket(self) -> Path:
        """Where supervisord answers: in this folder, or in a short one where this one's path is too long."""
        here = self.path / "supervisord.sock"
        if len(os.fsencode(here)) <= _LONGEST_SOCKET_PATH:
            return here
        return (self._short_folder() or self.path) / "supervisord.sock"

    def make_room_for_socket(self) -> None:
        """See to it that `socket` is short enough, by a new private folder for temporary files if need be."""
        if len(os.fsencode(self.path / "supervisord.sock")) > _LONGEST_SOCKET_PATH and not self._short_folder():
            folder = tempfile.mkdtemp(prefix="tidegate-", dir="/tmp")
            write_private(self._short_folder_record, folder)

    def remove_short_folder(self) -> None:
        """Remove the short folder, if there is one."""
        folder = self._short_folder()
        if folder:
            (folder / "supervisord.sock").unlink(missing_ok=True)
            folder.rmdir()
        self._short_folder_record.unlink(missing_ok=True)

    @property
    def _short_folder_record(self) -> Path:
        return self.path / "socket-folder"

    def _short_folder(self) -> Path | None:
        """The recorded short folder, None where there is none that is ours alone."""
        try:
            folder = Path(self._short_folder_record.read_text(encoding="utf-8"))
            found = folder.lstat()
        except FileNotFoundError:
            return None
        private = stat.S_ISDIR(found.st_mode) and stat.S_IMODE(found.st_mode) == 0o700
        return folder if private and found.st_uid == os.getuid() else None
