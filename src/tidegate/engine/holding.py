"""Holding a run where it is, and letting it go on."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Connection

from tidegate.model.run import Run
from tidegate.store import queries, rows


def keep_held(connection: Connection, run: Run, held_by: str | None) -> Run:
    """Have the run, and each of its rollouts that moves, go no further; None lets all of them go on."""
    run = replace(run, held_by=held_by)
    rows.put(connection, run)
    for rollout in queries.rollouts_of_run(connection, run.id):
        if rollout.state.owns_placement and rollout.held != (held_by is not None):
            rows.put(connection, replace(rollout, held=held_by is not None))
    return run
