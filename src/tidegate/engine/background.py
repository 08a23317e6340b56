"""Reading what stands behind the evidence for a gate."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from tidegate.engine.rehearsals import last_that_went_well
from tidegate.model.background import Background
from tidegate.model.change import Change
from tidegate.model.error_budget import BUDGET_OVER
from tidegate.model.evidence import MOST_INCIDENTS
from tidegate.model.placement import Placement
from tidegate.model.release import Release
from tidegate.model.run import Run
from tidegate.store import drill_queries, gate_queries, incident_queries, queries, traffic_queries


def background_of(
    connection: Connection,
    run: Run,
    release: Release,
    placement: Placement,
    brings: Sequence[Change],
    now: datetime,
) -> Background:
    """What serves at the placement, who made the changes that would come there, and the release's way so far."""
    serving = queries.deployment(connection, placement.serving) if placement.serving else None
    authors = [author for change in (release.change, *brings) for author in change.authors]
    is_other = release.run != run.id
    stages = queries.stages(connection, release.run) if is_other else ()
    rollouts = {one.id: one for one in queries.rollouts_of_run(connection, release.run)} if is_other else {}
    return Background(
        serving=queries.release(connection, serving.release) if serving else None,
        brings=tuple(brings),
        people=gate_queries.known_people(connection, (), (), authors),
        earlier_stages=stages,
        counted=traffic_queries.counted_since(connection, placement.id, now - BUDGET_OVER),
        earlier_rollouts={one.name: rollouts[one.rollout] for one in stages if one.rollout in rollouts},
        incidents=incident_queries.newest_at(connection, placement.id, MOST_INCIDENTS + 1),
        drill=drill_queries.last_passed(connection, run.service),
        rehearsal=last_that_went_well(connection, run.service),
    )
