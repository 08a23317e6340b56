"""History: what metrics showed while nothing was wrong is kept when a rollout succeeds, and known to the next ones."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from threading import Lock

from sqlalchemy import Connection

from tidegate.model.batches import cut_batches, labelled
from tidegate.model.decision import Decision
from tidegate.model.ids import RolloutId
from tidegate.model.metric import NO_HISTORY, HistoryBatch, series_of
from tidegate.model.metric_history import ERRORS, KEPT_FOR, LATENCY, history_of, latest
from tidegate.model.pipeline import VerifyRule
from tidegate.model.rollout import Rollout, RolloutState
from tidegate.model.traffic import Span
from tidegate.model.usual import NOTHING_USUAL, Usual, usual_of
from tidegate.store import metric_queries, queries, traffic_queries

_MOST_KEPT = 64

_LOOKED_BACK = 48
"""Hours with figures; more take time to read, and hold more than a judge is given."""


@dataclass(frozen=True, slots=True)
class Known:
    """The latest batches of the router's metrics and of the service's own, by their names, and what is usual at each
    time of the day."""

    batches: Mapping[str, tuple[HistoryBatch, ...]]
    usual: Usual


NOTHING_KNOWN = Known(NO_HISTORY, NOTHING_USUAL)


class History:
    """What was known of a placement when a rollout began; read once for each rollout."""

    def __init__(self) -> None:
        self._known: OrderedDict[RolloutId, Known] = OrderedDict()
        self._lock = Lock()

    def of(self, connection: Connection, rollout: Rollout) -> Known:
        """What metrics showed while nothing was wrong, and what the traffic log has of the days before."""
        if rollout.verify is None:
            return NOTHING_KNOWN
        with self._lock:
            known = self._known.get(rollout.id)
        if known is None:
            known = Known(batches_before(connection, rollout, rollout.verify), _usual(connection, rollout))
            with self._lock:
                self._known[rollout.id] = known
                while len(self._known) > _MOST_KEPT:
                    self._known.popitem(last=False)
        return known


def batches_before(
    connection: Connection, rollout: Rollout, rule: VerifyRule
) -> Mapping[str, tuple[HistoryBatch, ...]]:
    """The latest batches of each metric from before a rollout, by its name."""
    names = (ERRORS, LATENCY, *(one.name for one in rule.metrics))
    since = rollout.began_at - KEPT_FOR
    hours = {name: metric_queries.history(connection, rollout.placement, name, since, _LOOKED_BACK) for name in names}
    return {name: latest(found, rollout.began_at) for name, found in hours.items()}


def _usual(connection: Connection, rollout: Rollout) -> Usual:
    traffic = traffic_queries.since(connection, rollout.placement, Span.HOUR, rollout.began_at - KEPT_FOR)
    return usual_of(traffic, rollout.began_at)


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
