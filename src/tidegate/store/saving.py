"""Saving a decision: changes, events and effects in one transaction."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, update

from tidegate.model.decision import Decision, WantedEffect
from tidegate.model.effect import Effect, EffectState, act_key
from tidegate.model.ids import EffectId
from tidegate.model.placement import Placement
from tidegate.model.step_run import StepRun
from tidegate.store import cache_queries, events, rows, tables

KEPT_GENERATIONS = 20

_OLDER = (tables.effect.c.placement == bindparam("of"), tables.effect.c.generation < bindparam("before"))
_CANCEL_OLDER = (
    update(tables.effect)
    .where(*_OLDER, tables.effect.c.state == EffectState.PENDING)
    .values(state=EffectState.CANCELLED, detail="a newer generation took over")
)
_FORGET_OLDER = delete(tables.effect).where(*_OLDER)


def save(connection: Connection, decision: Decision, now: datetime, new_id: Callable[[], str]) -> None:
    """Write all that a decision changes.

    A placement's new generation cancels the older effects that are not done: whoever performs one now is late.
    """
    for entity in decision.changes:
        rows.put(connection, entity)
        if isinstance(entity, Placement):
            _cancel_older(connection, entity)
        elif isinstance(entity, StepRun) and entity.cached_from and entity.key:
            cache_queries.note_use(connection, entity.key, now)
    for wanted in decision.effects:
        _want(connection, wanted, now, new_id)
    events.append(connection, decision.events, now)


def _cancel_older(connection: Connection, placement: Placement) -> None:
    connection.execute(_CANCEL_OLDER, {"of": placement.id, "before": placement.generation})
    connection.execute(_FORGET_OLDER, {"of": placement.id, "before": placement.generation - KEPT_GENERATIONS})


def _want(connection: Connection, wanted: WantedEffect, now: datetime, new_id: Callable[[], str]) -> None:
    key = act_key(wanted.act)
    known = rows.find(connection, Effect, placement=wanted.placement, generation=wanted.generation, key=key)
    if known and not wanted.again:
        return
    rows.put(
        connection,
        Effect(
            id=known.id if known else EffectId(new_id()),
            placement=wanted.placement,
            generation=wanted.generation,
            key=key,
            act=wanted.act,
            state=EffectState.PENDING,
            created_at=now,
            due_at=wanted.due_at,
            token=known.token if known else 0,
        ),
    )
