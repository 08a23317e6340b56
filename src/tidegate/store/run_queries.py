"""What a page or an answer about a run needs, read at one moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection, and_, select

from tidegate.model.approval import Approval
from tidegate.model.change import Change
from tidegate.model.deployment import Deployment
from tidegate.model.ids import DeploymentId, EnvironmentName, PlacementId, RunId
from tidegate.model.known_test import KnownTest
from tidegate.model.placement import Placement
from tidegate.model.release import Release
from tidegate.model.rollout import Rollout, RolloutState
from tidegate.model.run import Run, StageRun, StageState
from tidegate.model.service import Service
from tidegate.model.step_run import StepRun
from tidegate.store import cadence_queries, outcome_queries, queries, rows, tables


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A run and all that belongs to it; `deployments` are those between which its rollouts move.

    `known_tests` are the tests that failed in its steps and are flaky or in quarantine.
    """

    run: Run
    service: Service | None
    release: Release | None
    stages: tuple[StageRun, ...]
    steps: tuple[StepRun, ...]
    rollouts: tuple[Rollout, ...]
    approvals: tuple[Approval, ...]
    deployments: Mapping[DeploymentId, Deployment]
    placements: Mapping[PlacementId, Placement]
    known_tests: tuple[KnownTest, ...] = ()
    brings: Mapping[EnvironmentName, tuple[Change, ...]] = field(default_factory=dict)
    """By environment, the changes that its release brings."""


def record_of(connection: Connection, run_id: str) -> RunRecord | None:
    """The run of that id with all that belongs to it."""
    run = queries.run(connection, run_id)
    if run is None:
        return None
    rollouts = queries.rollouts_of_run(connection, run.id)
    steps = queries.steps(connection, run.id)
    placements = (queries.placement(connection, one) for one in {rollout.placement for rollout in rollouts})
    release = queries.release(connection, run.release)
    return RunRecord(
        run=run,
        service=queries.known_service(connection, run.service),
        release=release,
        stages=queries.stages(connection, run.id),
        steps=steps,
        rollouts=tuple(sorted(rollouts, key=lambda one: one.began_at)),
        approvals=queries.approvals(connection, run.id),
        deployments=_deployments(connection, rollouts),
        placements={one.id: one for one in placements if one},
        brings=cadence_queries.brought_by(connection, release) if release else {},
        known_tests=outcome_queries.known_tests(connection, run.service, _tests_that_failed(steps)),
    )


def run_ids_to_look_back(connection: Connection) -> tuple[RunId, ...]:
    """The runs that have a stage as passed whose rollout went back since."""
    rollout, stage = tables.rollout.c, tables.stage_run.c
    query = (
        select(stage.run)
        .join(tables.rollout, and_(rollout.run == stage.run, rollout.id == stage.rollout))
        .where(rollout.state == RolloutState.ROLLED_BACK, stage.state == StageState.PASSED)
        .order_by(stage.run)
    )
    return tuple(dict.fromkeys(RunId(one) for one in connection.execute(query).scalars()))


def open_of_service(connection: Connection, service: str) -> tuple[RunRecord, ...]:
    """The runs of a service that have not ended, oldest first."""
    found = (record_of(connection, run.id) for run in queries.open_runs(connection, service))
    return tuple(one for one in found if one)


def _tests_that_failed(steps: tuple[StepRun, ...]) -> set[str]:
    return {test for one in steps if one.report and one.report.tests for test in one.report.tests.failures}


def _deployments(connection: Connection, rollouts: tuple[Rollout, ...]) -> dict[DeploymentId, Deployment]:
    named = {one for rollout in rollouts for one in (rollout.new, rollout.old) if one}
    found = rows.every(connection, Deployment, tables.deployment.c.id.in_(named)) if named else ()
    return {one.id: one for one in found}
