"""Performing effects: lease, do, record. Each is short; what takes longer is performed again until it is so."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from tidegate.engine.parts import Parts
from tidegate.model.deployment import Deployment
from tidegate.model.effect import Act, Drain, Effect, EffectState, Install, SetShares
from tidegate.model.generation import StaleGeneration
from tidegate.model.ids import DeploymentId, Digest, PlacementId, ServiceName, split_placement
from tidegate.model.installation import DesiredInstallation, Installation, InstallationState
from tidegate.model.placement import Placement
from tidegate.model.release import Release
from tidegate.model.step_environment import service_environment
from tidegate.routers.router import RouterRefused
from tidegate.security.secret_box import WrongKey
from tidegate.store import queries, rows
from tidegate.targets.target import TargetAway

log = logging.getLogger(__name__)

PORTS_LEFT_AT_MOST = 5
"""How many ports a deployment may leave to others who listen there, before that counts as its own failure."""


@dataclass(frozen=True, slots=True)
class Performed:
    """What came of one performance; `pause` says when to try again where it is still PENDING."""

    state: EffectState
    pause: timedelta = timedelta(0)
    detail: str = ""
    installation: Installation | None = None
    done_at: datetime | None = None


class Performer:
    """Performs the due effects of a placement."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def perform_due(self, placement: PlacementId) -> bool:
        """Perform what is due; whether anything changed that a decision should see."""
        with self._parts.database.reading() as connection:
            due = queries.due_effects(connection, self._parts.clock.now(), placement)
        changed = False
        for effect in due:
            leased = self._lease(effect)
            if leased is not None:
                changed |= self._record(leased, self._perform(leased))
        return changed

    def _lease(self, effect: Effect) -> Effect | None:
        """Take the effect, unless another has it or a newer generation overtook it."""
        now = self._parts.clock.now()
        with self._parts.database.writing() as connection:
            self._parts.database.lock_service(connection, split_placement(effect.placement)[0])
            known = queries.effect(connection, effect.id)
            placement = queries.placement(connection, effect.placement)
            if known is None or placement is None or known.state is not EffectState.PENDING:
                return None
            if known.token != effect.token or (known.leased_until and known.leased_until > now):
                return None
            if placement.generation != known.generation:
                rows.put(connection, replace(known, state=EffectState.CANCELLED, detail="a newer generation took over"))
                return None
            leased = replace(known, token=known.token + 1, leased_until=now + self._parts.settings.effect_lease)
            rows.put(connection, leased)
        return leased

    def _perform(self, effect: Effect) -> Performed:
        try:
            return self._act(effect, effect.act)
        except StaleGeneration as error:
            return Performed(EffectState.CANCELLED, detail=f"late: {error}")
        except (TargetAway, RouterRefused, OSError) as error:
            log.warning("%s of %s: %s", effect.key, effect.placement, error)
            return Performed(EffectState.PENDING, self._parts.settings.failure_pause, detail=str(error))

    def _act(self, effect: Effect, act: Act) -> Performed:
        match act:
            case Install():
                return self._install(effect, act)
            case SetShares(routing):
                confirmed = self._parts.router.set_shares(routing, effect.generation)
                if confirmed is None:
                    return Performed(
                        EffectState.PENDING, self._parts.settings.route_poll, "the router has not confirmed"
                    )
                return Performed(EffectState.DONE, done_at=confirmed.confirmed_at)
            case Drain(deployment, endpoints):
                if self._parts.router.drained(effect.placement, deployment, endpoints):
                    return Performed(EffectState.DONE, done_at=self._parts.clock.now())
                return Performed(EffectState.PENDING, self._parts.settings.drain_poll, "requests are still in flight")

    def _install(self, effect: Effect, act: Install) -> Performed:
        desired = self._desired(effect.placement, act)
        if desired is None:
            return Performed(EffectState.FAILED, detail=f"the deployment {act.deployment} is not known any more")
        seen = self._parts.target.apply(desired, effect.generation)
        if self._leave_taken_ports(effect, act, seen):
            return Performed(EffectState.PENDING, self._parts.settings.install_poll, seen.detail, seen)
        wanted = InstallationState.READY if act.instances else InstallationState.ABSENT
        if seen.state is wanted:
            if not act.instances:
                self._give_back_ports(effect, act)
            return Performed(EffectState.DONE, installation=seen, done_at=self._parts.clock.now())
        if seen.state is InstallationState.FAILED and act.instances:
            return Performed(EffectState.FAILED, detail=seen.detail, installation=seen)
        return Performed(EffectState.PENDING, self._parts.settings.install_poll, seen.detail, seen)

    def _desired(self, placement_id: PlacementId, act: Install) -> DesiredInstallation | None:
        with self._parts.database.writing() as connection:
            self._parts.database.lock_service(connection, split_placement(placement_id)[0])
            deployment = queries.deployment(connection, act.deployment)
            placement = queries.placement(connection, placement_id)
            release = queries.release(connection, deployment.release) if deployment else None
            if deployment is None or placement is None or release is None:
                return None
            missing_ports = max(act.instances - len(deployment.ports), 0)
            if missing_ports:
                new = tuple(self._reserve(connection, deployment.id) for _ in range(missing_ports))
                deployment = replace(deployment, ports=(*deployment.ports, *new))
                rows.put(connection, deployment)
            wanted = deployment.runtime.secrets if act.instances else ()
            sealed = {name: queries.secret(connection, placement.service, name) for name in wanted}
        return self._describe(placement, deployment, release, act, self._open(placement.service, sealed))

    def _open(self, service: ServiceName, sealed: Mapping[str, str | None]) -> dict[str, str]:
        """The values of secrets. Raises TargetAway where there are none: a person can set them meanwhile."""
        secrets: dict[str, str] = {}
        for name, value in sealed.items():
            if value is None:
                raise TargetAway(f"the secret {name} is not set; tidegate secret set {service} {name}")
            try:
                secrets[name] = self._parts.secrets.open(value)
            except WrongKey as error:
                raise TargetAway(str(error)) from error
        return secrets

    def _reserve(self, connection: Connection, deployment: DeploymentId) -> int:
        port = self._parts.ports.for_instance(queries.ports_taken(connection))
        queries.reserve_port(connection, port, deployment)
        return port

    def _describe(
        self, placement: Placement, deployment: Deployment, release: Release, act: Install, secrets: dict[str, str]
    ) -> DesiredInstallation:
        wanted = deployment.runtime.artifact
        artifacts: dict[str, Digest] = {one.file: one.digest for one in release.artifacts if one.name == wanted}
        return DesiredInstallation(
            deployment=deployment.id,
            placement=placement.id,
            service=placement.service,
            environment=placement.environment,
            release=deployment.release,
            commit=deployment.commit,
            runtime=deployment.runtime,
            instances=act.instances,
            ports=deployment.ports,
            artifacts=artifacts,
            env=service_environment(deployment, placement),
            secrets=secrets,
            source=None if wanted else self._parts.sources.source_of(placement.service),
            path=release.pipeline.path,
        )

    def _leave_taken_ports(self, effect: Effect, act: Install, seen: Installation) -> bool:
        """Give other ports to new instances on whose ports somebody else listens; whether there were any.

        The ports that they leave stay reserved, which also bounds how often this can happen.
        """
        taken = {one.endpoint.port for one in seen.instances if one.port_taken}
        if not taken:
            return False
        with self._parts.database.writing() as connection:
            self._parts.database.lock_service(connection, split_placement(effect.placement)[0])
            placement = queries.placement(connection, effect.placement)
            deployment = queries.deployment(connection, act.deployment)
            if placement is None or placement.generation != effect.generation or deployment is None:
                return False
            reserved = queries.ports_of(connection, act.deployment)
            left = len(reserved) - len(deployment.ports) + len(taken)
            if taken & set(deployment.ports[: deployment.installed]) or left > PORTS_LEFT_AT_MOST:
                return False
            log.warning("%s: %s; it gets another port", act.deployment, seen.detail)
            ports = tuple(self._reserve(connection, deployment.id) if one in taken else one for one in deployment.ports)
            rows.put(connection, replace(deployment, ports=ports))
        return True

    def _give_back_ports(self, effect: Effect, act: Install) -> None:
        """Nothing uses the ports any more, unless a newer generation wants instances again."""
        with self._parts.database.writing() as connection:
            self._parts.database.lock_service(connection, split_placement(effect.placement)[0])
            placement = queries.placement(connection, effect.placement)
            if placement is None or placement.generation != effect.generation:
                return
            deployment = queries.deployment(connection, act.deployment)
            queries.free_ports(connection, act.deployment)
            if deployment:
                rows.put(connection, replace(deployment, ports=()))

    def _record(self, effect: Effect, performed: Performed) -> bool:
        """Write what came of it, unless the lease was taken over meanwhile."""
        now = self._parts.clock.now()
        with self._parts.database.writing() as connection:
            self._parts.database.lock_service(connection, split_placement(effect.placement)[0])
            known = queries.effect(connection, effect.id)
            if known is None or known.token != effect.token or known.state is not EffectState.PENDING:
                return False
            rows.put(
                connection,
                replace(
                    known,
                    state=performed.state,
                    leased_until=None,
                    due_at=now + performed.pause,
                    performed=known.performed + 1,
                    detail=performed.detail,
                    installation=performed.installation,
                    done_at=performed.done_at,
                ),
            )
        return performed.state is not EffectState.PENDING or performed.detail != effect.detail
