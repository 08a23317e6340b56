"""Looking at a drill: whether it is over, what serves then, and whether it takes too long."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from tidegate.engine.parts import Parts
from tidegate.model.actor import SYSTEM
from tidegate.model.deployment import Deployment
from tidegate.model.drill import AT_MOST, CAUSE, Drill, DrillState, Seen, ended, is_too_late
from tidegate.model.event import Event, EventKind
from tidegate.model.ids import RunId
from tidegate.model.quantity import format_duration
from tidegate.model.rollout import Rollout
from tidegate.model.run import Run
from tidegate.store import drill_queries, events, queries, rows
from tidegate.targets.target import TargetAway


@dataclass(frozen=True, slots=True)
class DrillLook:
    """What a look came to: whether the drill was given up, so that its run has to end, and when to look again."""

    given_up: bool = False
    again_at: datetime | None = None


def look_at_drill(parts: Parts, run_id: RunId) -> DrillLook:
    """Look at the drill of a run: whether it is over, and how it went."""
    with parts.database.reading() as connection:
        drill = drill_queries.drill(connection, run_id)
        known = _known(connection, run_id) if drill else None
    if drill is None or drill.is_ended or known is None:
        return DrillLook()
    _, rollout, good = known
    seen = _ask(parts, drill, good) if rollout and rollout.state.is_ended else None
    with parts.database.writing() as connection:
        parts.database.lock_service(connection, drill.service)
        drill = drill_queries.drill(connection, run_id)
        known = _known(connection, run_id)
        if drill is None or drill.is_ended or known is None:
            return DrillLook()
        return _save(connection, parts, drill, *known, seen)


def _known(connection: Connection, run_id: RunId) -> tuple[Run, Rollout | None, Deployment | None] | None:
    run = queries.run(connection, run_id)
    if run is None:
        return None
    rollout = next(iter(queries.rollouts_of_run(connection, run_id)), None)
    good = queries.deployment(connection, rollout.old) if rollout and rollout.old else None
    return run, rollout, good


def _ask(parts: Parts, drill: Drill, good: Deployment | None) -> Seen:
    try:
        installation = parts.target.observe(good.id) if good else None
    except TargetAway:
        installation = None
    return Seen(installation, parts.router.shares(drill.placement))


def _save(
    connection: Connection,
    parts: Parts,
    drill: Drill,
    run: Run,
    rollout: Rollout | None,
    good: Deployment | None,
    seen: Seen | None,
) -> DrillLook:
    now = parts.clock.now()
    if seen is None and rollout and rollout.state.is_ended:
        return DrillLook(again_at=now)  # it ended after the look had begun: nobody was asked yet
    over = ended(drill, run, rollout, good, seen or Seen(None, None), now)
    if over:
        rows.put(connection, over)
        events.append(connection, [_ended(over)], now)
        return DrillLook()
    if not is_too_late(drill, now):
        return DrillLook(again_at=drill.began_at + AT_MOST)
    if run.cancel_asked_by or run.status.is_ended:
        return DrillLook()
    rows.put(connection, replace(run, cancel_asked_by=f"{CAUSE} that took longer than {format_duration(AT_MOST)}"))
    return DrillLook(given_up=True)


def _ended(drill: Drill) -> Event:
    about = {"service": str(drill.service), "environment": str(drill.environment), "run": str(drill.run)}
    place = f"{drill.service} in {drill.environment}"
    if drill.state is DrillState.PASSED:
        seconds = f"{drill.seconds:.3f} s" if drill.seconds is not None else "an unknown time"
        text = f"the drill of {place} went well: all traffic was back after {seconds}"
    else:
        text = f"the drill of {place} went wrong: {'; '.join(drill.went_wrong)}"
    data = {"state": drill.state.value, "seconds": drill.seconds, "whole_seconds": drill.whole_seconds}
    return Event(EventKind.DRILL_ENDED, text, about, SYSTEM, data)
