"""History: what metrics showed while nothing was wrong is kept when a rollout succeeds, and known to the next ones."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from datetime import datetime
from threading import Lock

from sqlalchemy import Connection

from tidegate.model.batches import cut_batches, labelled
from tidegate.model.decision import Decision
from tidegate.model.ids import RolloutId
from tidegate.model.metric import NO_HISTORY, HistoryBatch, series_of
from tidegate.model.metric_history import ERRORS, KEPT_FOR, LATENCY, history_of, latest
from tidegate.model.rollout import Rollout, RolloutState
from tidegate.store import metric_queries, queries

_MOST_KEPT = 64

_LOOKED_BACK = 48
"""Hours with figures; more take time to read, and hold more than a judge is given."""


class History:
    """What was known of each metric when a rollout began; read once for each rollout."""

    def __init__(self) -> None:
        self._known: OrderedDict[RolloutId, Mapping[str, tuple[HistoryBatch, ...]]] = OrderedDict()
        self._lock = Lock()

    def of(self, connection: Connection, rollout: Rollout) -> Mapping[str, tuple[HistoryBatch, ...]]:
        """The latest batches of the router's metrics and of the service's own, by their names."""
        if rollout.verify is None:
            return NO_HISTORY
        with self._lock:
            known = self._known.get(rollout.id)
        if known is None:
            names = (ERRORS, LATENCY, *(rule.name for rule in rollout.verify.metrics))
            since = rollout.began_at - KEPT_FOR
            hours = {
                name: metric_queries.history(connection, rollout.placement, name, since, _LOOKED_BACK) for name in names
            }
            known = {name: latest(found, rollout.began_at) for name, found in hours.items()}
            with self._lock:
                self._known[rollout.id] = known
                while len(self._known) > _MOST_KEPT:
                    self._known.popitem(last=False)
        return known


def keep_history(connection: Connection, decision: Decision, now: datetime) -> None:
    """Remember the figures of rollouts that succeed by this decision, and forget what is too old."""
    for one in decision.changes:
        if isinstance(one, Rollout) and one.state is RolloutState.SUCCEEDED:
            _remember(connection, one, now)


def _remember(connection: Connection, rollout: Rollout, now: datetime) -> None:
    if rollout.verify is None or rollout.new is None:
        return
    taken = labelled(queries.snapshots(connection, rollout.id), rollout.loaded)
    series = series_of(rollout.verify.metrics, metric_queries.readings(connection, rollout.id))
    hours = history_of(rollout.placement, cut_batches(taken, rollout.new, rollout.old), series)
    metric_queries.remember(connection, hours)
    metric_queries.forget_history(connection, rollout.placement, {one.metric for one in hours}, now - KEPT_FOR)
