"""What the engine asks: one function a question."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from operator import attrgetter

from sqlalchemy import ColumnElement, Connection, and_, bindparam, case, delete, func, insert, select, update

from tidegate.model.approval import Approval
from tidegate.model.deployment import Deployment
from tidegate.model.effect import Effect, EffectState
from tidegate.model.figures import Snapshot
from tidegate.model.gate import PLACEMENT_RULE
from tidegate.model.ids import DeploymentId, Generation, PlacementId, ReleaseId, RolloutId, RunId, ServiceName
from tidegate.model.placement import Placement
from tidegate.model.release import Release
from tidegate.model.rollout import Rollout, RolloutState
from tidegate.model.run import Run, RunStatus, StageRun, StageState, Trigger
from tidegate.model.service import Service
from tidegate.model.step_run import StepRun, StepState
from tidegate.store import rows, tables
from tidegate.store.columns import Utc

_OPEN = (RunStatus.RUNNING, RunStatus.WAITING)
_STEP = tables.step_run.c
_NEEDED = (
    rows.whole(StepRun)
    .where(_STEP.run == bindparam("of_run"), _STEP.scope == bindparam("of_scope"))
    .where(_STEP.name.in_(bindparam("named", expanding=True)))
    .order_by(_STEP.position)
)
_STEPS_OF_RUN = rows.whole(StepRun).where(_STEP.run == bindparam("of_run"))
_STEP_AND_RUN = (
    rows.whole(StepRun, Run)
    .join_from(tables.step_run, tables.run, _STEP.run == tables.run.c.id)
    .where(_STEP.id == bindparam("step_run"))
)
"""Made once, as all that is asked for each step or each second: the making of a statement takes longer than a short
query."""

_PRESENT = rows.whole(Service).where(tables.service.c.removed_at.is_(None)).order_by(tables.service.c.name)
_ACTIVE = (
    rows.whole(Rollout)
    .where(*(tables.rollout.c.state != state for state in RolloutState if state.is_ended))
    .order_by(tables.rollout.c.id)
)


def service(connection: Connection, name: str) -> Service | None:
    """The service of that name, unless it was removed."""
    found = known_service(connection, name)
    return found if found and found.removed_at is None else None


def known_service(connection: Connection, name: str) -> Service | None:
    """The service of that name, also one that was removed and whose deployments are being stopped."""
    return rows.find(connection, Service, name=name)


def services(connection: Connection) -> tuple[Service, ...]:
    """All services that were not removed, by name."""
    return rows.read(connection, Service, _PRESENT, {})


def run(connection: Connection, run_id: str) -> Run | None:
    """The run of that id."""
    return rows.find(connection, Run, id=run_id)


def newest_runs(
    connection: Connection, service_name: str | None = None, before: str | None = None, limit: int = 50
) -> tuple[Run, ...]:
    """Runs, the newest first: of one service or of all, older than `before`."""
    where: list[ColumnElement[bool]] = []
    if service_name:
        where.append(tables.run.c.service == service_name)
    if before:
        where.append(tables.run.c.id < before)
    return rows.every(connection, Run, *where, order_by=tables.run.c.id.desc(), limit=limit)


def open_runs(connection: Connection, service_name: str | None = None) -> tuple[Run, ...]:
    """The runs that have not ended, oldest first."""
    where: list[ColumnElement[bool]] = [tables.run.c.status.in_(_OPEN)]
    if service_name:
        where.append(tables.run.c.service == service_name)
    return rows.every(connection, Run, *where)


def run_ids_at_gates(connection: Connection, service_name: str) -> tuple[RunId, ...]:
    """The open runs of a service that wait at a gate, oldest first."""
    query = (
        select(tables.run.c.id)
        .join(tables.stage_run, tables.stage_run.c.run == tables.run.c.id)
        .where(
            tables.run.c.service == service_name,
            tables.run.c.status.in_(_OPEN),
            tables.stage_run.c.state == StageState.GATE,
        )
        .order_by(tables.run.c.id)
    )
    return tuple(dict.fromkeys(RunId(row) for row in connection.execute(query).scalars()))


def newer_waiting(connection: Connection, waiting: Run, stage: StageRun) -> str | None:
    """The label of a newer release of the same service that waits at the same environment's gate."""
    newer = (
        select(tables.run.c.id)
        .join(tables.stage_run, tables.stage_run.c.run == tables.run.c.id)
        .where(
            tables.run.c.service == waiting.service,
            tables.run.c.status.in_(_OPEN),
            tables.run.c.order > waiting.order,
            tables.run.c.trigger != Trigger.DRILL,
            tables.run.c.cancel_asked_by.is_(None),
            tables.stage_run.c.state == StageState.GATE,
            tables.stage_run.c.environment == stage.environment,
        )
        .order_by(tables.run.c.order.desc())
        .limit(1)
    )
    found = connection.execute(newer).scalar()
    other = run(connection, found) if found else None
    return f"{other.label} (run {other.id})" if other else None


