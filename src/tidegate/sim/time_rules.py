"""No gate opens while its environment is frozen or outside of its hours, unless the glass was broken for exactly it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection

from tidegate.model.event import EventKind, RecordedEvent
from tidegate.model.run import Run
from tidegate.sim.broken import RuleBroken
from tidegate.sim.outside import Outside
from tidegate.sim.recorded import run_of


@dataclass(slots=True)
class _Freeze:
    environment: str
    service: str | None
    begins: datetime
    ends: datetime

    def holds(self, service: str, environment: str, at: datetime) -> bool:
        return self.environment == environment and self.service in (None, service) and self.begins <= at < self.ends


@dataclass(slots=True)
class TimeRules:
    """Follows freezes and broken glass by what is recorded of them; the hours are those of the pushed file."""

    outside: Outside
    _freezes: dict[str, _Freeze] = field(default_factory=dict)
    _broken: set[tuple[str, str]] = field(default_factory=set)

    def look(self, connection: Connection, recorded: RecordedEvent) -> None:
        """Look at one event. Raises RuleBroken."""
        about, data = recorded.event.about, recorded.event.data
        match recorded.event.kind:
            case EventKind.FREEZE_SET:
                begins, ends = (datetime.fromisoformat(str(data[edge])) for edge in ("begins", "ends"))
                self._freezes[str(data["freeze"])] = _Freeze(about["environment"], about.get("service"), begins, ends)
            case EventKind.FREEZE_LIFTED:
                del self._freezes[str(data["freeze"])]
            case EventKind.GLASS_BROKEN:
                self._broken.add((about["run"], about["stage"]))
            case EventKind.RUN_RETRIED:
                self._broken = {(run, stage) for run, stage in self._broken if run != about["run"]}
            case EventKind.GATE_DECIDED if data["state"] == "open":
                if (about["run"], about["stage"]) not in self._broken:
                    self._check(connection, recorded)

    def _check(self, connection: Connection, recorded: RecordedEvent) -> None:
        about, at = recorded.event.about, recorded.at
        if self.is_frozen(about["service"], about["environment"], at):
            raise RuleBroken("a freeze lets nothing in", recorded.event.text)
        if about["stage"] == "production" and self.is_shut(run_of(connection, recorded), at):
            raise RuleBroken("a window that is shut lets nothing in", f"{recorded.event.text}, at {at:%H:%M:%S}")

    def is_frozen(self, service: str, environment: str, at: datetime) -> bool:
        """Whether a freeze keeps the service out of the environment."""
        return any(one.holds(service, environment, at) for one in self._freezes.values())

    def is_shut(self, run: Run, at: datetime) -> bool:
        """Whether it is outside of the hours in which the run's file lets anything into production."""
        hours = self.outside.windows.get((run.service, run.change.commit), ())
        return bool(hours) and not any(_is_in(one, at) for one in hours)


def _is_in(hours: str, at: datetime) -> bool:
    begins, _, ends = hours.partition("-")
    return begins <= f"{at:%H:%M}" < ends
