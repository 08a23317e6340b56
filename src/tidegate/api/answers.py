"""What all answers share: model values at the edge, as JSON."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from tidegate.model.actor import ActorKind
from tidegate.model.share import Share


def _fraction(value: Any) -> Any:
    return value.fraction if isinstance(value, Share) else value


def _seconds(value: Any) -> Any:
    return value.total_seconds() if isinstance(value, timedelta) else value


Fraction = Annotated[float, BeforeValidator(_fraction), Field(ge=0, le=1, description="A share of the traffic")]
Seconds = Annotated[float, BeforeValidator(_seconds), Field(description="In seconds")]


class Answer(BaseModel):
    """A part of an answer. Made of a model's value by `model_validate`, or field by field."""

    model_config = ConfigDict(frozen=True, from_attributes=True)


class ActorAnswer(Answer):
    """Who acted."""

    kind: ActorKind
    name: str


class ReasonAnswer(Answer):
    """One rule that was looked at, what it said, and what changes it."""

    rule: str
    text: str
    remedy: str | None


class NextAnswer(Answer):
    """What is waited for, and the command that ends it."""

    text: str
    command: str | None