def older_ready(connection: Connection, waiting: Run, stage: StageRun) -> str | None:
    """The oldest older run of the same service that only the placement itself keeps out of the same environment."""
    older = (
        select(tables.run.c.id, tables.stage_run.c.gate)
        .join(tables.stage_run, tables.stage_run.c.run == tables.run.c.id)
        .where(
            tables.run.c.service == waiting.service,
            tables.run.c.status.in_(_OPEN),
            tables.run.c.order < waiting.order,
            tables.run.c.cancel_asked_by.is_(None),
            tables.stage_run.c.state == StageState.GATE,
            tables.stage_run.c.environment == stage.environment,
        )
        .order_by(tables.run.c.order)
    )
    for row in connection.execute(older):
        if row.gate and {reason.rule for reason in row.gate.blocking} == {PLACEMENT_RULE}:
            return f"run {row.id}"
    return None


def stages(connection: Connection, run_id: str) -> tuple[StageRun, ...]:
    """A run's stages in order."""
    found = rows.every_equal(connection, StageRun, run=run_id)
    return tuple(sorted(found, key=attrgetter("position")))


def steps(connection: Connection, run_id: str) -> tuple[StepRun, ...]:
    """A run's step runs in order."""
    found = rows.read(connection, StepRun, _STEPS_OF_RUN, {"of_run": run_id})
    return tuple(sorted(found, key=attrgetter("position")))


def step(connection: Connection, step_run: str) -> StepRun | None:
    """The step run of that id."""
    return rows.find(connection, StepRun, id=step_run)


def step_and_run(connection: Connection, step_run: str) -> tuple[StepRun, Run] | tuple[None, None]:
    """The step run of that id, and its run."""
    return rows.find_two(connection, StepRun, Run, _STEP_AND_RUN, {"step_run": step_run})


def needed_steps(connection: Connection, needing: StepRun) -> tuple[StepRun, ...]:
    """The step runs that this one needs, in order."""
    if not needing.step.needs:
        return ()
    given = {"of_run": needing.run, "of_scope": needing.scope, "named": needing.step.needs}
    return rows.read(connection, StepRun, _NEEDED, given)


def steps_of_agent(connection: Connection, agent: str) -> tuple[StepRun, ...]:
    """The steps that run on an agent, as far as the server knows."""
    return rows.every_equal(connection, StepRun, state=StepState.RUNNING, agent=agent)


def running_steps(connection: Connection) -> tuple[StepRun, ...]:
    """All steps that an agent performs."""
    return rows.every_equal(connection, StepRun, state=StepState.RUNNING)


def release(connection: Connection, release_id: str | None) -> Release | None:
    """The release of that id."""
    return rows.find(connection, Release, id=release_id) if release_id else None


def releases(connection: Connection, service_name: str, limit: int = 100) -> tuple[Release, ...]:
    """A service's releases, the newest first."""
    c = tables.release.c
    return rows.every(connection, Release, c.service == service_name, order_by=c.order.desc(), limit=limit)


def releases_called(connection: Connection, service_name: str, label: str) -> tuple[Release, ...]:
    """The releases whose id, or whose commit's beginning, is the label."""
    found = releases(connection, service_name, limit=10_000)
    return tuple(
        one
        for one in found
        if one.id.lower() == label.lower() or (len(label) >= 4 and one.change.commit.startswith(label.lower()))
    )


