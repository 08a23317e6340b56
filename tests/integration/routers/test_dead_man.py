"""The dead man: what is overdue goes back by the router's own means, once, whoever is killed or comes meanwhile."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.integration.routers.envoy_bench import EnvoyBench
from tests.integration.routers.services import SHOP, free_port, get_many, instances, marks, route, routing

from tidegate.model.dead_man import Note
from tidegate.model.figures import Counters, Snapshot
from tidegate.model.generation import StaleGeneration
from tidegate.model.ids import DeploymentId, Generation, PlacementId, RolloutId
from tidegate.model.installation import Endpoint, ObservedRouting, Route, Routing
from tidegate.model.share import Share
from tidegate.routers.dead_man_notes import DeadManNotes, MachineTime
from tidegate.routers.dead_man_watch import DeadManWatch
from tidegate.routers.router import Router, RouterRefused
from tidegate.routers.routing_record import Phase, begin

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
V1, V2 = DeploymentId("v1"), DeploymentId("v2")
COUNTED = {V2: Counters(7, 1, (10.0,), (5, 2), 8)}
AFTER, MINUTE = timedelta(minutes=5), timedelta(minutes=1)


def _split(v1: float, v2: float) -> Routing:
    routes = [(V1, v1, 1), (V2, v2, 2)]
    return Routing(
        SHOP,
        18_000,
        tuple(Route(name, Share.percent(share), (Endpoint("127.0.0.1", at),)) for name, share, at in routes),
    )


CANARY, BASELINE = _split(90, 10), _split(100, 0)


@dataclass
class Bench:
    """A data folder's router files, a router that does at once what its record wants, and time that stands still."""

    folder: Path
    boot: str = "boot-1"
    seconds: float = 1000.0
    refuses: str = ""
    told: list[Routing] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.notes = DeadManNotes(self.folder, MachineTime(self.boot, lambda: self.seconds))
        self.watch = self.another_watch()

    def another_watch(self, boot: str = "boot-1", router: Router | None = None) -> DeadManWatch:
        """The dead man's next life."""
        notes = DeadManNotes(self.folder, MachineTime(boot, lambda: self.seconds))
        return DeadManWatch(notes, router or self, self._count, lambda: NOON)

    def serve(self, split: Routing, generation: int) -> None:
        """What the server asked for is so."""
        self.set_shares(split, Generation(generation))

    def leave(self, generation: int) -> None:
        """The server leaves a note of this generation."""
        self.notes.leave(Note(RolloutId("r"), Generation(generation), V2, BASELINE, AFTER, MINUTE))

    def pass_by(self, **span: float) -> None:
        """Let time pass that nobody can set back."""
        self.seconds += timedelta(**span).total_seconds()

    @property
    def serving(self) -> Routing | None:
        """What the router serves."""
        return self.shares(SHOP)

    # a Router

    def set_shares(self, routing: Routing, generation: Generation) -> ObservedRouting | None:
        if self.refuses:
            raise RouterRefused(self.refuses)
        record = begin(self.notes.records.read(routing.placement), routing, generation)
        while record.phase is not Phase.SETTLED:
            record = record.advanced(NOON)
        with self.notes.records.one_at_a_time(routing.placement):
            self.notes.records.write(record)
        self.told.append(routing)
        return ObservedRouting(generation, NOON)

    def shares(self, placement: PlacementId) -> Routing | None:
        record = self.notes.records.read(placement)
        return record.serving if record else None

    def drained(self, placement: PlacementId, deployment: DeploymentId, endpoints: Collection[Endpoint]) -> bool:
        return True

    def _count(self, placement: PlacementId, deployments: Collection[DeploymentId]) -> Mapping[DeploymentId, Counters]:
        return COUNTED


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    made = Bench(tmp_path)
    made.serve(CANARY, 3)
    made.leave(3)
    return made


def test_nothing_happens_while_the_last_judgement_counts(bench: Bench) -> None:
    bench.pass_by(minutes=4)
    bench.leave(3)
    bench.pass_by(minutes=4)
    bench.watch.look()
    assert bench.serving == CANARY
    assert bench.notes.fell_back(SHOP) is None


