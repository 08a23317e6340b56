"""Rules 2 and 3 at the moments when something went back, or passed."""

from __future__ import annotations

from collections import Counter

from sqlalchemy import Connection

from tidegate.model.event import EventKind, RecordedEvent
from tidegate.model.ids import DeploymentId, PlacementId, split_placement
from tidegate.model.rollout import Rollout, RolloutState
from tidegate.sim.broken import RuleBroken
from tidegate.sim.outside import Outside
from tidegate.sim.recorded import placement_of, rollout_of, service_of
from tidegate.sim.router import Split
from tidegate.store import queries

ROLLBACKS_THAT_STOP_THE_LINE = 2


class RollbackRules:
    """What each rollback promises, and whether it is kept."""

    def __init__(self, outside: Outside) -> None:
        self._outside = outside
        self._in_a_row: Counter[PlacementId] = Counter()
        self._must_go_back: set[str] = set()
        self._must_be_quarantined: set[str] = set()

    def look(self, connection: Connection, recorded: RecordedEvent) -> None:
        """Look at one event. Raises RuleBroken."""
        about, data = recorded.event.about, recorded.event.data
        match recorded.event.kind:
            case EventKind.VERDICT:
                self._must_go_back.add(about["rollout"])
            case EventKind.ROLLBACK_HELD:
                self._must_go_back.discard(about["rollout"])
            case EventKind.ROLLBACK_DECIDED if data.get("for_cause"):
                self._must_go_back.discard(about["rollout"])
                self._must_be_quarantined |= {about["deployment"]} if "deployment" in about else set()
            case EventKind.DEPLOYMENT_QUARANTINED:
                self._must_be_quarantined.discard(about["deployment"])
                self._count_for_cause(connection, recorded)
            case EventKind.SERVICE_RESUMED:
                for placement in queries.placements(connection, about["service"]):
                    self._in_a_row[placement.id] = 0
            case EventKind.ROLLOUT_PASSED:
                rollout = rollout_of(connection, recorded)
                self._in_a_row[rollout.placement] = 0
                self._check_serves(connection, rollout, rollout.new)
            case EventKind.ROLLOUT_ENDED:
                rollout = rollout_of(connection, recorded)
                if rollout.state is RolloutState.ROLLED_BACK:
                    self._check_serves(connection, rollout, rollout.old)

    def check_promises(self) -> None:
        """Check that what was said together was done together. Raises RuleBroken."""
        if self._must_go_back:
            raise RuleBroken("a breach rolls back for cause", ", ".join(self._must_go_back))
        if self._must_be_quarantined:
            raise RuleBroken("3 what went back for cause is quarantined", ", ".join(self._must_be_quarantined))

    def _count_for_cause(self, connection: Connection, recorded: RecordedEvent) -> None:
        placement = placement_of(recorded)
        self._in_a_row[placement] += 1
        protected = self._outside.protected[split_placement(placement)[1]]
        stopped = service_of(connection, recorded).line_stopped_because is not None
        if protected and self._in_a_row[placement] >= ROLLBACKS_THAT_STOP_THE_LINE and not stopped:
            raise RuleBroken("3 two rollbacks for cause in a row stop the line", str(placement))

    def _check_serves(self, connection: Connection, rollout: Rollout, wanted: DeploymentId | None) -> None:
        """Whether exactly one deployment serves now, all instances of it; or none at all."""
        split = Split.of(self._outside.router.shares(rollout.placement)).fractions
        if split != ({wanted: 1.0} if wanted else {}):
            raise RuleBroken("2 after any ending one deployment serves", f"{rollout.id}: {split}, not {wanted}")
        deployment = queries.deployment(connection, wanted) if wanted else None
        if deployment and self._outside.target.instances_of(deployment.id) < deployment.runtime.instances:
            raise RuleBroken("2 all instances of it serve", f"{rollout.id}: {deployment.label} is not whole")