def approvals(connection: Connection, run_id: str) -> tuple[Approval, ...]:
    """A run's approvals and rejections, oldest first."""
    return rows.every_equal(connection, Approval, run=run_id)


def placement(connection: Connection, placement_id: str) -> Placement | None:
    """The placement of that id."""
    return rows.find(connection, Placement, id=placement_id)


def placements(connection: Connection, service_name: str | None = None) -> tuple[Placement, ...]:
    """All placements, or a service's."""
    if service_name is None:
        return rows.every_equal(connection, Placement)
    return rows.every_equal(connection, Placement, service=service_name)


def rollout(connection: Connection, rollout_id: str | None) -> Rollout | None:
    """The rollout of that id."""
    return rows.find(connection, Rollout, id=rollout_id) if rollout_id else None


def rollouts_of_run(connection: Connection, run_id: str) -> tuple[Rollout, ...]:
    """The rollouts that a run began."""
    return rows.every_equal(connection, Rollout, run=run_id)


def rollouts_of_placement(connection: Connection, placement_id: str, limit: int = 50) -> tuple[Rollout, ...]:
    """A placement's rollouts, the newest first."""
    c = tables.rollout.c
    return rows.every(connection, Rollout, c.placement == placement_id, order_by=c.began_at.desc(), limit=limit)


def active_rollouts(connection: Connection) -> tuple[Rollout, ...]:
    """The rollouts that have not ended."""
    return rows.read(connection, Rollout, _ACTIVE, {})


def deployment(connection: Connection, deployment_id: str) -> Deployment | None:
    """The deployment of that id."""
    return rows.find(connection, Deployment, id=deployment_id)


def deployments_here(
    connection: Connection, placement_id: PlacementId, named: Collection[DeploymentId | None] = ()
) -> dict[DeploymentId, Deployment]:
    """The deployments of which the placement may hold something, and the named ones."""
    found = {one.id: one for one in rows.every_equal(connection, Deployment, placement=placement_id, present=True)}
    for one in named:
        absent = rows.find(connection, Deployment, id=one) if one is not None and one not in found else None
        if absent and absent.placement == placement_id:
            found[absent.id] = absent
    return dict(sorted(found.items()))


def deployments_of_placement(connection: Connection, placement_id: str, limit: int = 100) -> tuple[Deployment, ...]:
    """All that was ever deployed there, the newest first."""
    c = tables.deployment.c
    return rows.every(connection, Deployment, c.placement == placement_id, order_by=c.created_at.desc(), limit=limit)


def deployments_of_release(
    connection: Connection, placement_id: PlacementId, release_id: ReleaseId
) -> tuple[Deployment, ...]:
    """What a release was in an environment."""
    return rows.every_equal(connection, Deployment, placement=placement_id, release=release_id)


def last_good(connection: Connection, placement_id: PlacementId, other_than: DeploymentId | None) -> Deployment | None:
    """The deployment that a rollback returns to: the last that was proven, other than the one that serves."""
    c = tables.deployment.c
    good = and_(c.placement == placement_id, c.proven_at.is_not(None), c.quarantined_at.is_(None))
    if other_than:
        good = and_(good, c.id != other_than)
    return next(iter(rows.every(connection, Deployment, good, order_by=c.proven_at.desc(), limit=1)), None)


def effects(connection: Connection, placement_id: PlacementId, generation: Generation) -> tuple[Effect, ...]:
    """The effects of a placement's generation, in the order in which they were asked for."""
    return rows.every_equal(connection, Effect, placement=placement_id, generation=generation)


def due_effects(connection: Connection, now: datetime, placement_id: PlacementId | None = None) -> tuple[Effect, ...]:
    """The effects that may be performed now: due, and leased by nobody."""
    of_placement = {"placement": placement_id} if placement_id else {}
    pending = rows.every_equal(connection, Effect, state=EffectState.PENDING, **of_placement)
    return tuple(one for one in pending if one.free_at <= now)


