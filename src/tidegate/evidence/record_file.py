"""`record.json` of a pack: a part of the record from one checkpoint to another, every line of it.

Lines of the service are shown whole. Of every other line there is what its hash is made of, a hash of its content in
place of that: it shows that the line is of another service, and not of which.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass

from tidegate.model.checkpoint import Checkpoint, RecordKey, moment
from tidegate.model.record_line import FORM, RecordLine, service_mark

_SHOWN = ("kind", "text", "actor_kind", "actor", "access", "service", "run", "about", "data")


@dataclass(frozen=True, slots=True)
class Extract:
    """Which part of the record a pack holds: of which service, the line before the first and its hash, and what was
    signed of it. `begin` and `end` are days, as they were asked for."""

    service: str
    begin: str | None
    end: str | None
    after: int
    previous: str
    last: int
    checkpoints: Sequence[Checkpoint]
    keys: Sequence[RecordKey]


def record_file(extract: Extract, lines: Iterable[RecordLine]) -> Iterator[bytes]:
    """The file in chunks, a line of the record in each."""
    head = {
        "service": extract.service,
        "from": extract.begin,
        "to": extract.end,
        "keys": [_with_moment(asdict(one), "made_at") for one in extract.keys],
        "checkpoints": [_with_moment(asdict(one), "at") for one in extract.checkpoints],
        "after": {"id": extract.after, "hash": extract.previous},
    }
    yield (_json(head).removesuffix("}") + ',"lines":[').encode()
    for number, line in enumerate(lines):
        yield (",\n" if number else "\n").encode() + _json(_line(line, extract.service)).encode()
    yield b"\n]}\n"


def _line(line: RecordLine, service: str) -> dict[str, object]:
    place = {"id": line.id, "form": line.form, "at": line.at, "previous_hash": line.previous_hash, "hash": line.hash}
    if line.service != service:
        if line.form != FORM:
            return place
        return {**place, "service_hash": service_mark(line.service), "content_hash": line.content_hash}
    if line.form != FORM:
        return {**place, "service": service, "document": line.first_document}
    return {**place, **{name: getattr(line, name) for name in _SHOWN}}


def _with_moment(values: dict[str, object], name: str) -> dict[str, object]:
    return {**values, name: moment(values[name])}  # type: ignore[arg-type]  # the named one is a time


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
