"""What verification saw of a rollout, read for whoever wants to judge it again."""

from __future__ import annotations

from sqlalchemy import Connection

from tidegate.engine.history import batches_before
from tidegate.model.batches import cut_batches, labelled
from tidegate.model.metric import series_of
from tidegate.model.recording import Recording
from tidegate.model.rollout import Rollout
from tidegate.model.rollout_recording import rollout_recording
from tidegate.store import metric_queries, queries


def recording_of(connection: Connection, rollout: Rollout) -> Recording | None:
    """The figures of a rollout so far; None where it is not verified, or nothing was measured yet."""
    if rollout.verify is None or rollout.new is None:
        return None
    taken = labelled(queries.snapshots(connection, rollout.id), rollout.loaded)
    batches = cut_batches(taken, rollout.new, rollout.old)
    history = batches_before(connection, rollout, rollout.verify)
    series = series_of(rollout.verify.metrics, metric_queries.readings(connection, rollout.id), history)
    return rollout_recording(rollout.verify.latency, batches, series, history) if batches else None
