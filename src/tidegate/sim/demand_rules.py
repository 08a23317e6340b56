"""No gate to production opens against what files and the server demand, unless the glass was broken for exactly it.

What holds is asked of the simulated world itself: what a version reported, what the address outside said, what is in
the record; no rule here reads what the gate's decision was made of.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Connection

from tidegate.model.approval import Answer, Approval
from tidegate.model.event import EventKind, RecordedEvent
from tidegate.model.run import Run
from tidegate.sim.broken import RuleBroken
from tidegate.sim.demand import NOTHING, THE_FILES_ADDRESS, THE_FLOORS_ADDRESS, Demand, SimulatedPolicy
from tidegate.sim.outside import Outside
from tidegate.sim.recorded import run_of
from tidegate.store import queries

CLOCKS_DIFFER = timedelta(seconds=2)
"""So far back no clock counts as set back."""


@dataclass(slots=True)
class DemandRules:
    """Follows the record, and asks the world."""

    outside: Outside
    _broken: set[tuple[str, str]] = field(default_factory=set)
    _in_staging: dict[str, set[str]] = field(default_factory=dict)
    """The runs by which each release passed in staging."""

    _bygone: set[str] = field(default_factory=set)
    """The questions of attempts that are over."""

    _latest: datetime | None = None

    def look(self, connection: Connection, recorded: RecordedEvent) -> None:
        """Look at one event. Raises RuleBroken."""
        about, data = recorded.event.about, recorded.event.data
        match recorded.event.kind:
            case EventKind.GLASS_BROKEN:
                self._broken.add((about["run"], about["stage"]))
            case EventKind.RUN_RETRIED:
                self._broken = {(run, stage) for run, stage in self._broken if run != about["run"]}
                self._bygone |= {name for name, one in self.outside.office.asked.items() if one.run == about["run"]}
            case EventKind.STAGE_ENDED if about["stage"] == "staging":
                self._note_staging(connection, recorded)
            case EventKind.GATE_DECIDED if data["state"] == "open" and about["stage"] == "production":
                if (about["run"], about["stage"]) not in self._broken:
                    self._check(connection, recorded)
        self._latest = max(recorded.at, self._latest or recorded.at)

    def _note_staging(self, connection: Connection, recorded: RecordedEvent) -> None:
        run = run_of(connection, recorded)
        passed = self._in_staging.setdefault(str(run.release), set())
        (passed.add if recorded.event.text.endswith(" passed") else passed.discard)(run.id)

    def _check(self, connection: Connection, recorded: RecordedEvent) -> None:
        run, at, text = run_of(connection, recorded), recorded.at, recorded.event.text
        if self._latest and at < self._latest - CLOCKS_DIFFER:
            raise RuleBroken("a clock that was set back opens nothing", f"{text}, at {at:%H:%M:%S}")
        if self.lacks_people(connection, run):
            raise RuleBroken("a floor's people are asked", text)
        if self.lacks_staging(run):
            raise RuleBroken("a floor that asks for staging first", text)
        for policy in self.refusing_policies(run, at):
            raise RuleBroken("a policy that does not hold lets nothing in", f"{text}: {policy.expression}")
        if self.lacks_answer(run):
            raise RuleBroken("a gate that asks outside opens on a yes only", text)

    def lacks_people(self, connection: Connection, run: Run) -> bool:
        """A floor's people are counted by the words alone; what the file asks is counted in sim/gate_rules.py."""
        floor = self.outside.floor
        assert run.pipeline is not None
        asked = run.pipeline.stage(run.pipeline.stages[-1].name).gate.approvals
        needed = max(floor.approvals, (asked.count if asked else 1) if floor.never_automatic else 0)
        return len(_people_for(connection, run)) < needed

    def lacks_staging(self, run: Run) -> bool:
        """Whether the floor asks that the release passed in staging, and it did not."""
        return self.outside.floor.staging_first and not self._in_staging.get(str(run.release))

    def refusing_policies(self, run: Run, at: datetime) -> list[SimulatedPolicy]:
        """The policies of the file and of the floor that do not hold."""
        version = self.outside.version_of_commit(run.change.commit)
        return [policy for policy in self.policies(run) if not policy.holds(version, at)]

    def policies(self, run: Run) -> list[SimulatedPolicy]:
        """All policies of the file and of the floor."""
        return [demand.policy for demand, _ in self._demands(run) if demand.policy]

    def lacks_answer(self, run: Run) -> bool:
        """Whether an address is asked that has not said yes."""
        return any(demand.asks and not self._is_yes(run, address) for demand, address in self._demands(run))

    def _demands(self, run: Run) -> tuple[tuple[Demand, str], tuple[Demand, str]]:
        file = self.outside.files.get((run.service, run.change.commit), NOTHING)
        return (file, THE_FILES_ADDRESS), (self.outside.floor, THE_FLOORS_ADDRESS)

    def _is_yes(self, run: Run, address: str) -> bool:
        return any(
            one.is_yes and (one.url, one.run, one.release, one.stage) == (address, run.id, run.release, "production")
            for name, one in self.outside.office.asked.items()
            if name not in self._bygone
        )


def _people_for(connection: Connection, run: Run) -> set[str]:
    latest: dict[str, Approval] = {}
    for one in queries.approvals(connection, run.id):
        if one.stage == "production" and one.point == 0 and one.release == run.release:
            latest[one.actor.name] = one
    return {name for name, one in latest.items() if one.answer is Answer.APPROVED}
