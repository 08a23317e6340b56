"""Rule 7 of a service's own figures: nothing goes on without them, and fewer orders are not promoted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from tidegate.model.event import EventKind, RecordedEvent
from tidegate.model.pipeline import OnDoubt
from tidegate.model.rollout import Rollout, RolloutKind
from tidegate.model.share import NONE
from tidegate.sim.broken import RuleBroken
from tidegate.sim.outside import Outside
from tidegate.sim.recorded import rollout_of
from tidegate.sim.shape import ORDERS
from tidegate.store import queries

MANY_REQUESTS, LONG = 1000, timedelta(minutes=3)
"""So many requests to a deployment, seen for so long, show a third of the orders: that is more than ten windows."""


@dataclass(slots=True)
class _Share:
    """A share that a rollout reached, and when."""

    step: int
    at: datetime


class MetricRules:
    """Compares each step forward with what the source said, and with what users really ordered."""

    def __init__(self, outside: Outside) -> None:
        self._outside = outside
        self._shares: dict[str, _Share] = {}
        self._promoted: set[str] = set()

    def look(self, connection: Connection, recorded: RecordedEvent) -> None:
        """Look at one event. Raises RuleBroken."""
        match recorded.event.kind:
            case EventKind.ROLLOUT_PROMOTED:
                self._promoted.add(recorded.event.about["run"])
            case EventKind.ROLLOUT_SHARES:
                rollout, step = rollout_of(connection, recorded), int(str(recorded.event.data["step"]))
                self._check_left(rollout, step - 1)
                self._shares[rollout.id] = _Share(step, self._now)
            case EventKind.ROLLOUT_PASSED:
                rollout = rollout_of(connection, recorded)
                self._check_left(rollout, len(rollout.plan) - 1)
                self._check_orders(connection, rollout)

    @property
    def _now(self) -> datetime:
        clock = self._outside.server_clock
        return clock.real(clock.now())

    def _is_judged(self, rollout: Rollout) -> bool:
        """Whether nothing but its orders lets it go on."""
        verify = rollout.verify
        if verify is None or rollout.kind is not RolloutKind.RELEASE or rollout.run in self._promoted:
            return False
        asked = any(one.name == ORDERS for one in verify.metrics)
        return asked and OnDoubt.PROMOTE not in (verify.no_data, verify.undecided)

    def _check_left(self, rollout: Rollout, left: int) -> None:
        share = self._shares.get(rollout.id)
        if share is None or share.step != left or not self._is_judged(rollout) or not rollout.plan[left].judged:
            return
        answered = self._outside.own.answered_at.get(rollout.new) if rollout.new else None
        if answered is None or answered < share.at:
            raise RuleBroken("7 no figures of its own are no pass", f"{rollout.id} left {rollout.plan[left].share}")

    def _check_orders(self, connection: Connection, rollout: Rollout) -> None:
        """Where a deployment was compared with a good one beside it, and many could order."""
        new, old = (queries.deployment(connection, one) if one else None for one in (rollout.new, rollout.old))
        beside = any(one.judged and one.share.rest > NONE and one.at_least >= LONG for one in rollout.plan)
        if new is None or old is None or not beside or not self._is_judged(rollout):
            return
        canary, baseline = (self._outside.version_of_commit(one.commit) for one in (new, old))
        tally = self._outside.traffic.tallies.get(new.id)
        if canary.lowers_orders and not baseline.lowers_orders and tally and tally.ever >= MANY_REQUESTS:
            raise RuleBroken("fewer orders are not promoted", f"{rollout.id}: {canary.orders}")
