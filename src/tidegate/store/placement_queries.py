"""What a page or an answer about placements needs, read at one moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from tidegate.model.deployment import Deployment
from tidegate.model.event import EventKind
from tidegate.model.ids import DeploymentId, split_placement
from tidegate.model.placement import Placement
from tidegate.model.rollout import Rollout, RolloutKind
from tidegate.store import events, queries, rows, tables

_NEWEST_ROLLBACKS = 50
"""Of a service; who waits for a last response waits for that of one of these."""


@dataclass(frozen=True, slots=True)
class PlacementRecord:
    """A placement, what is or serves there, and the rollout that it saw last."""

    placement: Placement
    deployments: Mapping[DeploymentId, Deployment]
    rollout: Rollout | None

    @property
    def serving(self) -> Deployment | None:
        """The deployment with the largest share."""
        serving = self.placement.serving
        return self.deployments.get(serving) if serving else None

    @property
    def shares(self) -> dict[str, float]:
        """What each deployment that gets traffic gets, by its label, as a fraction."""
        found: dict[str, float] = {}
        for part in self.placement.arrangement.parts:
            deployment = self.deployments.get(part.deployment)
            if deployment and part.share.parts:
                found[deployment.label] = found.get(deployment.label, 0.0) + part.share.fraction
        return found


def records(connection: Connection, service: str | None = None) -> tuple[PlacementRecord, ...]:
    """All placements of services that were not removed, or of one service."""
    known = {one.name for one in queries.services(connection)}
    return tuple(_record(connection, one) for one in queries.placements(connection, service) if one.service in known)


def record_of(connection: Connection, placement_id: str) -> PlacementRecord | None:
    """The placement of that id."""
    found = queries.placement(connection, placement_id)
    return _record(connection, found) if found else None


def quarantined(connection: Connection, placement_id: str) -> tuple[Deployment, ...]:
    """The deployments there that nothing automatic brings back, the newest first."""
    c = tables.deployment.c
    return rows.every(
        connection,
        Deployment,
        c.placement == placement_id,
        c.quarantined_at.is_not(None),
        order_by=c.quarantined_at.desc(),
    )


def deployments_of_release(connection: Connection, release: str) -> tuple[Deployment, ...]:
    """What a release was, in all environments, oldest first."""
    c = tables.deployment.c
    return rows.every(connection, Deployment, c.release == release, order_by=c.created_at.asc())


def rollouts_to(connection: Connection, deployments: Sequence[Deployment]) -> tuple[Rollout, ...]:
    """What brought these deployments to their placements, the newest first; not what brought them back."""
    c = tables.rollout.c
    here = (c.placement.in_({one.placement for one in deployments}), c.new.in_([one.id for one in deployments]))
    return rows.every(connection, Rollout, *here, c.kind == RolloutKind.RELEASE, order_by=c.began_at.desc())


def last_response_seconds(connection: Connection, rollout: Rollout) -> float | None:
    """From the decision to go back until the bad deployment had answered everything; None where it has not."""
    service, _ = split_placement(rollout.placement)
    found = events.newest(connection, EventKind.ROLLBACK_ANSWERED, service, _NEWEST_ROLLBACKS)
    mine = (one.event.data["seconds"] for one in found if one.event.about.get("rollout") == rollout.id)
    return next((float(str(seconds)) for seconds in mine), None)


def _record(connection: Connection, placement: Placement) -> PlacementRecord:
    parts = [part.deployment for part in placement.arrangement.parts]
    return PlacementRecord(
        placement,
        queries.deployments_here(connection, placement.id, parts),
        queries.rollout(connection, placement.rollout),
    )
