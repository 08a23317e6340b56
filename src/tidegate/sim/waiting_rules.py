"""A gate that is shut says why, and each of its reasons is so: what is met keeps nothing out.

Looked at when nothing moves any more: until then a gate may not have been looked at since something was met.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from tidegate.model.gate import PLACEMENT_RULE
from tidegate.model.ids import placement_id
from tidegate.model.run import Run, StageState
from tidegate.sim.broken import RuleBroken
from tidegate.sim.demand_rules import DemandRules
from tidegate.sim.gate_rules import GateRules
from tidegate.sim.time_rules import TimeRules
from tidegate.store import queries

PRODUCTION = "production"


@dataclass(frozen=True, slots=True)
class WaitingRules:
    """Asks the same of the world as the rules of what may open, the other way round."""

    gates: GateRules
    times: TimeRules
    demands: DemandRules

    def check(self, connection: Connection, at: datetime) -> None:
        """Check every reason of every gate to production that is shut. Raises RuleBroken."""
        for run in queries.open_runs(connection):
            for stage in queries.stages(connection, run.id):
                if stage.state is not StageState.GATE or stage.environment != PRODUCTION or stage.gate is None:
                    continue
                if not stage.gate.blocking:
                    raise RuleBroken("what meets all demands is let in", f"{run.id} waits for nothing")
                for reason in stage.gate.blocking:
                    holds = self._truths(connection, run, at).get(reason.rule)
                    if holds and not holds():
                        raise RuleBroken("what meets all demands is let in", f"{run.id}: {reason}")

    def _truths(self, connection: Connection, run: Run, at: datetime) -> dict[str, Callable[[], bool]]:
        """Of each rule whether it has something against the run. Of trains and batches nothing is known here."""
        service = queries.known_service(connection, run.service)
        assert service is not None and run.pipeline is not None
        stage = next(one for one in run.pipeline.stages if one.environment == PRODUCTION)
        placement = placement_id(run.service, stage.environment)
        owners = (one.placement for one in queries.active_rollouts(connection) if one.state.owns_placement)
        return {
            "hold": lambda: run.held_by is not None,
            "pause": lambda: service.paused_because is not None,
            "line": lambda: service.line_stopped_because is not None,
            "freeze": lambda: self.times.is_frozen(run.service, PRODUCTION, at),
            "window": lambda: self.times.is_shut(run, at),
            "promotion": lambda: self.demands.lacks_staging(run),
            "policy": lambda: self._policy_refuses(run, at),
            "external answer": lambda: self.demands.lacks_answer(run),
            "approvals": lambda: (
                self.gates.lacks_people(connection, run, stage, at) or self.demands.lacks_people(connection, run)
            ),
            PLACEMENT_RULE: lambda: placement in owners,
        }

    def _policy_refuses(self, run: Run, at: datetime) -> bool:
        """A policy that reads the clock may have been asked a while ago: it is not held against the gate."""
        reads_clock = any("now" in one.expression for one in self.demands.policies(run))
        return reads_clock or bool(self.demands.refusing_policies(run, at))
