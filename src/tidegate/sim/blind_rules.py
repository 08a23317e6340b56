"""What becomes of shares that nobody judges: they go back after the stated time, or stay where that was said."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Connection

from tidegate.model.pipeline import OnBlind, Strategy
from tidegate.model.rollout import Rollout, RolloutKind, RolloutState
from tidegate.sim.broken import RuleBroken
from tidegate.sim.dead_man import LATE_AT_MOST
from tidegate.sim.outside import Outside
from tidegate.sim.router import Split
from tidegate.store import queries

PATIENCE = LATE_AT_MOST + timedelta(seconds=30)
"""What the dead man and the router may take, beyond what the file says."""

SHORTEST = timedelta(seconds=30)
"""Three batches."""

_UNPASSED = (RolloutState.MOVING, RolloutState.JUDGING, RolloutState.ASKING)


class BlindRules:
    """Compares what is served with how long no server was there."""

    def __init__(self, outside: Outside) -> None:
        self._outside = outside

    def check(self, connection: Connection, down: timedelta) -> None:
        """Look at all placements at the end of such a time. Raises RuleBroken."""
        faults, now = self._outside.router.faults, self._outside.target.clock.now()
        untaken = max((at for at in (faults.refuses_until, faults.slow_until) if at), default=now - down)
        blind = min(down, now - untaken)
        for placement in queries.placements(connection):
            rollout = queries.rollout(connection, placement.rollout)
            if rollout is None or rollout.kind is not RolloutKind.RELEASE or rollout.state not in _UNPASSED:
                continue
            fractions = Split.of(self._outside.router.shares(placement.id)).fractions
            if rollout.new is None or not fractions.get(rollout.new):
                continue
            if rollout.old is not None and _must_go_back(rollout, blind):
                raise RuleBroken("no share stays that nobody judges", f"{rollout.id} after {down}: {fractions}")


def _must_go_back(rollout: Rollout, blind: timedelta) -> bool:
    verify = rollout.verify
    if verify is None or blind <= max(verify.blind_after, SHORTEST) + PATIENCE:
        return False
    if verify.blind is not None:
        return verify.blind is OnBlind.BASELINE
    by_people = rollout.promoted_by or any(step.approvals for step in rollout.plan[: rollout.step + 1])
    return rollout.strategy is Strategy.CANARY and not by_people