def effect(connection: Connection, effect_id: str) -> Effect | None:
    """The effect of that id."""
    return rows.find(connection, Effect, id=effect_id)


def end_effect_leases(connection: Connection) -> None:
    """Let whatever was leased be performed at once: whoever had leased it is gone."""
    c = tables.effect.c
    connection.execute(update(tables.effect).where(c.leased_until.is_not(None)).values(leased_until=None))


def next_due_effect(connection: Connection, placement_id: PlacementId) -> datetime | None:
    """When the next effect of a placement may be performed, None where none is pending."""
    pending = rows.every_equal(connection, Effect, placement=placement_id, state=EffectState.PENDING)
    return min((one.free_at for one in pending), default=None)


def next_due(connection: Connection) -> tuple[tuple[str, datetime], ...]:
    """Every run and placement that waits for a time, with that time; keys are `run:ID` and `placement:ID`."""
    found: list[tuple[str, datetime]] = []
    for kind, table in (("run", tables.run), ("placement", tables.placement)):
        query = select(table.c.id, table.c.wake_at).where(table.c.wake_at.is_not(None))
        found += [(f"{kind}:{row.id}", row.wake_at) for row in connection.execute(query)]
    c = tables.effect.c
    free_at = case((c.leased_until > c.due_at, c.leased_until), else_=c.due_at)
    pending = (
        select(c.placement, func.min(free_at, type_=Utc()).label("due_at"))
        .where(c.state == EffectState.PENDING)
        .group_by(c.placement)
    )
    found += [(f"placement:{row.placement}", row.due_at) for row in connection.execute(pending)]
    return tuple(found)


def add_snapshot(connection: Connection, rollout_id: RolloutId, step_index: int, taken: Snapshot) -> None:
    """Keep what was counted."""
    connection.execute(
        insert(tables.snapshot).values(
            rollout=rollout_id,
            step=step_index,
            generation=taken.generation,
            at=taken.at,
            deployments=dict(taken.deployments),
        )
    )


def snapshots(connection: Connection, rollout_id: RolloutId) -> tuple[tuple[int, Snapshot], ...]:
    """A rollout's snapshots with its step at that time, oldest first."""
    query = select(tables.snapshot).where(tables.snapshot.c.rollout == rollout_id).order_by(tables.snapshot.c.id)
    return tuple(
        (row.step, Snapshot(row.at, Generation(row.generation), row.deployments)) for row in connection.execute(query)
    )


def ports_taken(connection: Connection) -> frozenset[int]:
    """Every reserved port."""
    return frozenset(connection.execute(select(tables.port.c.port)).scalars())


def ports_of(connection: Connection, owner: str) -> frozenset[int]:
    """What an owner has reserved."""
    return frozenset(connection.execute(select(tables.port.c.port).where(tables.port.c.owner == owner)).scalars())


def reserve_port(connection: Connection, number: int, owner: str) -> None:
    """Reserve a port for a deployment or a placement."""
    connection.execute(insert(tables.port).values(port=number, owner=owner))


def free_ports(connection: Connection, owner: str) -> None:
    """Give back what an owner had reserved."""
    connection.execute(delete(tables.port).where(tables.port.c.owner == owner))


def secret(connection: Connection, service_name: ServiceName | str, name: str) -> str | None:
    """A secret's sealed value."""
    c = tables.secret.c
    return connection.execute(select(c.value).where(c.service == service_name, c.name == name)).scalar()


def secret_names(connection: Connection, service_name: str) -> tuple[str, ...]:
    """Which secrets a service has; never their values."""
    c = tables.secret.c
    return tuple(connection.execute(select(c.name).where(c.service == service_name).order_by(c.name)).scalars())


def put_secret(connection: Connection, service_name: str, name: str, value: str, now: datetime) -> None:
    """Keep a sealed value in place of what was there."""
    c = tables.secret.c
    connection.execute(delete(tables.secret).where(c.service == service_name, c.name == name))
    connection.execute(insert(tables.secret).values(service=service_name, name=name, value=value, set_at=now))
