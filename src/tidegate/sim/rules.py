"""The rules that users rely on, checked against the simulated world after every step of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from sqlalchemy import Connection

from tidegate.model.approval import Answer
from tidegate.model.deployment import Deployment
from tidegate.model.event import EventKind, RecordedEvent
from tidegate.model.ids import DeploymentId, EnvironmentName, Generation, PlacementId, split_placement
from tidegate.model.installation import Endpoint, Routing
from tidegate.model.pipeline import Mode, OnDoubt
from tidegate.model.placement import Placement
from tidegate.model.rollout import Rollout, RolloutKind, RolloutState
from tidegate.model.run import Run
from tidegate.model.service import Service
from tidegate.model.share import NONE
from tidegate.sim.router import SimulatedRouter
from tidegate.sim.target import SimulatedTarget
from tidegate.sim.traffic import SimulatedTraffic
from tidegate.store import events, queries
from tidegate.store.database import Database

ROLLBACKS_THAT_STOP_THE_LINE = 2


class RuleBroken(Exception):
    """A rule that users rely on does not hold; the message names it and what was seen."""

    def __init__(self, rule: str, seen: str) -> None:
        super().__init__(f"{rule}: {seen}")
        self.rule = rule


class Outside(Protocol):
    """What the rules look at besides the rows: the world as it really is."""

    @property
    def target(self) -> SimulatedTarget:
        """What is installed."""

    @property
    def router(self) -> SimulatedRouter:
        """What is routed."""

    @property
    def traffic(self) -> SimulatedTraffic:
        """What users asked."""

    @property
    def protected(self) -> Mapping[EnvironmentName, bool]:
        """The environments, and whether they are protected."""


@dataclass(slots=True)
class Share:
    """A share that a rollout reached: how many requests its deployment had had by then."""

    step: int
    requests: int
    promoted: bool = False


@dataclass(slots=True)
class Rules:
    """What was seen so far, and the check of each new thing against it."""

    database: Database
    outside: Outside
    seen: list[RecordedEvent] = field(default_factory=list)
    _opened: set[tuple[str, str]] = field(default_factory=set)
    _newest: dict[PlacementId, int] = field(default_factory=dict)
    _quarantined: dict[str, bool] = field(default_factory=dict)
    _in_a_row: Counter[PlacementId] = field(default_factory=Counter)
    _stopped: dict[str, bool] = field(default_factory=dict)
    _shares: dict[str, Share] = field(default_factory=dict)
    _generations: dict[PlacementId, Generation] = field(default_factory=dict)
    _once: Counter[tuple[str, ...]] = field(default_factory=Counter)
    _allowed: Counter[tuple[str, ...]] = field(default_factory=Counter)

    def check(self) -> list[RecordedEvent]:
        """Look at everything that is new in the rows; the new events. Raises RuleBroken."""
        with self.database.reading() as connection:
            fresh = list(events.since(connection, self.seen[-1].id if self.seen else 0))
            self.seen += fresh
            for event in fresh:
                self._check_event(connection, event)
            for placement in queries.placements(connection):
                self._check_placement(placement)
        return fresh

    def check_told(self, routing: Routing) -> None:
        """Look at what the router is told, before it does so. Raises RuleBroken."""
        self.check()
        routes = [route for route in routing.routes if route.share > NONE]
        if len(routes) > 2:
            raise RuleBroken("5 never three deployments with traffic", str(routing))
        with self.database.reading() as connection:
            placement = queries.placement(connection, routing.placement)
            assert placement is not None
            rollout = queries.rollout(connection, placement.rollout)
            for route in routes:
                deployment = queries.deployment(connection, route.deployment)
                assert deployment is not None
                self._check_route(deployment, placement, route.endpoints)
            if rollout:
                self._check_forward(connection, rollout, routing)

    def check_stop(self, deployment: DeploymentId, endpoint: Endpoint) -> None:
        """Look at an instance that is about to be stopped. Raises RuleBroken."""
        self.outside.router.settle()
        if self.outside.router.gets_traffic(endpoint):
            raise RuleBroken("no instance stops while it gets traffic", f"{deployment} at {endpoint}")
        if self.outside.router.is_busy(endpoint):
            raise RuleBroken("instances are drained before they stop", f"{deployment} at {endpoint}")

    def _check_route(self, deployment: Deployment, placement: Placement, endpoints: tuple[Endpoint, ...]) -> None:
        if (deployment.release, placement.environment) not in self._opened:
            raise RuleBroken("1 no traffic without a recorded gate", f"{deployment.id} in {placement.id}")
        if deployment.is_quarantined:
            raise RuleBroken("3 a quarantined deployment gets no traffic", f"{deployment.id} in {placement.id}")
        if not endpoints:
            raise RuleBroken("new instances are healthy before traffic", f"{deployment.id} has no endpoints")
        now = self.outside.target.clock.now()
        for endpoint in endpoints:
            process = self.outside.target.process_at(endpoint)
            if process is None or not (process.serves(now) or process.was_lost):
                raise RuleBroken("traffic only to instances that serve", f"{deployment.id} at {endpoint}: {process}")

    def _check_forward(self, connection: Connection, rollout: Rollout, routing: Routing) -> None:
        route = next((one for one in routing.routes if one.deployment == rollout.new and one.share > NONE), None)
        if route is None or rollout.kind is not RolloutKind.RELEASE or rollout.state is RolloutState.RETURNING:
            return
        deployment = queries.deployment(connection, route.deployment)
        assert deployment is not None and rollout.run is not None
        if len(route.endpoints) < route.share.of(deployment.runtime.instances) and rollout.state is RolloutState.MOVING:
            raise RuleBroken("a canary grows to its share before it gets it", f"{route}")
        answers = queries.approvals(connection, rollout.run)
        for point, step in enumerate(rollout.plan[: rollout.step + 1]):
            yes = {one.actor.name for one in answers if one.point == point and one.answer is Answer.APPROVED}
            if point and len(yes) < step.approvals:
                raise RuleBroken("a share that asks for approvals waits for them", f"{rollout.id} at {step.share}")

    def _check_placement(self, placement: Placement) -> None:
        if placement.generation < self._generations.get(placement.id, 0):
            raise RuleBroken("generations only grow", f"{placement.id} at {placement.generation}")
        self._generations[placement.id] = placement.generation

    def _check_event(self, connection: Connection, recorded: RecordedEvent) -> None:
        event = recorded.event
        about = event.about
        self._check_once(recorded)
        match event.kind:
            case EventKind.GATE_DECIDED if event.data["state"] == "open":
                self._check_gate(connection, recorded)
                self._opened.add((about["release"], about["environment"]))
            case EventKind.ROLLOUT_BEGAN:
                self._check_beginning(connection, recorded)
            case EventKind.DEPLOYMENT_QUARANTINED:
                self._quarantined[about["deployment"]] = True
                self._count_for_cause(connection, recorded)
            case EventKind.DEPLOYMENT_RELEASED:
                self._quarantined[about["deployment"]] = False
            case EventKind.LINE_STOPPED:
                self._stopped[about["service"]] = True
            case EventKind.SERVICE_RESUMED:
                self._stopped[about["service"]] = False
                self._in_a_row.clear()
            case EventKind.ROLLOUT_PROMOTED:
                for rollout in queries.rollouts_of_run(connection, about["run"]):
                    if rollout.id in self._shares:
                        self._shares[rollout.id].promoted = True
            case EventKind.ROLLOUT_SHARES:
                rollout = _rollout(connection, about["rollout"])
                self._check_evidence(rollout, forward_from=rollout.step - 1)
                self._shares[rollout.id] = Share(rollout.step, self._requests(rollout))
            case EventKind.ROLLOUT_PASSED:
                rollout = _rollout(connection, about["rollout"])
                self._check_evidence(rollout, forward_from=rollout.step)
                self._in_a_row[rollout.placement] = 0

    def _check_once(self, recorded: RecordedEvent) -> None:
        for key, limit in _identities(recorded):
            self._once[key] += 1
            if self._once[key] > limit + self._allowed[key]:
                raise RuleBroken("every event once", f"{key} again, as event {recorded.id}")
        if recorded.event.kind is EventKind.RUN_RETRIED:
            run = recorded.event.about["run"]
            for key in [key for key in self._once if run in key]:
                self._allowed[key] = self._once[key]

    def _check_gate(self, connection: Connection, recorded: RecordedEvent) -> None:
        about = recorded.event.about
        run, service = _run(connection, about["run"]), _service(connection, about["service"])
        if run.release != about["release"] or not self.outside.protected[EnvironmentName(about["environment"])]:
            return
        assert run.pipeline is not None
        stage = next(one for one in run.pipeline.stages if one.name == about["stage"])
        granted = run.pipeline.mode is Mode.DEPLOYMENT and service.grant is Mode.DEPLOYMENT
        needed = 0 if granted else stage.approvals.count if stage.approvals else 1
        answers = [one for one in queries.approvals(connection, run.id) if one.stage == stage.name and one.point == 0]
        yes = {one.actor.name for one in answers if one.answer is Answer.APPROVED and one.release == run.release}
        if len(yes) < needed or any(one.answer is Answer.REJECTED for one in answers):
            raise RuleBroken("1 a gate opens only as its rules say", f"{run.id} {stage.name}: {len(yes)} of {needed}")

    def _check_beginning(self, connection: Connection, recorded: RecordedEvent) -> None:
        about = recorded.event.about
        if "run" not in about:
            return
        run = _run(connection, about["run"])
        placement = PlacementId(f"{about['service']}/{about['environment']}")
        if self._quarantined.get(about["deployment"]) and not run.by_person:
            raise RuleBroken("3 nothing automatic brings a quarantined deployment back", recorded.event.text)
        if run.order <= self._newest.get(placement, 0) and not run.by_person:
            raise RuleBroken("4 only a newer release comes by itself", recorded.event.text)
        protected = self.outside.protected[EnvironmentName(about["environment"])]
        if protected and self._stopped.get(about["service"]):
            raise RuleBroken("3 a stopped line stays stopped until a person says go", recorded.event.text)
        self._newest[placement] = max(run.order, self._newest.get(placement, 0))

    def _count_for_cause(self, connection: Connection, recorded: RecordedEvent) -> None:
        about = recorded.event.about
        placement = PlacementId(f"{about['service']}/{about['environment']}")
        self._in_a_row[placement] += 1
        protected = self.outside.protected[split_placement(placement)[1]]
        stopped = _service(connection, about["service"]).line_stopped_because is not None
        if protected and self._in_a_row[placement] >= ROLLBACKS_THAT_STOP_THE_LINE and not stopped:
            raise RuleBroken("3 two rollbacks for cause in a row stop the line", str(placement))

    def _check_evidence(self, rollout: Rollout, forward_from: int) -> None:
        share = self._shares.get(rollout.id)
        if share is None or rollout.kind is not RolloutKind.RELEASE or share.step != forward_from:
            return
        verify, step = rollout.verify, rollout.plan[share.step]
        if not step.judged or verify is None or share.promoted:
            return
        doubts = (verify.no_data, verify.undecided)
        if self._requests(rollout) == share.requests and OnDoubt.PROMOTE not in doubts:
            raise RuleBroken("7 no data is not a pass", f"{rollout.id} left {step.share} without a single request")

    def _requests(self, rollout: Rollout) -> int:
        tally = self.outside.traffic.tallies.get(rollout.new) if rollout.new else None
        return tally.ever if tally else 0


def _identities(recorded: RecordedEvent) -> Iterator[tuple[tuple[str, ...], int]]:
    """What may happen only so often: a name for it, and the number."""
    about, kind = recorded.event.about, recorded.event.kind
    match kind:
        case EventKind.RUN_CREATED | EventKind.RELEASE_CREATED:
            yield (kind, about["run"]), 1
        case EventKind.RUN_ENDED:
            yield (kind, about["run"], str(recorded.event.data.get("status"))), 1
        case EventKind.STAGE_BEGAN:
            yield (kind, about["run"], about["stage"]), 1
        case EventKind.STAGE_ENDED:
            yield (kind, about["run"], about["stage"]), 2
        case EventKind.STEP_READY | EventKind.STEP_BEGAN | EventKind.STEP_ENDED:
            attempt = str(recorded.event.data["attempt"])
            yield (kind, about["run"], about.get("scope", ""), about["step"], attempt), 1
        case EventKind.ROLLOUT_BEGAN | EventKind.ROLLOUT_PASSED | EventKind.ROLLOUT_ENDED | EventKind.ROLLBACK_DECIDED:
            yield (kind, about["rollout"]), 1
        case EventKind.ROLLOUT_SHARES:
            yield (kind, about["rollout"], str(recorded.event.data["step"])), 1
        case _:
            pass


def _rollout(connection: Connection, name: str) -> Rollout:
    found = queries.rollout(connection, name)
    assert found is not None
    return found


def _run(connection: Connection, name: str) -> Run:
    found = queries.run(connection, name)
    assert found is not None
    return found


def _service(connection: Connection, name: str) -> Service:
    found = queries.known_service(connection, name)
    assert found is not None
    return found
