"""Freezes as the API tells them."""

from __future__ import annotations

from datetime import datetime

from tidegate.api.answers import ActorAnswer, Answer
from tidegate.model.freeze import Freeze


class FreezeAnswer(Answer):
    """A freeze; `holds` says that it does now, `configured` that it stands in the server's configuration."""

    id: str
    environment: str
    service: str | None
    begins: datetime
    ends: datetime
    reason: str
    by: ActorAnswer
    made_at: datetime
    timezone: str
    holds: bool
    configured: bool
    lifted_at: datetime | None
    lifted_by: ActorAnswer | None


def freeze_answer(freeze: Freeze, now: datetime) -> FreezeAnswer:
    """The freeze as the API tells it."""
    told = {name: getattr(freeze, name) for name in FreezeAnswer.model_fields if hasattr(freeze, name)}
    return FreezeAnswer.model_validate(
        {**told, "holds": freeze.holds(now), "configured": freeze.is_configured}, from_attributes=True
    )
