"""Stories of a release train of four services: it arrives, or its third fails at one step or another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

from tidegate.model.ids import EnvironmentName, ServiceName
from tidegate.model.pipeline import Mode, Strategy
from tidegate.model.rollout import RolloutState
from tidegate.model.run import RunStatus
from tidegate.model.train import Train, TrainRun, TrainState
from tidegate.sim.shape import Approve, Shape
from tidegate.sim.shop import ANNA, SimulatedService
from tidegate.sim.shop_run import SimulatedRun
from tidegate.sim.telling import Story, ToldOtherwise
from tidegate.store import queries, train_queries

NAMES = ("ant", "bee", "cat", "dog")
"""In the order of their turns: each after the one before it."""

NAME = "payments"
PLAIN = Shape(Mode.DELIVERY, Strategy.BLUE_GREEN, staging=False, verified=False, keep_warm="0s", instances=1)
SHARED = Shape(Mode.DELIVERY, staging=False, shares=("10%", "50%"), keep_warm="0s", watch="20s")


class SimulatedTrain:
    """Four services that travel together."""

    def __init__(self, shop: SimulatedService) -> None:
        self.world = shop.world
        self.services = {name: SimulatedService(shop.world, name, PLAIN) for name in NAMES}
        names = tuple(ServiceName(name) for name in NAMES)
        after = {ServiceName(one): (ServiceName(before),) for before, one in pairwise(NAMES)}
        self.world.trains[NAME] = Train(NAME, names, EnvironmentName("production"), after)
        with self.world.database.reading() as connection:
            for name, service in self.services.items():
                service.is_known = bool(queries.service(connection, name))

    def runs(self, number: int) -> dict[str, SimulatedRun]:
        """The runs of those versions."""
        return {name: one.run_of(f"{name}{number}") for name, one in self.services.items()}

    def push(self, number: int, **shapes: Shape) -> None:
        """Commit a version of each service, and approve it when it waits for people and the train."""
        runs = {name: one.push(f"{name}{number}", shapes.get(name)) for name, one in self.services.items()}
        for name, run in runs.items():
            self.world.advance(until=run.waits_at("production"))
            self.services[name].approve(run)
        self.world.advance(until=lambda: all(self._is_ready(run) for run in runs.values()))

    def depart(self) -> None:
        """Let it leave."""
        self._do(lambda server: server.trains.depart(NAME, ANNA), lambda one: one.depart_asked_by is not None)
        self.world.advance(until=lambda: not self.newest.state.is_ended)

    def cancel(self) -> None:
        """Let it come back."""
        self._do(lambda server: server.trains.cancel(NAME, ANNA), lambda one: one.cancel_asked_by is not None)

    @property
    def newest(self) -> TrainRun:
        """The passage that left last; before the first one left, that one."""
        with self.world.database.reading() as connection:
            found = train_queries.passages(connection, NAME)
        return next((one for one in found if one.departed_at), found[-1])

    def must_end(self, state: TrainState, number: int) -> None:
        """Wait until it is over: so, and with these versions serving."""
        self.world.advance(until=lambda: self.newest.state.is_ended)
        if self.newest.state is not state:
            raise ToldOtherwise(f"the train has {self.newest.state.value}, not {state.value}: {self.newest.because}")
        serving = {name: service.serving() for name, service in self.services.items()}
        if serving != {name: f"{name}{number}" for name in NAMES}:
            raise ToldOtherwise(f"{serving} serve in production")

    def _is_ready(self, run: SimulatedRun) -> bool:
        gate = run.stage("production").gate
        return gate is not None and {reason.rule for reason in gate.blocking} == {"train"}

    def _do(self, act: Callable[..., object], done: Callable[[TrainRun], bool]) -> None:
        with self.world.database.reading() as connection:
            before = train_queries.open_passage(connection, NAME)
        while True:
            server = self.world.up()
            if self.world.surviving(lambda server=server: act(server)):  # type: ignore[misc]
                return
            with self.world.database.reading() as connection:
                now = next(one for one in train_queries.passages(connection, NAME) if before and one.id == before.id)
            if done(now):
                return


def _ready(**shapes: Shape) -> Callable[[SimulatedService], None]:
    """The first of each service is out, and the second is approved and waits for the train."""

    def before(shop: SimulatedService) -> None:
        train = SimulatedTrain(shop)
        train.push(1)
        train.depart()
        train.must_end(TrainState.ARRIVED, 1)
        train.push(2, **shapes)

    return before


def _arrives(shop: SimulatedService) -> None:
    train = SimulatedTrain(shop)
    train.depart()
    train.must_end(TrainState.ARRIVED, 2)
    _must_be(train.runs(2), RunStatus.SUCCEEDED, NAMES)


def _third_is_never_healthy(shop: SimulatedService) -> None:
    train = SimulatedTrain(shop)
    shop.world.version("cat2").never_healthy = True
    train.depart()
    _comes_back(train)


def _third_fails_at_its_first_share(shop: SimulatedService) -> None:
    train = SimulatedTrain(shop)
    shop.world.version("cat2").fails(0.3)
    train.depart()
    _comes_back(train)


def _third_fails_at_its_second_share(shop: SimulatedService) -> None:
    train = SimulatedTrain(shop)
    train.depart()
    shop.world.advance(until=train.runs(2)["cat"].rollout_is(RolloutState.JUDGING, step=1))
    shop.world.version("cat2").fails(0.3)
    _comes_back(train)


def _third_fails_while_the_fourth_moves(shop: SimulatedService) -> None:
    """It passed, and is only watched any more; the fourth asks people at its first share."""
    train = SimulatedTrain(shop)
    train.depart()
    runs = train.runs(2)
    shop.world.advance(until=runs["dog"].rollout_is(RolloutState.ASKING))
    shop.world.version("cat2").fails(0.3)
    _comes_back(train)
    if runs["dog"].outcome is not RunStatus.ROLLED_BACK:
        raise ToldOtherwise(f"the fourth is {runs['dog'].outcome.value}")


def _cancelled_under_way(shop: SimulatedService) -> None:
    train = SimulatedTrain(shop)
    train.depart()
    shop.world.advance(until=train.runs(2)["cat"].rollout_is(RolloutState.JUDGING))
    train.cancel()
    _comes_back(train)


def _comes_back(train: SimulatedTrain) -> None:
    train.must_end(TrainState.RETURNED, 1)
    train.world.advance(timedelta(seconds=5))
    _must_be(train.runs(2), RunStatus.ROLLED_BACK, NAMES[:3])


def _must_be(runs: dict[str, SimulatedRun], status: RunStatus, names: tuple[str, ...]) -> None:
    found = {name: runs[name].outcome for name in names}
    if any(one is not status for one in found.values()):
        raise ToldOtherwise(f"the runs are {found}")


TRAIN_STORIES = (
    Story("a train of four arrives", _arrives, _ready()),
    Story("the third of a train is never healthy", _third_is_never_healthy, _ready()),
    Story("the third of a train fails at its first share", _third_fails_at_its_first_share, _ready(cat=SHARED)),
    Story("the third of a train fails at its second share", _third_fails_at_its_second_share, _ready(cat=SHARED)),
    Story(
        "the third of a train fails while the fourth moves",
        _third_fails_while_the_fourth_moves,
        _ready(cat=replace(SHARED, watch="10m"), dog=replace(SHARED, shares=("10%", Approve()))),
    ),
    Story("a train is cancelled under way", _cancelled_under_way, _ready(cat=SHARED)),
)
