"""Events as the API tells them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from tidegate.api.answers import ActorAnswer, Answer
from tidegate.model.access import Means
from tidegate.model.checkpoint import RecordKey, key_id
from tidegate.model.event import EventKind, RecordedEvent
from tidegate.security.signing_key import public_pem


class AccessAnswer(Answer):
    """From where somebody acted: with what, at which address, and with which token (its id)."""

    means: Means
    address: str
    token: str | None


class EventAnswer(Answer):
    """One line of the record; `data` holds the figures behind `text`, `access` is from where a person acted."""

    id: int
    at: datetime
    kind: EventKind
    text: str
    actor: ActorAnswer
    access: AccessAnswer | None
    about: Mapping[str, str]
    data: Mapping[str, object]


class AuditAnswer(Answer):
    """Whether the record is whole: the first bad line and why, the first bad checkpoint and why."""

    ok: bool
    events: int
    first_bad: int | None
    because: str | None
    checkpoints: int
    first_bad_checkpoint: int | None
    checkpoint_because: str | None


class KeyAnswer(Answer):
    """A public key of the record (Ed25519, in hexadecimal digits and as PEM), and the one before it."""

    id: str
    public_key: str
    pem: str
    made_at: datetime
    follows: str | None


def event_answer(recorded: RecordedEvent) -> EventAnswer:
    """The event as the API tells it."""
    event = recorded.event
    return EventAnswer(
        id=recorded.id,
        at=recorded.at,
        kind=event.kind,
        text=event.text,
        actor=ActorAnswer.model_validate(event.actor),
        access=AccessAnswer.model_validate(event.actor.access) if event.actor.access else None,
        about=event.about,
        data=event.data,
    )


def key_answer(key: RecordKey) -> KeyAnswer:
    """The key as the API tells it."""
    return KeyAnswer(
        id=key.id,
        public_key=key.public_key,
        pem=public_pem(key.public_key),
        made_at=key.made_at,
        follows=key_id(key.follows) if key.follows else None,
    )