def test_what_is_overdue_goes_back_once_and_says_what_was_counted(bench: Bench) -> None:
    bench.pass_by(minutes=6)
    bench.watch.look()
    bench.watch.look()
    assert bench.told == [CANARY, BASELINE]
    done = bench.notes.fell_back(SHOP)
    assert done is not None
    assert (done.generation, done.at, done.unjudged) == (4, NOON, timedelta(minutes=6))
    assert done.counted[-1] == Snapshot(NOON, Generation(3), COUNTED)


def test_what_happens_while_nobody_judges_is_counted_batch_by_batch(bench: Bench) -> None:
    for _ in range(11):
        bench.watch.look()
        bench.pass_by(seconds=30)
    bench.watch.look()
    done = bench.notes.fell_back(SHOP)
    assert done is not None
    # after 1.5 minutes and each minute since, and when it went back
    assert len(done.counted) == 5


def test_a_server_that_comes_takes_over_and_nobody_fights(bench: Bench) -> None:
    bench.pass_by(minutes=6)
    bench.watch.look()
    with pytest.raises(StaleGeneration):
        bench.serve(CANARY, 3)
    bench.leave(5)
    bench.serve(CANARY, 5)
    bench.watch.look()
    assert bench.serving == CANARY
    assert bench.notes.fell_back(SHOP) is None


def test_a_later_move_of_the_server_is_not_undone(bench: Bench) -> None:
    bench.serve(_split(0, 100), 4)
    bench.pass_by(minutes=6)
    bench.watch.look()
    assert bench.serving == _split(0, 100)


def test_a_note_for_a_move_that_never_began_covers_what_is_served(bench: Bench) -> None:
    bench.leave(4)
    bench.pass_by(minutes=6)
    bench.watch.look()
    assert bench.serving == BASELINE
    done = bench.notes.fell_back(SHOP)
    assert done is not None and (done.counted[-1].generation, done.generation) == (3, 5)


def test_killed_between_wanting_and_doing_it_is_done_by_the_next_life(bench: Bench) -> None:
    bench.pass_by(minutes=6)
    bench.refuses = "it was killed here"
    bench.watch.look()
    assert bench.serving == CANARY
    done = bench.notes.fell_back(SHOP)
    assert done is not None, "a server that comes now goes beyond it"
    bench.refuses = ""
    bench.another_watch().look()
    assert bench.serving == BASELINE
    assert bench.notes.fell_back(SHOP) == done


def test_a_server_that_starts_has_all_of_the_time_to_judge(bench: Bench) -> None:
    bench.pass_by(minutes=6)
    bench.notes.somebody_is_here()
    bench.watch.look()
    assert bench.serving == CANARY


def test_after_a_restart_of_the_machine_the_time_is_counted_anew(bench: Bench) -> None:
    bench.seconds = 5.0
    watch = bench.another_watch(boot="boot-2")
    watch.look()
    bench.pass_by(minutes=4)
    watch.look()
    assert bench.serving == CANARY
    bench.pass_by(minutes=2)
    watch.look()
    assert bench.serving == BASELINE


def test_a_note_that_was_taken_back_is_not_obeyed(bench: Bench) -> None:
    bench.notes.forget(SHOP)
    bench.pass_by(minutes=6)
    bench.watch.look()
    assert bench.serving == CANARY


def test_a_damaged_note_keeps_no_server_from_starting(bench: Bench) -> None:
    (note,) = (bench.folder / "dead-man").glob("*.json")
    note.write_text("{")
    bench.notes.somebody_is_here()
    bench.watch.look()
    assert bench.serving == CANARY
    assert not note.exists()


def test_envoy_sends_the_very_next_request_back(envoy: EnvoyBench) -> None:
    port = free_port()
    bench = Bench(envoy.files)
    with instances("v1", "v2") as [v1, v2]:
        canary = routing(port, route("v1", 50, v1), route("v2", 50, v2))
        assert envoy.router.set_shares(canary, Generation(3))
        assert set(marks(get_many(port, 60))) == {"v1", "v2"}
        back_to = routing(port, route("v1", 100, v1), route("v2", 0, v2))
        bench.notes.leave(Note(RolloutId("r"), Generation(3), V2, back_to, AFTER, MINUTE))
        bench.pass_by(minutes=6)
        bench.another_watch(router=envoy.another_router()).look()
        assert marks(get_many(port, 60)) == {"v1": 60}
        assert envoy.router.shares(SHOP) == back_to
        assert envoy.router.set_shares(canary, Generation(5))
        assert set(marks(get_many(port, 60))) == {"v1", "v2"}
