"""What people, and the server's configuration, do about drills: begin one."""

from __future__ import annotations

import logging

from sqlalchemy import Connection

from tidegate.engine.creation import create_drill_run
from tidegate.engine.engine import Engine
from tidegate.engine.refusal import Refusal, Refused, not_found
from tidegate.model.actor import Actor, ActorKind
from tidegate.model.deployment import Deployment
from tidegate.model.drill import AT_MOST, Drill, choose_release
from tidegate.model.event import Event, EventKind
from tidegate.model.ids import EnvironmentName, PlacementId, ServiceName, placement_id, split_placement
from tidegate.model.pipeline import Stage
from tidegate.model.placement import Placement
from tidegate.model.release import Release
from tidegate.model.rollout_begin import deployment_for
from tidegate.store import drill_queries, events, incident_queries, queries, rows

log = logging.getLogger(__name__)

SCHEDULED = Actor(ActorKind.SYSTEM, "the drill schedule")
_RELEASES = 50
"""So many of the newest are looked through for one that can be practised with."""


class DrillActs:
    """Each act is one transaction that changes rows and records who did it, and then a hint."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._parts = engine.parts

    def begin(self, service: str, environment: str, actor: Actor, *, in_protected: bool = False) -> Drill:
        """Deploy the newest release that does not serve there, and take it back.

        Raises Refused in a protected environment unless `in_protected`, while something moves or harms there, and
        where there is nothing to practise with.
        """
        name, where = ServiceName(service), EnvironmentName(environment)
        if where not in self._parts.environments:
            raise not_found("environment", environment, "tidegate environment list")
        if self._parts.environment(where).protected and not in_protected:
            text = f"{environment} is protected: a drill there sends users to another release for a moment"
            raise Refused(
                Refusal.REFUSED, text, f"tidegate drill rollback {service} --env {environment} --yes-production"
            )
        with self._parts.database.writing() as connection:
            self._parts.database.lock_service(connection, service)
            if queries.service(connection, service) is None:
                raise not_found("service", service, "tidegate service list")
            serving = self._serving(connection, placement_id(name, where))
            release, stage = self._practice(connection, serving, where)
            run = create_drill_run(connection, self._parts, release, stage, actor)
            drill = Drill(
                run=run.id,
                placement=serving.placement,
                service=name,
                environment=where,
                by=actor,
                began_at=run.created_at,
                release=release.id,
                commit=release.change.commit,
                good_commit=serving.commit,
            )
            rows.put(connection, drill)
            about = {"service": service, "environment": environment, "run": str(run.id)}
            text = f"{actor.name} begins a drill of {service} in {environment}: {release.label} comes and goes"
            events.append(connection, [Event(EventKind.DRILL_BEGAN, text, about, actor)], run.created_at)
        self._engine.queue.hint(f"run:{run.id}")
        self._engine.queue.hint(f"drill:{run.id}", drill.began_at + AT_MOST)
        return drill

    def begin_due(self) -> None:
        """Begin the drills whose time has come by the server's configuration; what refuses one now may not later."""
        now = self._parts.clock.now()
        with self._parts.database.reading() as connection:
            due = [one for one in queries.placements(connection) if self._is_due(connection, one)]
        for placement in due:
            service, environment = split_placement(placement.id)
            try:
                self.begin(service, environment, SCHEDULED, in_protected=True)
            except Refused as refused:
                log.debug("no drill of %s at %s: %s", placement.id, now, refused)

    def _is_due(self, connection: Connection, placement: Placement) -> bool:
        rule = self._parts.environment(placement.environment).drills
        if rule is None or placement.serving is None:
            return False
        return rule.is_due(drill_queries.last_began(connection, placement.id), self._parts.clock.now())

    def _serving(self, connection: Connection, place: PlacementId) -> Deployment:
        """What serves there, at rest and in peace. Raises Refused."""
        placement = queries.placement(connection, place)
        serving = queries.deployment(connection, placement.serving) if placement and placement.serving else None
        what = place.replace("/", " in ")
        if placement is None or serving is None:
            raise Refused(Refusal.CONFLICT, f"nothing of {what} serves that a drill could come back to")
        going = drill_queries.open_at(connection, place)
        if going:
            text = f"a drill of {what} goes on already, begun by {going.by.name}"
            raise Refused(Refusal.CONFLICT, text, f"tidegate watch {going.run}")
        owner = queries.rollout(connection, placement.rollout)
        if owner and owner.keeps_busy(self._parts.clock.now()):
            text = f"something moves at {what}: a rollout is {owner.state.value} there"
            raise Refused(Refusal.CONFLICT, text, f"tidegate watch {owner.run}" if owner.run else None)
        incident = incident_queries.open_at(connection, place)
        if incident:
            text = f"an incident of {what} is open: {incident.reason}"
            raise Refused(Refusal.CONFLICT, text, f"tidegate incident show {incident.id}")
        if serving.is_quarantined:
            raise Refused(
                Refusal.CONFLICT, f"{serving.label}, which serves, is quarantined: it is not the last good one"
            )
        return serving

    def _practice(
        self, connection: Connection, serving: Deployment, environment: EnvironmentName
    ) -> tuple[Release, Stage]:
        """The release to practise with, and the stage that deploys it there. Raises Refused."""
        service, _ = split_placement(serving.placement)
        placement = queries.placement(connection, serving.placement)
        assert placement is not None
        known = [
            (release, queries.deployment(connection, deployment_for(release, placement)))
            for release in queries.releases(connection, service, _RELEASES)
            if release.pipeline.runtime and _stage_there(release, environment)
        ]
        release = choose_release(known, serving)
        stage = _stage_there(release, environment) if release else None
        if release is None or stage is None:
            text = f"there is no other release of {service} to practise with in {environment}"
            raise Refused(Refusal.CONFLICT, text, f"tidegate release list {service}")
        return release, stage


def _stage_there(release: Release, environment: EnvironmentName) -> Stage | None:
    return next((one for one in release.pipeline.stages if one.environment == environment and one.deploy), None)
