"""The folder in which a router keeps its records, one file a placement, and the locks on it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from tidegate.model.ids import PlacementId
from tidegate.routers.routing_record import RoutingRecord


class RecordUnreadable(OSError):
    """A record is not what was written; the message names the file."""


def file_name(name: str) -> str:
    """A name that is safe for a file and tells `name` back."""
    return quote(name, safe="")


def write_whole(path: Path, text: str) -> None:
    """Write `path` whole or not at all, and so that it survives a power cut; readable by its owner only."""
    new = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}.new")
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


class RoutingRecords:
    """The records in `folder`; several processes may use it at once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, placement: PlacementId) -> RoutingRecord | None:
        """The record of a placement, None where there is none. Raises RecordUnreadable."""
        return _read(self._file(placement))

    def read_all(self) -> list[RoutingRecord]:
        """All records, in the order of their placements' names. Raises RecordUnreadable."""
        found = [_read(path) for path in sorted(self._folder.glob("*.json"))]
        return [record for record in found if record]

    def write(self, record: RoutingRecord) -> None:
        """Keep the record in place of the former one."""
        write_whole(self._file(record.placement), record.to_json())

    @contextlib.contextmanager
    def one_at_a_time(self, placement: PlacementId | None = None) -> Iterator[None]:
        """Whoever changes a placement, or (without one) what placements share, does it alone."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = self._folder / (f"{file_name(placement)}.lock" if placement else "all.lock")
        with open(os.open(lock, os.O_RDWR | os.O_CREAT, 0o600), "w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _file(self, placement: PlacementId) -> Path:
        return self._folder / f"{file_name(placement)}.json"


def _read(path: Path) -> RoutingRecord | None:
    try:
        return RoutingRecord.from_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise RecordUnreadable(
            f"{path} is damaged ({error}); put it back from a backup, or remove it to have the split written anew"
        ) from error
