"""The rules that users rely on, checked against the simulated world after every step of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import Connection

from tidegate.model.event import RecordedEvent
from tidegate.model.ids import DeploymentId, Generation
from tidegate.model.installation import Endpoint, Routing
from tidegate.sim.blind_rules import BlindRules
from tidegate.sim.demand_rules import DemandRules
from tidegate.sim.drill_rules import DrillRules
from tidegate.sim.evidence_rules import EvidenceRules
from tidegate.sim.floor_rules import FloorRules
from tidegate.sim.gate_rules import GateRules
from tidegate.sim.hook_rules import check_hook_begins
from tidegate.sim.incident_rules import IncidentRules
from tidegate.sim.metric_rules import MetricRules
from tidegate.sim.once import Once
from tidegate.sim.outside import Outside
from tidegate.sim.proof_rules import ProofRules
from tidegate.sim.rollback_rules import RollbackRules
from tidegate.sim.time_rules import TimeRules
from tidegate.sim.traffic_rules import TrafficRules
from tidegate.sim.train_rules import TrainRules
from tidegate.sim.waiting_rules import WaitingRules
from tidegate.store import events, queries
from tidegate.store.database import Database


class Rules:
    """What was seen so far, and the check of each new thing against it."""

    def __init__(self, database: Database, outside: Outside) -> None:
        self.seen: list[RecordedEvent] = []
        self._database = database
        self._rollbacks = RollbackRules(outside)
        gates, times, demands = GateRules(outside), TimeRules(outside), DemandRules(outside)
        self._blind, floors = BlindRules(outside), FloorRules()
        self._incidents, self._drills = IncidentRules(outside), DrillRules(outside)
        self._waiting = WaitingRules(gates, times, demands)
        self._traffic = TrafficRules(outside, gates.opened, floors)
        self._lookers: tuple[Callable[[Connection, RecordedEvent], None], ...] = (
            Once().look,
            gates.look,
            self._rollbacks.look,
            self._incidents.look,
            self._drills.look,
            EvidenceRules(outside.traffic).look,
            ProofRules(outside).look,
            MetricRules(outside).look,
            TrainRules(outside).look,
            times.look,
            demands.look,
            floors.look,
            check_hook_begins,
        )

    def check(self) -> None:
        """Look at everything that is new in the rows. Raises RuleBroken."""
        with self._database.reading() as connection:
            fresh = events.since(connection, self.seen[-1].id if self.seen else 0)
            self.seen += fresh
            for event in fresh:
                for look in self._lookers:
                    look(connection, event)
            self._rollbacks.check_promises()
            for placement in queries.placements(connection):
                self._traffic.check_placement(placement)

    def check_waiting(self, at: datetime) -> None:
        """Look at what waits at gates, and at drills, when nothing moves any more. Raises RuleBroken."""
        with self._database.reading() as connection:
            self._waiting.check(connection, at)
            self._drills.check_over(connection)

    def check_incidents(self) -> None:
        """Look at the incidents that are open when nothing has moved for longer than they need. Raises RuleBroken."""
        with self._database.reading() as connection:
            self._incidents.check_over(connection)

    def check_blind(self, down: timedelta) -> None:
        """Look at what is served when a server comes that was away for so long. Raises RuleBroken."""
        with self._database.reading() as connection:
            self._blind.check(connection, down)

    def check_told(self, routing: Routing, generation: Generation) -> None:
        """Look at what the router is told, before it does so. Raises RuleBroken."""
        self.check()
        with self._database.reading() as connection:
            self._traffic.check_told(connection, routing, generation)

    def check_stop(self, deployment: DeploymentId, endpoint: Endpoint) -> None:
        """Look at an instance that is about to be stopped. Raises RuleBroken."""
        self._traffic.check_stop(deployment, endpoint)
