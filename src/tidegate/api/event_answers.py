"""Events as the API tells them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from tidegate.api.answers import ActorAnswer, Answer
from tidegate.model.event import EventKind, RecordedEvent


class EventAnswer(Answer):
    """One line of the record; `data` holds the figures behind `text`."""

    id: int
    at: datetime
    kind: EventKind
    text: str
    actor: ActorAnswer
    about: Mapping[str, str]
    data: Mapping[str, object]


class AuditAnswer(Answer):
    """Whether the record's hash chain is whole."""

    ok: bool
    events: int
    first_bad: int | None


def event_answer(recorded: RecordedEvent) -> EventAnswer:
    """The event as the API tells it."""
    event = recorded.event
    return EventAnswer(
        id=recorded.id,
        at=recorded.at,
        kind=event.kind,
        text=event.text,
        actor=ActorAnswer.model_validate(event.actor),
        about=event.about,
        data=event.data,
    )
