"""A drill comes and goes: it takes nothing away, goes no further than it may, and says what is so."""

from __future__ import annotations

from sqlalchemy import Connection

from tidegate.model.drill import Drill, DrillState
from tidegate.model.event import EventKind, RecordedEvent
from tidegate.model.pipeline import SharePoint, Strategy
from tidegate.sim.broken import RuleBroken
from tidegate.sim.outside import Outside
from tidegate.sim.recorded import environment_of, placement_of, rollout_of, run_of
from tidegate.sim.router import Split
from tidegate.store import drill_queries, incident_queries, queries

_TAKES_AWAY = (EventKind.DEPLOYMENT_QUARANTINED, EventKind.INCIDENT_OPENED, EventKind.INCIDENT_NOTED)


class DrillRules:
    """Follows drills from the record, and looks at what is installed and routed when one is over."""

    def __init__(self, outside: Outside) -> None:
        self._outside = outside
        self._runs: set[str] = set()
        self._broken: set[str] = set()

    def look(self, connection: Connection, recorded: RecordedEvent) -> None:
        """Look at one event. Raises RuleBroken."""
        run = recorded.event.about.get("run", "")
        match recorded.event.kind:
            case EventKind.DRILL_BEGAN:
                self._runs.add(run)
                self._check_peace(connection, recorded)
            case EventKind.GLASS_BROKEN:
                self._broken.add(run)
            case EventKind.ROLLOUT_BEGAN if run in self._runs and run not in self._broken:
                self._check_peace(connection, recorded)
            case EventKind.ROLLOUT_SHARES if run in self._runs:
                self._check_share(connection, recorded)
            case EventKind.ROLLOUT_PASSED if run in self._runs:
                raise RuleBroken("a drill goes back", recorded.event.text)
            case EventKind.DEPLOYMENT_RELEASED if run in self._runs and run not in self._broken:
                raise RuleBroken("a drill takes nothing away", recorded.event.text)
            case kind if kind in _TAKES_AWAY and run in self._runs:
                raise RuleBroken("a drill takes nothing away", recorded.event.text)
            case EventKind.DRILL_ENDED:
                self._check_end(connection, recorded)

    def check_over(self, connection: Connection) -> None:
        """Look at drills when nothing moves any more. Raises RuleBroken."""
        for drill in drill_queries.open_drills(connection):
            run = queries.run(connection, drill.run)
            if run is None or run.status.is_ended:
                raise RuleBroken("a drill ends with its run", f"{drill.run} of {drill.placement}")

    def _check_peace(self, connection: Connection, recorded: RecordedEvent) -> None:
        incident = incident_queries.open_at(connection, placement_of(recorded))
        if incident and incident.opened_at < recorded.at:
            raise RuleBroken("nobody drills amid an incident", f"{recorded.event.text}: {incident.reason}")

    def _check_share(self, connection: Connection, recorded: RecordedEvent) -> None:
        """Where it is protected, a drill ends at the first share of the stage's plan."""
        rollout, run = rollout_of(connection, recorded), run_of(connection, recorded)
        assert run.pipeline is not None and run.pipeline.runtime is not None and rollout.stage is not None
        deploy = run.pipeline.stage(rollout.stage).deploy
        if deploy is None or not self._outside.protected[environment_of(recorded)]:
            return
        first = 1.0
        if deploy.strategy is Strategy.CANARY:
            first = next(one.share.fraction for one in deploy.shares if isinstance(one, SharePoint))
        elif deploy.strategy is Strategy.ROLLING:
            first = 1 / run.pipeline.runtime.instances
        if float(str(recorded.event.data["share"])) > first + 0.01:
            raise RuleBroken("a drill goes as far as the first share", recorded.event.text)

    def _check_end(self, connection: Connection, recorded: RecordedEvent) -> None:
        drill = drill_queries.drill(connection, recorded.event.about["run"])
        assert drill is not None
        if drill.state is DrillState.PASSED and (wrong := self._wrong(connection, drill)):
            raise RuleBroken("a drill that went well left all as it was", f"{recorded.event.text}: {wrong}")

    def _wrong(self, connection: Connection, drill: Drill) -> str | None:
        """What is not as the drill says, as the world is."""
        split = Split.of(self._outside.router.shares(drill.placement)).fractions
        here = [queries.deployment(connection, one) for one in split]
        if [one.commit for one in here if one] != [drill.good_commit]:
            return f"{split} serves"
        good = here[0]
        assert good is not None
        if self._outside.target.instances_of(good.id) < good.runtime.instances:
            return f"{good.label} is not whole"
        return None
