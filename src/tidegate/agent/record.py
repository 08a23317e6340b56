"""What an agent keeps on disk about an attempt, so that the next agent goes on where a killed one was."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from pathlib import Path

from tidegate.agent.wire import STEP_REPORT, TAKEN, Held, Taken, decode, encode, held_by
from tidegate.model.ids import StepRunId
from tidegate.model.lease import StepOutcome, StepReport

_PASSABLE = 0o711
_NAME = re.compile(r"([A-Za-z0-9_-]{1,64})\.(\d{1,9})\.(\d{1,18})")


class Part(IntEnum):
    """The commands of an attempt. Their numbers are on disks, so a new one gets a number of its own."""

    SETUP = 0
    STEP = 1
    FIRST = 2
    """The step's `failed_first`, before its `run`."""


_FOLDERS = {Part.SETUP: "/setup", Part.FIRST: "/first", Part.STEP: ""}
"""Below the attempt's own."""


@dataclass(frozen=True, slots=True)
class AttemptRecord:
    """The folder of one attempt, named `<step run>.<attempt>.<fence>`. Every file in it is whole or missing."""

    folder: Path

    @classmethod
    def create(cls, attempts: Path, taken: Taken) -> AttemptRecord:
        """Keep a new lease. Raises ValueError where its ids cannot be the name of a folder."""
        name = str(held_by(taken.lease))
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} cannot be the name of an attempt's folder")
        record = cls(attempts / name)
        record.folder.mkdir(mode=_PASSABLE, exist_ok=True)
        record._write("lease.json", encode(TAKEN, taken))
        return record

    @classmethod
    def all_in(cls, attempts: Path) -> list[AttemptRecord]:
        """The attempts that earlier agents left."""
        return [cls(folder) for folder in sorted(attempts.iterdir()) if _NAME.fullmatch(folder.name)]

    @property
    def held(self) -> Held:
        """Which attempt it is."""
        match = _NAME.fullmatch(self.folder.name)
        assert match is not None  # see `create` and `all_in`
        return Held(StepRunId(match[1]), int(match[2]), int(match[3]))

    def folder_of(self, part: Part) -> str:
        """The folder in which the runner keeps what it needs of that command."""
        return f"{self.folder}{_FOLDERS[part]}"

    def taken(self) -> Taken:
        """The lease, and when it came. Raises ValueError where it cannot be read (a power cut while it was written)."""
        try:
            return decode(TAKEN, (self.folder / "lease.json").read_bytes())
        except OSError as error:
            raise ValueError(str(error)) from error

    def began(self, part: Part) -> datetime | None:
        """When the command was started, or was about to be; None where it was not."""
        text = self._read(f"began-{part.name.lower()}")
        with contextlib.suppress(ValueError):
            return None if text is None else datetime.fromisoformat(text.decode().split("\n")[0])
        return None

    def clock_began(self, part: Part) -> datetime | None:
        """From when on the step's time-out counts for the command: `run` has what its `failed_first` left of it."""
        before = self.began(Part.FIRST) if part is Part.STEP else None
        return before or self.began(part)

    def keep_began(self, part: Part, now: datetime, checkout: str) -> None:
        """Note the time, from which its time-out counts, and the checkout, before the command is started in it."""
        self._write(f"began-{part.name.lower()}", f"{now.isoformat()}\n{checkout}".encode())

    @property
    def first_is_over(self) -> bool:
        """Whether the step's `failed_first` is done with, and `run` is next."""
        return self._read("first-over") is not None

    def keep_first_over(self) -> None:
        """Note that, before anything is said of it."""
        self._write("first-over", b"")

    def checkout(self) -> str | None:
        """The name of the checkout that the attempt works in, None before anything was started there."""
        for part in Part:
            text = self._read(f"began-{part.name.lower()}")
            if text is not None and b"\n" in text:
                return text.decode().split("\n")[1]
        text = self._read("checkout")  # of an agent of the first release
        return None if text is None else text.decode()

    def image(self) -> str | None:
        """The digest of the image that its commands run in, None where they run in none."""
        text = self._read("image")
        return None if text is None else text.decode()

    def keep_image(self, digest: str) -> None:
        """Note the image, before anything is started in it."""
        self._write("image", digest.encode())

    def ending(self) -> tuple[StepOutcome, str] | None:
        """Why the agent ended the command itself, None where it did not."""
        text = self._read("ending.json")
        if text is None:
            return None
        with contextlib.suppress(ValueError, KeyError):
            fields = json.loads(text)
            return StepOutcome(fields["outcome"]), str(fields["detail"])
        return None

    def keep_ending(self, outcome: StepOutcome, detail: str) -> None:
        """Note why, before the command is ended."""
        self._write("ending.json", json.dumps({"outcome": outcome, "detail": detail}).encode())

    def report(self) -> StepReport | None:
        """The report that is still to be handed over, None while there is none."""
        text = self._read("report.json")
        with contextlib.suppress(ValueError):
            return None if text is None else decode(STEP_REPORT, text)
        return None

    def keep_report(self, report: StepReport) -> None:
        """Keep the report until the server has it."""
        self._write("report.json", encode(STEP_REPORT, report))

    def remove(self) -> None:
        """Forget the attempt. From the first moment on it is not found any more."""
        gone = self.folder.with_name(f".gone-{self.folder.name}")
        self.folder.rename(gone)
        remove_tree(gone)

    def _read(self, name: str) -> bytes | None:
        try:
            with open(f"{self.folder}/{name}", "rb") as file:
                return file.read()
        except FileNotFoundError:
            return None

    def _write(self, name: str, data: bytes) -> None:
        new = f"{self.folder}/.{name}.new"
        # not os.write: on a full disk that writes only a part, and says so instead of failing
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as file:
            file.write(data)
        os.rename(new, f"{self.folder}/{name}")


def remove_tree(folder: Path) -> None:
    """Remove a folder and all in it, whatever modes a step gave it. What resists stays for the next time."""
    shutil.rmtree(folder, ignore_errors=True)
    if not folder.is_dir() or os.geteuid() == 0:
        return
    for inner, _, _ in os.walk(folder, onerror=None):
        with contextlib.suppress(OSError):
            os.chmod(inner, 0o700)
    shutil.rmtree(folder, ignore_errors=True)
