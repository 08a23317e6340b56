"""The record looked after: checked, signed once a day, and its key changed."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, replace
from typing import Protocol

from sqlalchemy import Connection

from tidegate.engine.parts import Parts
from tidegate.engine.refusal import Refusal, Refused
from tidegate.model.actor import SYSTEM, Actor
from tidegate.model.checkpoint import (
    CHECKPOINT_EVERY,
    Checkpoint,
    CheckpointCheck,
    RecordKey,
    begins_after,
    check_checkpoints,
    key_id,
    next_checkpoint,
)
from tidegate.model.event import Event, EventKind
from tidegate.security.signing_key import SigningKey, verify
from tidegate.store import events, record_queries, rows

log = logging.getLogger(__name__)


class KeyFile(Protocol):
    """Where the private part of the server's key is."""

    def key(self) -> SigningKey:
        """The present key."""

    def prepare_next(self) -> SigningKey:
        """A fresh key, kept beside the present one until it takes its place."""

    def take_next(self) -> None:
        """The next key is the present one from now on."""

    def settle(self, newest_public: str | None) -> None:
        """End a change of keys that was interrupted."""


@dataclass(frozen=True, slots=True)
class RecordCheck:
    """Whether the record is whole, and its checkpoints true: the first bad line and the first bad checkpoint, and what
    is wrong with either."""

    ok: bool
    events: int
    first_bad: int | None
    because: str | None
    checkpoints: int
    first_bad_checkpoint: int | None
    checkpoint_because: str | None


class RecordActs:
    """What the server does with the record besides writing it. It remembers the newest line that it has seen, so that a
    line that goes missing while it runs is missed."""

    def __init__(self, parts: Parts, keys: KeyFile) -> None:
        self._parts = parts
        self._file = keys
        self._lock = threading.Lock()
        self._remembered: tuple[int, str] | None = None

    def begin(self) -> None:
        """Have a key, which the record names; end a change of keys that was interrupted."""
        with self._lock, self._parts.database.writing() as connection:
            known = record_queries.keys(connection)
            newest = known[-1] if known else None
            self._file.settle(newest.public_key if newest else None)
            present = self._file.key()
            if newest and newest.public_key == present.public:
                return
            if any(one.public_key == present.public for one in known):
                present = self._file.prepare_next()
                self._file.take_next()
            self._name_key(connection, present, newest)

    def notice(self) -> None:
        """Remember the newest line, unless the one that was remembered is no longer what it was."""
        with self._parts.database.reading() as connection:
            newest = record_queries.head(connection)
            remembered = self._remembered
            if newest is None or (remembered and newest[0] <= remembered[0]):
                return
            if remembered and record_queries.hash_of(connection, remembered[0]) != remembered[1]:
                log.error("line %d of the record was changed: tidegate audit verify", remembered[0])
                return
            self._remembered = newest

    def look_after(self) -> None:
        """Sign what came since the last checkpoint, once a day; a record that was changed is not signed."""
        with self._parts.database.reading() as connection:
            last = record_queries.last_checkpoint(connection)
        if last and self._parts.clock.now() - last.at < CHECKPOINT_EVERY:
            return
        self.sign()

    def sign(self) -> None:
        """Sign what came since the last checkpoint; where that is not whole, say so and sign nothing."""
        try:
            self.checkpoint()
        except Refused as refused:
            log.error("the record is not signed: %s", refused)

    def checkpoint(self) -> Checkpoint | None:
        """Sign what came since the last checkpoint, and give the newest one. Raises Refused where it is not whole."""
        with self._lock:
            remembered = self._remembered
            with self._parts.database.reading() as connection:
                last = record_queries.last_checkpoint(connection)
                newest = record_queries.head(connection)
                after, previous = begins_after(last)
                known = {number: digest for number, digest in (remembered,) if number > after} if remembered else {}
                check = events.check_chain(connection, known, after, previous)
            if not check.ok:
                raise Refused(Refusal.CONFLICT, f"the record was changed: {check.because}", "tidegate audit verify")
            key = self._file.key()
            made = newest and next_checkpoint(last, newest, self._parts.clock.now(), key_id(key.public))
            if not made:
                return last
            made = replace(made, signature=key.sign(made.statement))
            with self._parts.database.writing() as connection:
                rows.put(connection, made)
            return made

    def check(self) -> RecordCheck:
        """Recompute every hash, and look at every signature."""
        remembered = self._remembered
        with self._parts.database.reading() as connection:
            signed, count = self._check_signatures(connection)
            known = {**signed.proven, **({remembered[0]: remembered[1]} if remembered else {})}
            chain = events.check_chain(connection, known)
        return RecordCheck(
            ok=chain.ok and signed.first_bad is None,
            events=chain.events,
            first_bad=chain.first_bad,
            because=chain.because,
            checkpoints=count,
            first_bad_checkpoint=signed.first_bad,
            checkpoint_because=signed.because,
        )

    def public_keys(self) -> tuple[RecordKey, ...]:
        """The public keys that have signed the record, the present one last."""
        with self._parts.database.reading() as connection:
            return record_queries.keys(connection)

    def rotate(self, actor: Actor) -> RecordKey:
        """Sign with a fresh key from now on. The old one signs that the new one follows it; its public part stays."""
        self.checkpoint()
        with self._lock:
            present, fresh = self._file.key(), self._file.prepare_next()
            with self._parts.database.writing() as connection:
                newest = record_queries.keys(connection)[-1]
                made = self._name_key(connection, fresh, newest, present, actor)
            self._file.take_next()
            return made

    def sign_text(self, text: str) -> tuple[str, str]:
        """The present key's public part, and its signature of a text."""
        key = self._file.key()
        return key.public, key.sign(text)

    def _name_key(
        self,
        connection: Connection,
        key: SigningKey,
        before: RecordKey | None,
        old: SigningKey | None = None,
        actor: Actor = SYSTEM,
    ) -> RecordKey:
        made = RecordKey(key_id(key.public), key.public, self._parts.clock.now(), before.public_key if before else None)
        if before:
            signature = old.sign(made.succession) if old else ""
            made = replace(made, old_signature=signature, own_signature=key.sign(made.succession))
        rows.put(connection, made)
        data = {"key": made.id, "public_key": made.public_key, "follows": before.id if before else ""}
        said = Event(_kind_of(before, old), _words_of(made, before, old), {}, actor, data)
        events.append(connection, [said], self._parts.clock.now())
        return made

    def _check_signatures(self, connection: Connection) -> tuple[CheckpointCheck, int]:
        try:
            found, keys = record_queries.checkpoints(connection), record_queries.keys(connection)
        except (ValueError, TypeError) as error:
            return CheckpointCheck({}, 0, f"the checkpoints cannot be read: {error}"), 0
        return check_checkpoints(found, keys, self._file.key().public, verify), len(found)


def _kind_of(before: RecordKey | None, old: SigningKey | None) -> EventKind:
    if before is None:
        return EventKind.RECORD_KEY_MADE
    return EventKind.RECORD_KEY_CHANGED if old else EventKind.RECORD_KEY_LOST


def _words_of(made: RecordKey, before: RecordKey | None, old: SigningKey | None) -> str:
    if before is None:
        return f"the record is signed with the key {made.id}"
    if old is None:
        return f"the key {before.id} is not in the data folder any more; the record is signed with {made.id}"
    return f"the record is signed with the key {made.id} from now on; {before.id} vouches for it"
