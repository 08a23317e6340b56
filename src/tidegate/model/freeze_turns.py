"""When freezes begin and end: what is told of that, once each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from tidegate.model.actor import SYSTEM, Actor
from tidegate.model.event import Event, EventKind
from tidegate.model.freeze import Freeze
from tidegate.model.local_time import say_when


@dataclass(frozen=True, slots=True)
class BegunFreeze:
    """That the beginning of a freeze was told, until its end is, too."""

    freeze: str
    begins: datetime


@dataclass(frozen=True, slots=True)
class FreezeTurns:
    """What is new: freezes that have begun, those that are over, and what is told."""

    begun: tuple[BegunFreeze, ...] = ()
    over: tuple[BegunFreeze, ...] = ()
    events: tuple[Event, ...] = ()


def turns_of(known: Iterable[Freeze], begun: Iterable[BegunFreeze], now: datetime) -> FreezeTurns:
    """What became of freezes by time alone; `begun` are those whose beginning was told.

    Nothing is told of the end of one that somebody lifted, or took out of the configuration: that was their word. One
    that began and ended while no server ran held nobody up, and is not told.
    """
    freezes = {one.id: one for one in known if one.lifted_at is None}
    told = list(begun)
    gone = [one for one in told if one.freeze not in freezes or freezes[one.freeze].begins != one.begins]
    ended = [one for one in told if one not in gone and freezes[one.freeze].ends <= now]
    hold = [one for one in freezes.values() if one.holds(now) and begun_freeze(one) not in told]
    over = [freezes[one.freeze] for one in ended]
    return FreezeTurns(
        begun=tuple(begun_freeze(one) for one in hold),
        over=(*gone, *ended),
        events=(
            *(freeze_event(EventKind.FREEZE_ENDED, _no_longer(one), one, now) for one in over),
            *(freeze_event(EventKind.FREEZE_BEGAN, _is_frozen(one), one, now) for one in hold),
        ),
    )


def begun_freeze(freeze: Freeze) -> BegunFreeze:
    """That its beginning was told."""
    return BegunFreeze(freeze.id, freeze.begins)


def freeze_event(kind: EventKind, text: str, freeze: Freeze, now: datetime, actor: Actor = SYSTEM) -> Event:
    """What is recorded of a freeze; `planned` in its data says that it has not begun."""
    about = {"environment": str(freeze.environment)} | ({"service": str(freeze.service)} if freeze.service else {})
    times = {"begins": freeze.begins.isoformat(), "ends": freeze.ends.isoformat()}
    data = {"freeze": freeze.id, **times, "reason": freeze.reason, "planned": freeze.begins > now}
    return Event(kind, text, about, actor, data)


def _is_frozen(freeze: Freeze) -> str:
    return f"{freeze.place} is frozen until {say_when(freeze.ends, freeze.timezone)}: {freeze.reason}"


def _no_longer(freeze: Freeze) -> str:
    return f"{freeze.place} is no longer frozen: {freeze.reason}"
