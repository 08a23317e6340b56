"""What a page says of freezes: those that hold, those that are planned, and what a form may freeze."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from tidegate.model.freeze import Freeze
from tidegate.model.local_time import say_when
from tidegate.web.wording import Badge, Tone


@dataclass(frozen=True, slots=True)
class FreezeLine:
    """A freeze; `may_thaw` says that a person can end it: it does not stand in the server's configuration."""

    id: str
    environment: str
    service: str | None
    state: Badge
    begins: str
    ends: str
    by: str
    reason: str
    may_thaw: bool


@dataclass(frozen=True, slots=True)
class FreezePanel:
    """The freezes of a page, and what its form offers: of a service's page no other service."""

    lines: tuple[FreezeLine, ...]
    environments: tuple[str, ...]
    services: tuple[str, ...] = ()


def freeze_panel(
    known: Iterable[Freeze], environments: Iterable[str], services: Sequence[str], now: datetime
) -> FreezePanel:
    """The freezes that hold or are planned, by their beginning."""
    lines = tuple(_line(one, now) for one in sorted(known, key=lambda one: (one.begins, one.id)))
    return FreezePanel(lines, tuple(environments), tuple(services))


def frozen_words(holding: Iterable[Freeze], service: str, environment: str) -> str | None:
    """Until when nothing new of the service enters the environment, and why; None where it may."""
    found = [one for one in holding if one.concerns(service, environment)]
    if not found:
        return None
    last = max(found, key=lambda one: one.ends)
    return f"until {say_when(last.ends, last.timezone)} by {last.by.name}: {last.reason}"


def _line(freeze: Freeze, now: datetime) -> FreezeLine:
    return FreezeLine(
        id=freeze.id,
        environment=freeze.environment,
        service=freeze.service,
        state=Badge("frozen", Tone.ASKS) if freeze.holds(now) else Badge("planned", Tone.QUIET),
        begins=say_when(freeze.begins, freeze.timezone),
        ends=say_when(freeze.ends, freeze.timezone),
        by=freeze.by.name,
        reason=freeze.reason,
        may_thaw=not freeze.is_configured,
    )
