"""No verification passes before its checks and its load check went well, unless a person or the file says so."""

from __future__ import annotations

from sqlalchemy import Connection

from tidegate.model.event import EventKind, RecordedEvent
from tidegate.model.ids import RunId
from tidegate.model.lease import StepOutcome
from tidegate.model.pipeline import OnDoubt
from tidegate.model.rollout import Rollout
from tidegate.model.verdict import Verdict
from tidegate.sim.broken import RuleBroken
from tidegate.sim.outside import Outside
from tidegate.sim.recorded import rollout_of
from tidegate.store import queries


class ProofRules:
    """Looks at what passes with the rows of its checks beside it."""

    def __init__(self, outside: Outside) -> None:
        self._outside = outside
        self._promoted: set[RunId] = set()

    def look(self, connection: Connection, recorded: RecordedEvent) -> None:
        """Look at one event. Raises RuleBroken."""
        match recorded.event.kind:
            case EventKind.ROLLOUT_PROMOTED:
                self._promoted.add(RunId(recorded.event.about["run"]))
            case EventKind.ROLLOUT_PASSED:
                rollout = rollout_of(connection, recorded)
                if (
                    rollout.verify
                    and rollout.run not in self._promoted
                    and rollout.verify.no_data is not OnDoubt.PROMOTE
                ):
                    self._check(connection, rollout)

    def _check(self, connection: Connection, rollout: Rollout) -> None:
        assert rollout.verify is not None and rollout.run is not None and rollout.new is not None
        names = {check.name for check in rollout.verify.checks}
        for step in queries.steps(connection, rollout.run):
            if step.scope == rollout.stage and step.name in names:
                said = [one for one in step.reports if one.is_answer]
                if not said or said[-1].outcome is not StepOutcome.SUCCEEDED:
                    raise RuleBroken("nothing passes before its checks did", f"{rollout.id}: {step.name}")
        if not rollout.needs_load:
            return
        result = rollout.load_result
        if result is None or result.verdict is not Verdict.PASS:
            raise RuleBroken("nothing passes before its load check did", rollout.id)
        deployment = queries.deployment(connection, rollout.new)
        if deployment and self._outside.version_of_commit(deployment.commit).saturates:
            raise RuleBroken("what holds too little is not promoted", rollout.id)
