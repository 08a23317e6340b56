"""Rule 7 at work: nothing goes forward on no data, and nothing is blamed on no data."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from tidegate.model.event import EventKind, RecordedEvent
from tidegate.model.pipeline import OnDoubt
from tidegate.model.rollout import Rollout, RolloutKind
from tidegate.sim.broken import RuleBroken
from tidegate.sim.recorded import rollout_of
from tidegate.sim.traffic import SimulatedTraffic
from tidegate.store import queries


@dataclass(slots=True)
class _Share:
    """A share that a rollout reached: how many requests its deployment had had by then."""

    step: int
    requests: int
    promoted: bool = False


class EvidenceRules:
    """Compares each step forward with what users really asked."""

    def __init__(self, traffic: SimulatedTraffic) -> None:
        self._traffic = traffic
        self._shares: dict[str, _Share] = {}

    def look(self, connection: Connection, recorded: RecordedEvent) -> None:
        """Look at one event. Raises RuleBroken."""
        match recorded.event.kind:
            case EventKind.ROLLOUT_PROMOTED:
                for rollout in queries.rollouts_of_run(connection, recorded.event.about["run"]):
                    if rollout.id in self._shares:
                        self._shares[rollout.id].promoted = True
            case EventKind.ROLLOUT_SHARES:
                rollout = rollout_of(connection, recorded)
                step = recorded.event.data["step"]
                assert isinstance(step, int)
                self._check_left(rollout, step - 1)
                self._shares[rollout.id] = _Share(step, self._requests(rollout))
            case EventKind.ROLLOUT_PASSED:
                rollout = rollout_of(connection, recorded)
                self._check_left(rollout, len(rollout.plan) - 1)
            case EventKind.VERDICT:
                rollout = rollout_of(connection, recorded)
                if not self._requests(rollout):
                    raise RuleBroken("7 no data is not a fail", recorded.event.text)

    def _check_left(self, rollout: Rollout, left: int) -> None:
        share = self._shares.get(rollout.id)
        if share is None or rollout.kind is not RolloutKind.RELEASE or share.step != left:
            return
        verify, step = rollout.verify, rollout.plan[left]
        if not step.judged or verify is None or share.promoted:
            return
        doubts = (verify.no_data, verify.undecided)
        if self._requests(rollout) == share.requests and OnDoubt.PROMOTE not in doubts:
            raise RuleBroken("7 no data is not a pass", f"{rollout.id} left {step.share} without a single request")

    def _requests(self, rollout: Rollout) -> int:
        tally = self._traffic.tallies.get(rollout.new) if rollout.new else None
        return tally.ever if tally else 0
