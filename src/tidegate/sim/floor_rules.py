"""Rule 8 where something cannot go back: nothing below a placement's floor serves, and nothing begins without one."""

from __future__ import annotations

from sqlalchemy import Connection

from tidegate.model.deployment import Deployment
from tidegate.model.event import EventKind, RecordedEvent
from tidegate.model.ids import PlacementId, placement_id
from tidegate.model.step_run import StepState
from tidegate.sim.broken import RuleBroken
from tidegate.sim.recorded import environment_of, placement_of, rollout_of, run_of
from tidegate.store import incident_queries, queries


class FloorRules:
    """Keeps the floors as the steps make them, whatever the rows say."""

    def __init__(self) -> None:
        self._floors: dict[PlacementId, int] = {}

    def look(self, connection: Connection, recorded: RecordedEvent) -> None:
        """Look at one event. Raises RuleBroken."""
        match recorded.event.kind:
            case EventKind.STEP_READY:
                self._may_begin(connection, recorded)
            case EventKind.FLOOR_LIFTED:
                self._floors.pop(placement_of(recorded), None)
            case EventKind.ROLLBACK_HELD:
                self._was_held(connection, recorded)

    def check_serves(self, placement: PlacementId, deployment: Deployment) -> None:
        """Look at what is to get traffic. Raises RuleBroken."""
        if deployment.order < self._floors.get(placement, 0):
            raise RuleBroken("8 nothing below the floor serves", f"{deployment.id} in {placement}")

    def _may_begin(self, connection: Connection, recorded: RecordedEvent) -> None:
        run = run_of(connection, recorded)
        final = [one for one in queries.steps(connection, run.id) if one.step.irreversible]
        for step in final:
            if step.state in (StepState.WAITING, StepState.CANCELLED, StepState.SKIPPED):
                continue
            stage = next(one for one in queries.stages(connection, run.id) if one.name == step.scope)
            placement = placement_id(run.service, stage.environment)
            self._floors[placement] = max(run.order, self._floors.get(placement, 0))
            rollout = queries.rollout(connection, stage.rollout)
            begins = (recorded.event.about.get("scope"), recorded.event.about.get("step")) == (step.scope, step.name)
            if begins and rollout and not rollout.has_passed:
                seen = f"{step.name} of {run.id} while its rollout is {rollout.state.value}"
                raise RuleBroken("8 what cannot be undone begins last", seen)

    def _was_held(self, connection: Connection, recorded: RecordedEvent) -> None:
        rollout = rollout_of(connection, recorded)
        old = queries.deployment(connection, rollout.old) if rollout.old else None
        floor = self._floors.get(placement_of(recorded), 0)
        if old is not None and old.order >= floor:
            raise RuleBroken("8 nothing but a floor holds a rollback", f"{rollout.id} in {environment_of(recorded)}")
        newest = incident_queries.newest_at(connection, placement_of(recorded), 1)
        if not any(one.closed_at is None or one.closed_at >= recorded.at for one in newest):
            raise RuleBroken("8 what is held at its floor has an incident", str(placement_of(recorded)))
