"""What a release train promises: each in its turn, and when one fails, all of it comes back in reverse order."""

from __future__ import annotations

from collections import Counter

from sqlalchemy import Connection

from tidegate.model.event import EventKind, RecordedEvent
from tidegate.model.ids import DeploymentId, ServiceName, placement_id
from tidegate.model.rollout import Rollout
from tidegate.model.train import TrainRun, TrainState
from tidegate.sim.broken import RuleBroken
from tidegate.sim.outside import Outside
from tidegate.sim.recorded import environment_of, run_of
from tidegate.sim.router import Split
from tidegate.store import queries, rows, train_queries

_ONCE = (
    EventKind.TRAIN_DEPARTED,
    EventKind.TRAIN_ABOARD,
    EventKind.TRAIN_CALLED,
    EventKind.TRAIN_STOPPED,
    EventKind.TRAIN_COMES_BACK,
    EventKind.TRAIN_RETURNED,
    EventKind.TRAIN_ENDED,
)


class TrainRules:
    """Follows who is aboard, who was called, and who passed, by what was told of them."""

    def __init__(self, outside: Outside) -> None:
        self._outside = outside
        self._told: Counter[tuple[str, ...]] = Counter()
        self._called: set[tuple[str, str]] = set()
        self._passed: set[str] = set()
        self._stopped: set[str] = set()

    def look(self, connection: Connection, recorded: RecordedEvent) -> None:
        """Look at one event. Raises RuleBroken."""
        about, kind = recorded.event.about, recorded.event.kind
        if kind in _ONCE:
            name = (kind.value, about["passage"], about.get("service", ""))
            self._told[name] += 1
            if self._told[name] > 1:
                raise RuleBroken("a train does everything once", str(name))
        match kind:
            case EventKind.ROLLOUT_PASSED if "run" in about:
                self._passed.add(about["run"])
            case EventKind.TRAIN_CALLED:
                self._called.add((about["passage"], about["run"]))
            case EventKind.TRAIN_STOPPED:
                self._stopped.add(about["passage"])
            case EventKind.ROLLOUT_BEGAN if "train" in about:
                self._check_order_of_return(connection, about["passage"], ServiceName(about["service"]))
            case EventKind.TRAIN_COMES_BACK:
                self._check_order_of_return(connection, about["passage"], ServiceName(about["service"]))
            case EventKind.ROLLOUT_BEGAN if "run" in about:
                self._check_turn(connection, recorded)
            case EventKind.TRAIN_ENDED:
                self._check_end(connection, about["passage"])

    def _check_turn(self, connection: Connection, recorded: RecordedEvent) -> None:
        run, environment = run_of(connection, recorded), environment_of(recorded)
        for train in self._outside.trains.values():
            if train.environment != environment or run.service not in train.services:
                continue
            passage = train_queries.open_passage(connection, train.name)
            if passage is None or (passage.id, run.id) not in self._called or passage.id in self._stopped:
                raise RuleBroken("a release of a train begins in its turn", f"{run.id}: {passage}")
            for other in passage.members:
                if other.service in train.after.get(run.service, ()) and other.run not in self._passed:
                    raise RuleBroken("a train keeps its order", f"{run.service} before {other.service} passed")

    def _check_order_of_return(self, connection: Connection, passage_id: str, service: ServiceName) -> None:
        """Those whose turn came after it do not serve any more."""
        passage = self._passage(connection, passage_id)
        for other in passage.behind(service):
            rollout = _rollout(connection, passage, other.service)
            if rollout and rollout.new in self._serves(passage, other.service):
                raise RuleBroken("a train comes back in reverse order", f"{service} before {other.service}")

    def _check_end(self, connection: Connection, passage_id: str) -> None:
        passage = self._passage(connection, passage_id)
        for member in passage.members:
            rollout = _rollout(connection, passage, member.service)
            if rollout is None:
                continue
            wanted = rollout.new if passage.state is TrainState.ARRIVED else rollout.old
            serves = self._serves(passage, member.service)
            if serves != ({wanted} if wanted else set()):
                raise RuleBroken(
                    f"a train that has {passage.state.value} is whole", f"{member}: {serves}, not {wanted}"
                )

    def _serves(self, passage: TrainRun, service: ServiceName) -> set[DeploymentId]:
        return set(Split.of(self._outside.router.shares(placement_id(service, passage.environment))).fractions)

    def _passage(self, connection: Connection, passage_id: str) -> TrainRun:
        found = rows.find(connection, TrainRun, id=passage_id)
        assert found is not None
        return found


def _rollout(connection: Connection, passage: TrainRun, service: ServiceName) -> Rollout | None:
    """The rollout by which a release aboard was brought."""
    member = passage.member(service)
    stage = train_queries.stage_of(connection, member.run, member.stage) if member else None
    return queries.rollout(connection, stage.rollout) if stage else None
