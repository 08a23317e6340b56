"""Checkpoints: what the server's key has signed of the record, and which keys vouch for which."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from tidegate.model.record_line import GENESIS

CHECKPOINT_EVERY = timedelta(days=1)

Verify = Callable[[str, str, str], bool]
"""Whether a signature (the third) of a text (the second) is by the private part of a public key (the first)."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """That the record's lines from `first_event` to `last_event` end with this hash, signed. Each begins where the one
    before ended, so none can be taken out from between two others."""

    id: int
    at: datetime
    first_event: int
    last_event: int
    hash: str
    key: str
    signature: str = ""

    @property
    def statement(self) -> str:
        """The text that is signed."""
        return _json(
            [
                "tidegate checkpoint",
                self.id,
                moment(self.at),
                self.first_event,
                self.last_event,
                self.hash,
                self.key,
            ]
        )


@dataclass(frozen=True, slots=True)
class RecordKey:
    """The public part of a key that signs checkpoints.

    `follows` is the public key before it, None for the first. The two vouch for each other: `old_signature` is by the
    one before, empty where that was lost; `own_signature` is its own.
    """

    id: str
    public_key: str
    made_at: datetime
    follows: str | None = None
    old_signature: str = ""
    own_signature: str = ""

    @property
    def succession(self) -> str:
        """The text that both keys sign."""
        return _json(["tidegate key", self.public_key, "follows", self.follows])


def key_id(public_key: str) -> str:
    """The name of a public key: the first 16 hexadecimal digits of its SHA-256."""
    return hashlib.sha256(bytes.fromhex(public_key)).hexdigest()[:16]


def moment(at: datetime) -> str:
    """A time as the record writes it: UTC, to the microsecond."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@dataclass(frozen=True, slots=True)
class CheckpointCheck:
    """Which checkpoint is the first that proves nothing, and why; the hashes that the good ones before it prove, by the
    number of the line."""

    proven: Mapping[int, str]
    first_bad: int | None = None
    because: str | None = None


def check_checkpoints(
    checkpoints: Sequence[Checkpoint], keys: Sequence[RecordKey], present_key: str, verify: Verify
) -> CheckpointCheck:
    """Whether each checkpoint, oldest first, was signed by the present key or by one that it vouches for."""
    trusted = _trusted(keys, present_key, verify)
    proven: dict[int, str] = {}
    number = event = 0
    for one in checkpoints:
        why = _untrue(one, number + 1, event + 1, trusted, verify)
        if why:
            return CheckpointCheck(proven, one.id, why)
        number, event = one.id, one.last_event
        proven[one.last_event] = one.hash
    return CheckpointCheck(proven)


def _untrue(one: Checkpoint, number: int, event: int, trusted: Mapping[str, str], verify: Verify) -> str | None:
    if one.id != number or one.first_event != event or one.last_event < event:
        return f"checkpoint {one.id} does not begin where the one before it ended"
    if one.key not in trusted:
        return f"checkpoint {one.id} was signed with a key ({one.key}) that the server's key does not vouch for"
    if not verify(trusted[one.key], one.statement, one.signature):
        return f"checkpoint {one.id} was changed: its signature does not fit"
    return None


def _trusted(keys: Iterable[RecordKey], present_key: str, verify: Verify) -> dict[str, str]:
    """The keys' public parts by id: the present one, and those before it, each by the word of the one after."""
    known = {one.public_key: one for one in keys}
    found: dict[str, str] = {}
    public: str | None = present_key
    while public is not None and key_id(public) not in found:
        found[key_id(public)] = public
        key = known.get(public)
        vouches = key is not None and key.follows and verify(public, key.succession, key.own_signature)
        public = key.follows if key and vouches else None
    return found


def next_checkpoint(last: Checkpoint | None, head: tuple[int, str], now: datetime, key: str) -> Checkpoint | None:
    """The checkpoint, not signed yet, over what came since the last one; None where nothing did."""
    event, digest = head
    first = last.last_event + 1 if last else 1
    if event < first:
        return None
    return Checkpoint(last.id + 1 if last else 1, now, first, event, digest, key)


def begins_after(last: Checkpoint | None) -> tuple[int, str]:
    """The line that a checkpoint ends with, and its hash; before the first line where there is none."""
    return (last.last_event, last.hash) if last else (0, GENESIS)


def _json(values: list[object]) -> str:
    return json.dumps(values, separators=(",", ":"))
