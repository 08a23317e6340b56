"""The rules about traffic and instances: who is told to get requests, and what is stopped when."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta

from sqlalchemy import Connection

from tidegate.model.approval import Answer
from tidegate.model.deployment import Deployment
from tidegate.model.ids import DeploymentId, Generation, PlacementId
from tidegate.model.installation import Endpoint, Route, Routing
from tidegate.model.placement import Arrangement, Placement
from tidegate.model.rollout import Rollout, RolloutKind, RolloutState
from tidegate.model.share import NONE
from tidegate.sim.broken import RuleBroken
from tidegate.sim.floor_rules import FloorRules
from tidegate.sim.outside import Outside
from tidegate.store import queries

_BACK = (RolloutState.RETURNING, RolloutState.ROLLED_BACK)
_FORWARD = (RolloutState.WATCHING, RolloutState.SUCCEEDED, RolloutState.HELD)

LONGEST_REQUEST = timedelta(minutes=1)
"""Longer than any request of the simulated users is in flight."""


class TrafficRules:
    """Checks what the router is told. `opened` are the releases that a gate let into an environment."""

    def __init__(self, outside: Outside, opened: Collection[tuple[str, str]], floors: FloorRules) -> None:
        self._outside = outside
        self._floors = floors
        self._opened = opened
        self._moves: dict[PlacementId, tuple[Generation, Arrangement]] = {}

    def check_placement(self, placement: Placement) -> None:
        """Look at a placement's row. Raises RuleBroken."""
        now = (placement.generation, placement.arrangement)
        before = self._moves.get(placement.id, now)
        if now[0] < before[0]:
            raise RuleBroken("generations only grow", f"{placement.id} at {placement.generation}")
        if now[0] == before[0] and now[1] != before[1]:
            raise RuleBroken("every move has a generation of its own", f"{placement.id}: {before} → {now}")
        self._moves[placement.id] = now

    def check_told(self, connection: Connection, routing: Routing, generation: Generation) -> None:
        """Look at what the router is told, before it does so. Raises RuleBroken.

        One of an older generation was on its way before the placement wanted another: the router will be told better.
        """
        routes = [route for route in routing.routes if route.share > NONE]
        if len(routes) > 2:
            raise RuleBroken("5 never three deployments with traffic", str(routing))
        placement = queries.placement(connection, routing.placement)
        assert placement is not None
        deployments = {route.deployment: _deployment(connection, route) for route in routes}
        for route in routes:
            self._check_route(deployments[route.deployment], placement, route.endpoints)
        if generation == placement.generation:
            rollout = queries.rollout(connection, placement.rollout)
            self._check_wanted(placement, rollout, deployments)
            if rollout and rollout.kind is RolloutKind.RELEASE and rollout.state not in _BACK:
                self._check_forward(connection, rollout, routes, deployments)

    def check_stop(self, deployment: DeploymentId, endpoint: Endpoint) -> None:
        """Look at an instance that is about to be stopped. Raises RuleBroken."""
        self._outside.router.settle()
        if self._outside.router.gets_traffic(endpoint):
            raise RuleBroken("no instance stops while it gets traffic", f"{deployment} at {endpoint}")
        if self._outside.router.is_busy(endpoint) and not self._was_cut_short():
            raise RuleBroken("instances are drained before they stop", f"{deployment} at {endpoint}")

    def _was_cut_short(self) -> bool:
        """Whether the server's clock jumped forward while it was drained: its time was over at once then."""
        set_right_at = self._outside.server_clock.set_right_at
        return set_right_at is not None and self._outside.target.clock.now() < set_right_at + LONGEST_REQUEST

    def _check_route(self, deployment: Deployment, placement: Placement, endpoints: tuple[Endpoint, ...]) -> None:
        if (deployment.release, placement.environment) not in self._opened:
            raise RuleBroken("1 no traffic without a recorded gate", f"{deployment.id} in {placement.id}")
        if not endpoints:
            raise RuleBroken("new instances are healthy before traffic", f"{deployment.id} has no endpoints")
        now = self._outside.target.clock.now()
        for endpoint in endpoints:
            process = self._outside.target.process_at(endpoint)
            if process is None or not (process.serves(now) or process.was_lost):
                raise RuleBroken("traffic only to instances that serve", f"{deployment.id} at {endpoint}: {process}")

    def _check_wanted(
        self, placement: Placement, rollout: Rollout | None, deployments: dict[DeploymentId, Deployment]
    ) -> None:
        for deployment in deployments.values():
            if deployment.is_quarantined:
                raise RuleBroken("3 a quarantined deployment gets no traffic", f"{deployment.id} in {placement.id}")
            self._floors.check_serves(placement.id, deployment)
            if deployment.id not in _may_serve(rollout):
                seen = f"{deployment.id} in {placement.id}, {rollout.state.value if rollout else 'no rollout'}"
                raise RuleBroken("4 traffic only to what the rollout names", seen)

    def _check_forward(
        self,
        connection: Connection,
        rollout: Rollout,
        routes: list[Route],
        deployments: dict[DeploymentId, Deployment],
    ) -> None:
        route = next((one for one in routes if one.deployment == rollout.new), None)
        if route is None:
            return
        instances = deployments[route.deployment].runtime.instances
        if len(route.endpoints) < route.share.of(instances) and rollout.state is RolloutState.MOVING:
            raise RuleBroken("a canary grows to its share before it gets it", f"{route}")
        assert rollout.run is not None
        answers = queries.approvals(connection, rollout.run)
        for point, step in enumerate(rollout.plan[: rollout.step + 1]):
            yes = {one.actor.name for one in answers if one.point == point and one.answer is Answer.APPROVED}
            if point and len(yes) < step.approvals:
                raise RuleBroken("a share that asks for approvals waits for them", f"{rollout.id} at {step.share}")


def _may_serve(rollout: Rollout | None) -> tuple[DeploymentId | None, ...]:
    if rollout is None:
        return ()
    if rollout.state in _BACK:
        return (rollout.old,)
    return (rollout.new,) if rollout.state in _FORWARD else (rollout.new, rollout.old)


def _deployment(connection: Connection, route: Route) -> Deployment:
    found = queries.deployment(connection, route.deployment)
    assert found is not None
    return found
