"""What gates ask about the pace of services: who came to a gate since, what serves of others, who waits for whom."""

from __future__ import annotations

from sqlalchemy import Connection, Text, func, select, type_coerce

from tidegate.model.cadence import Collected
from tidegate.model.change import Change
from tidegate.model.gate_requires import REQUIRES_RULE
from tidegate.model.ids import EnvironmentName, RunId, ServiceName, placement_id
from tidegate.model.placement import Placement
from tidegate.model.release import Release
from tidegate.model.requires import Serving
from tidegate.model.rollout import Rollout
from tidegate.model.run import StageState, Trigger
from tidegate.store import gate_queries, queries, rows, tables
from tidegate.store.columns import Utc


def collected(connection: Connection, placement: Placement, order: int) -> Collected:
    """The releases that came to a placement's gate since the newest that went through: those that wait, those whose
    place a newer one took, and the one of that order, which asks and may not be known to wait yet."""
    others = func.nullif(tables.run.c.order, order).distinct()
    query = (
        select(func.count(others), func.min(tables.stage_run.c.began_at, type_=Utc()))
        .join(tables.stage_run, tables.stage_run.c.run == tables.run.c.id)
        .where(
            tables.run.c.service == placement.service,
            tables.run.c.trigger == Trigger.PUSH,
            tables.run.c.order > placement.highest_order,
            tables.stage_run.c.environment == placement.environment,
            tables.stage_run.c.state.in_((StageState.GATE, StageState.SUPERSEDED)),
            tables.stage_run.c.began_at.is_not(None),
        )
    )
    count, since = connection.execute(query).one()
    return Collected(count + 1, since)


def serving(connection: Connection, service: ServiceName, environment: EnvironmentName) -> Serving:
    """What of a service serves in an environment."""
    if queries.service(connection, service) is None:
        return Serving()
    placement = queries.placement(connection, placement_id(service, environment))
    deployment = queries.deployment(connection, placement.serving) if placement and placement.serving else None
    if placement is None or deployment is None:
        return Serving(is_known=True)
    release = queries.release(connection, deployment.release)
    owner = queries.rollout(connection, placement.rollout)
    moves = owner is not None and owner.state.owns_placement
    return Serving(
        is_known=True,
        label=deployment.label,
        version=release.version if release else None,
        passed=deployment.proven_at is not None and not moves,
    )


def run_ids_that_require(connection: Connection) -> tuple[RunId, ...]:
    """The runs that wait at a gate which requires something of other services."""
    c = tables.stage_run.c
    asks = type_coerce(c.gate, Text).contains(f'"rule":"{REQUIRES_RULE}"')
    query = select(c.run).where(c.state == StageState.GATE, asks).distinct().order_by(c.run)
    return tuple(RunId(one) for one in connection.execute(query).scalars())


def required_by(connection: Connection) -> dict[ServiceName, tuple[ServiceName, ...]]:
    """For each service, those of which its newest file requires something."""
    return {one.name: one.requires for one in queries.services(connection)}


def order_before(connection: Connection, placement: Placement, release: Release) -> int:
    """The order of what a release took the place of there, or would take the place of; 0 for nothing."""
    c = tables.rollout.c
    here = [one.id for one in queries.deployments_of_release(connection, placement.id, release.id)]
    deployed = (c.placement == placement.id, c.new.in_(here), c.drill.is_(False))
    began = rows.every(connection, Rollout, *deployed, order_by=c.began_at, limit=1)
    before = began[0].old if began else placement.serving
    deployment = queries.deployment(connection, before) if before and before not in here else None
    return deployment.order if deployment else 0


def brought_by(connection: Connection, release: Release) -> dict[EnvironmentName, tuple[Change, ...]]:
    """By environment on its way, the changes that a release brings: those since what it took the place of there, or
    would take the place of now, the newest first."""
    found: dict[EnvironmentName, tuple[Change, ...]] = {}
    for name in dict.fromkeys(stage.environment for stage in release.pipeline.stages):
        placement = queries.placement(connection, placement_id(release.service, name))
        before = order_before(connection, placement, release) if placement else 0
        found[name] = gate_queries.changes_between(connection, release.service, before, release.order)
    return found
