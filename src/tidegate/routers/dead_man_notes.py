"""The notes that the server leaves the dead man: files beside the router's records, one a placement."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from tidegate.model.dead_man import Fallback, Note
from tidegate.model.ids import DeploymentId, Generation, PlacementId, RolloutId
from tidegate.routers.routing_record import routing_of
from tidegate.routers.routing_records import RecordUnreadable, RoutingRecords, file_name, write_whole

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class MachineTime:
    """Time that no setting of the clock changes: `seconds` since some moment of the machine's `boot`."""

    boot: str
    seconds: Callable[[], float]


@dataclass(frozen=True, slots=True)
class KeptNote:
    """A note, and until when it need not be obeyed: `overdue_at`, in seconds of the machine's time in that `boot`."""

    note: Note
    boot: str
    overdue_at: float

    def to_json(self) -> str:
        """Text that `from_json` reads."""
        spans = {"after": self.note.after.total_seconds(), "batch": self.note.batch.total_seconds()}
        note = asdict(self.note) | spans
        return json.dumps({"note": note, "boot": self.boot, "overdue_at": self.overdue_at}, sort_keys=True)

    @property
    def judged_at(self) -> float:
        """When its time began."""
        return self.overdue_at - self.note.after.total_seconds()

    @classmethod
    def from_json(cls, text: str) -> KeptNote:
        """What `to_json` wrote. Raises ValueError, KeyError or TypeError for other text."""
        fields = json.loads(text)
        return cls(_note(fields["note"]), str(fields["boot"]), float(fields["overdue_at"]))


class DeadManNotes:
    """Keeps notes in `folder`/dead-man, where the router keeps its files in `folder` (DIR/router).

    Several processes may use it at once: whoever changes a placement's note holds the lock of its record.
    """

    def __init__(self, folder: Path, time: MachineTime) -> None:
        self.records = RoutingRecords(folder.absolute() / "placements")
        self.time = time
        self._folder = folder.absolute() / "dead-man"

    def leave(self, note: Note) -> None:
        """As `DeadMan.leave`."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self.records.one_at_a_time(note.placement):
            self._write(self._stamped(note))

    def forget(self, placement: PlacementId) -> None:
        """As `DeadMan.forget`."""
        if self._file(placement).exists():
            with self.records.one_at_a_time(placement):
                self._file(placement).unlink(missing_ok=True)

    def fell_back(self, placement: PlacementId) -> Fallback | None:
        """As `DeadMan.fell_back`."""
        record = self.records.read(placement)
        return record.fallback if record else None

    def somebody_is_here(self) -> None:
        """Let the time of every note begin anew: a server has come, and looks at all that is open now."""
        for kept in self.all():
            with self.records.one_at_a_time(kept.note.placement):
                now = self.read(kept.note.placement)
                if now:
                    self._write(self._stamped(now.note))

    def all(self) -> list[KeptNote]:
        """Every note; one that cannot be read is removed, and said so: the next judgement leaves another."""
        found: list[KeptNote] = []
        for path in sorted(self._folder.glob("[!.]*.json")):
            try:
                kept = _read(path)
            except RecordUnreadable as error:
                log.error("%s; it is removed", error)
                path.unlink(missing_ok=True)
                continue
            found += [kept] if kept else []
        return found

    def read(self, placement: PlacementId) -> KeptNote | None:
        """The note of a placement, None where there is none. Raises RecordUnreadable."""
        return _read(self._file(placement))

    def begin_time_of(self, kept: KeptNote) -> None:
        """Count the note's time from now on, under the record's lock: nobody knows how much of it is over."""
        self._write(self._stamped(kept.note))

    def _stamped(self, note: Note) -> KeptNote:
        return KeptNote(note, self.time.boot, self.time.seconds() + note.after.total_seconds())

    def _write(self, kept: KeptNote) -> None:
        write_whole(self._file(kept.note.placement), kept.to_json())

    def _file(self, placement: PlacementId) -> Path:
        return self._folder / f"{file_name(placement)}.json"


def _read(path: Path) -> KeptNote | None:
    try:
        return KeptNote.from_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise RecordUnreadable(f"the dead man's note {path} is damaged ({error})") from error


def _note(fields: Mapping[str, Any]) -> Note:
    return Note(
        rollout=RolloutId(fields["rollout"]),
        generation=Generation(fields["generation"]),
        new=DeploymentId(fields["new"]),
        back_to=routing_of(fields["back_to"]),
        after=timedelta(seconds=fields["after"]),
        batch=timedelta(seconds=fields["batch"]),
    )
