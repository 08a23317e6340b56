"""How an instance is, from what was seen of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from tidegate.model.installation import Endpoint, Instance, InstanceState
from tidegate.supervision.program import ProgramPhase, ProgramState
from tidegate.targets import health, listeners

_CRASH_LOOP_RESTARTS = 3
_CRASH_LOOP_SPAN = timedelta(minutes=5)

_STARTED = (ProgramPhase.EXITED, ProgramPhase.BACKOFF)
"""It ran and ended by itself, perhaps because its port was taken."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What was seen of an instance: its program, the ports on which its processes listen, and, where its own is
    among them, its answer about its health, else who holds that port."""

    program: ProgramState
    ports: frozenset[int] = frozenset()
    answer: health.Answer | None = None
    holder: listeners.Holder | None = None


def see(program: ProgramState, port: int, path: str) -> Sight:
    """Look at an instance; takes two seconds at most."""
    if program.pid is None:
        return Sight(program, holder=listeners.holder_of(port) if program.phase in _STARTED else None)
    ports = listeners.ports_of_tree(program.pid)
    if port in ports:
        return Sight(program, ports, answer=health.ask_twice(port, path))
    return Sight(program, ports, holder=listeners.holder_of(port))


def judge(
    index: int, port: int, sight: Sight, now: datetime, within: timedelta, unhealthy_since: datetime | None
) -> Instance:
    """How the instance is at `now`.

    `within` is how long it may be without a good answer, from its start or from `unhealthy_since` (the moment when
    it was first seen without one), whichever came later.
    """
    restarts = sight.program.restarts_since(now - _CRASH_LOOP_SPAN)
    detail = _trouble(sight, port)
    if sight.program.phase is ProgramPhase.FATAL:
        state, detail = InstanceState.FAILED, sight.program.description
    elif restarts >= _CRASH_LOOP_RESTARTS:
        minutes = _CRASH_LOOP_SPAN // timedelta(minutes=1)
        state = InstanceState.FAILED
        detail = f"it ended by itself {restarts} times within {minutes} minutes; the last time it {_ending(sight)}"
    elif not detail:
        state = InstanceState.HEALTHY
    elif _overdue(sight, now, within, unhealthy_since):
        state = InstanceState.FAILED
        detail = f"not healthy within {within.total_seconds():g} s: {detail}"
    else:
        started = max(sight.program.started_at, default=now)
        state = InstanceState.STARTING if now - started <= within else InstanceState.UNHEALTHY
    if sight.holder is not None and str(sight.holder) not in detail:
        detail = f"{detail}; port {port} is taken by {sight.holder}"
    endpoint = Endpoint("127.0.0.1", port)
    return Instance(index, endpoint, state, sight.program.restarts, detail, port_taken=sight.holder is not None)


def _trouble(sight: Sight, port: int) -> str:
    """Why the instance is not healthy; empty where it is."""
    if sight.program.phase is ProgramPhase.ABSENT:
        return "it is not started yet"
    if sight.program.phase is ProgramPhase.STOPPING:
        return "it is ending, and starts again after that"
    if not sight.program.runs:
        return f"it {_ending(sight)} and is started again"
    if sight.answer is not None:
        return "" if sight.answer.good else sight.answer.said
    if sight.holder is not None:
        return f"port {port} is taken by {sight.holder}"
    if sight.ports:
        listed = ", ".join(str(one) for one in sorted(sight.ports))
        return f"the instance listens on {listed}, not on $PORT {port}"
    return f"nothing listens on $PORT {port} yet"


def _ending(sight: Sight) -> str:
    known = sight.program.description
    return known if known.startswith("ended") else "ended"


def _overdue(sight: Sight, now: datetime, within: timedelta, unhealthy_since: datetime | None) -> bool:
    moments = [one for one in (sight.program.first_started_at, unhealthy_since) if one is not None]
    return bool(moments) and now - max(moments) > within
