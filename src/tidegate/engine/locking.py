"""A run that is about to be changed: nobody else changes it, or anything of its service, until that is committed."""

from __future__ import annotations

from sqlalchemy import Connection

from tidegate.engine.refusal import not_found
from tidegate.model.run import Run
from tidegate.store import queries
from tidegate.store.database import Database


def lock_run(connection: Connection, database: Database, run_id: str) -> Run | None:
    """The run as it is once its service is locked: whose it is has to be read before that."""
    run = queries.run(connection, run_id)
    if run is not None and database.lock_service(connection, run.service):
        run = queries.run(connection, run_id)
    return run


def lock_known_run(connection: Connection, database: Database, run_id: str) -> Run:
    """The run that somebody named. Raises Refused where there is none."""
    run = lock_run(connection, database, run_id)
    if run is None:
        raise not_found("run", run_id, "tidegate runs")
    return run
