"""What people do to placements: deploy a release, roll back, stop."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlalchemy import Connection

from tidegate.engine.creation import create_deploy_run
from tidegate.engine.engine import Engine
from tidegate.engine.refusal import Refusal, Refused, not_found
from tidegate.model.actor import Actor
from tidegate.model.deployment import Deployment
from tidegate.model.event import Event, EventKind
from tidegate.model.ids import EnvironmentName, RolloutId, ServiceName, placement_id
from tidegate.model.pipeline import DeployRule, Stage, Strategy
from tidegate.model.placement import Placement
from tidegate.model.release import Release
from tidegate.model.rollout import Cause, Rollout, RolloutState, RolloutStep, plan_rollout
from tidegate.model.rollout_begin import begin_return, end_of_watch
from tidegate.model.rollout_floor import forbids
from tidegate.model.run import Run
from tidegate.store import events, queries, rows


@dataclass(frozen=True, slots=True)
class DeployPlan:
    """What a deployment would do: from which deployment, by which steps."""

    release: Release
    serving: Deployment | None
    strategy: Strategy
    steps: tuple[RolloutStep, ...]


class PlacementActs:
    """Each act is one transaction that changes rows and records who did it, and then a hint."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._parts = engine.parts

    def deploy(self, service: str, environment: str, release: str, actor: Actor) -> Run:
        """Begin a run that takes one release to one environment; its gate is asked as always."""
        with self._parts.database.writing() as connection:
            self._parts.database.lock_service(connection, service)
            found = self._release(connection, service, release)
            self._stage_there(found, environment)
            run = create_deploy_run(connection, self._parts, found, EnvironmentName(environment), actor)
        self._engine.queue.hint(f"run:{run.id}")
        return run

    def plan(self, service: str, environment: str, release: str) -> DeployPlan:
        """What `deploy` would do, without doing it."""
        with self._parts.database.reading() as connection:
            found = self._release(connection, service, release)
            placement = queries.placement(connection, placement_id(found.service, EnvironmentName(environment)))
            stage = self._stage_there(found, environment)
            serving = queries.deployment(connection, placement.serving) if placement and placement.serving else None
        rule = stage.deploy or DeployRule(Strategy.BLUE_GREEN)
        instances = found.pipeline.runtime.instances if found.pipeline.runtime else 0
        steps = plan_rollout(rule, instances, stage.verify, old=serving.runtime.instances if serving else 0)
        return DeployPlan(found, serving, rule.strategy, steps)

    def roll_back(
        self, service: str, environment: str, actor: Actor, *, release: str | None = None, stop: bool = False
    ) -> Rollout:
        """Return a placement to its last good deployment (or to `release`, or with `stop` to nothing) at once.

        Needs no approval and no window. Below the placement's floor nothing moves: the rollout says so, and its
        incident is open. Raises Refused where there is nothing to return to.
        """
        with self._parts.database.writing() as connection:
            self._parts.database.lock_service(connection, service)
            placement = self._placement(connection, service, environment)
            owner = queries.rollout(connection, placement.rollout)
            if owner and owner.state is RolloutState.RETURNING and release is None and not stop:
                return owner
            serving = owner.new if owner and owner.state.owns_placement else placement.serving
            if serving is None:
                raise Refused(Refusal.CONFLICT, f"nothing of {service} serves in {environment}")
            back_to = None if stop else self._back_to(connection, placement, owner, release)
            if back_to and forbids(placement.floor, back_to) and owner and owner.state.owns_placement:
                _refuse_below_floor(placement, back_to)
            rollout = self._begin(connection, placement, owner, back_to, actor)
        self._engine.queue.hint(f"placement:{placement.id}")
        return rollout

    def lift_floor(self, service: str, environment: str, actor: Actor, reason: str) -> Placement:
        """Note that somebody has undone by hand what a step did that Tidegate cannot undo.

        Raises Refused where the placement has no floor.
        """
        with self._parts.database.writing() as connection:
            self._parts.database.lock_service(connection, service)
            placement = self._placement(connection, service, environment)
            if placement.floor is None:
                raise Refused(Refusal.CONFLICT, f"{service} has no floor in {environment}: it can go back as it is")
            now = self._parts.clock.now()
            lifted = replace(placement, floor=None, wake_at=now)
            rows.put(connection, lifted)
            owner = queries.rollout(connection, placement.rollout)
            if owner and owner.held_at_floor:
                rows.put(connection, replace(owner, held_at_floor=None))
            text = f"{actor.name} lifts the floor of {placement.id}, set by {placement.floor.step}: {reason}"
            about = {"service": service, "environment": environment}
            said = Event(EventKind.FLOOR_LIFTED, text, about, actor, {"reason": reason, "floor": placement.floor.label})
            events.append(connection, [said], now)
        self._engine.sweep()
        return lifted

    def _placement(self, connection: Connection, service: str, environment: str) -> Placement:
        found = queries.placement(connection, placement_id(ServiceName(service), EnvironmentName(environment)))
        if found is None:
            raise not_found("placement", f"{service} in {environment}", f"tidegate status {service}")
        return found

    def _begin(
        self,
        connection: Connection,
        placement: Placement,
        owner: Rollout | None,
        back_to: Deployment | None,
        actor: Actor,
    ) -> Rollout:
        word = "rolled back" if back_to else "stopped"
        cause = Cause(f"{word} by {actor.name}", for_cause=back_to is not None, actor=actor)
        old = back_to.id if back_to else None
        if owner and not owner.state.is_ended and (owner.old == old or owner.state.owns_placement):
            rollout = replace(owner, rollback_asked=cause, old=old)
        else:
            now = self._parts.clock.now()
            if owner and not owner.state.is_ended:
                rows.put(connection, replace(owner, state=RolloutState.SUCCEEDED, ended_at=now))
                events.append(connection, [end_of_watch(placement, owner)], now)
            new_id = RolloutId(self._parts.new_id())
            rollout, placement = begin_return(new_id, placement, back_to, cause, now)
            rows.put(connection, placement)
            about = {"service": str(placement.service), "environment": str(placement.environment), "rollout": new_id}
            said = Event(EventKind.ROLLOUT_BEGAN, f"{placement.id} is {word} by {actor.name}", about, actor)
            events.append(connection, [said], now)
        rows.put(connection, rollout)
        return rollout

    def _back_to(
        self, connection: Connection, placement: Placement, owner: Rollout | None, release: str | None
    ) -> Deployment:
        bad = owner.new if owner and not owner.state.is_ended else placement.serving
        if release is not None:
            found = self._release(connection, placement.service, release)
            deployments = queries.deployments_of_release(connection, placement.id, found.id)
            if not deployments:
                raise Refused(
                    Refusal.CONFLICT,
                    f"{found.label} was never deployed to {placement.environment}",
                    f"tidegate deploy {placement.service} --release {found.label} --env {placement.environment}",
                )
            if deployments[-1].id == bad:
                raise Refused(Refusal.CONFLICT, f"{found.label} is what serves in {placement.environment}")
            return deployments[-1]
        good = queries.last_good(connection, placement.id, bad)
        if good is None:
            raise Refused(
                Refusal.REFUSED,
                f"there is nothing to return to: no other deployment of {placement.service} was ever good "
                f"in {placement.environment}",
                f"to stop the service: tidegate rollback {placement.service} --env {placement.environment} --stop",
            )
        return good

    def _release(self, connection: Connection, service: str, label: str) -> Release:
        if queries.service(connection, service) is None:
            raise not_found("service", service, "tidegate service list")
        found = queries.releases_called(connection, service, label)
        if not found:
            raise not_found("release", label, f"tidegate release list {service}")
        if len(found) > 1:
            names = ", ".join(f"{one.label} ({one.id})" for one in found[:5])
            raise Refused(Refusal.INVALID, f"{label!r} fits {len(found)} releases: {names}", "name it by its id")
        return found[0]

    def _stage_there(self, release: Release, environment: str) -> Stage:
        for stage in release.pipeline.stages:
            if stage.environment == environment:
                return stage
        known = ", ".join(stage.environment for stage in release.pipeline.stages) or "none"
        raise Refused(
            Refusal.INVALID,
            f"the pipeline of {release.label} has no stage in {environment!r}; it has {known}",
        )


def _refuse_below_floor(placement: Placement, back_to: Deployment) -> None:
    """While a newer release rolls out, the way back is to what served before; what is older never serves again."""
    assert placement.floor is not None
    back = f"tidegate rollback {placement.service} --env {placement.environment}"
    raise Refused(Refusal.REFUSED, f"not back to {back_to.label}: {placement.floor.words}", back)
