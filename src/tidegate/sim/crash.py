"""Crashes: the server ends between any two writes or effects, and everything that was not written is gone."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from random import Random

from sqlalchemy import Connection

from tidegate.integrations.asking import Heard, Outside
from tidegate.metrics.question import FigureSource, Question
from tidegate.metrics.source import MetricsSource
from tidegate.model.dead_man import Fallback, Note
from tidegate.model.figures import Counters
from tidegate.model.ids import DeploymentId, Generation, PlacementId
from tidegate.model.installation import DesiredInstallation, Endpoint, Installation, ObservedRouting, Routing
from tidegate.model.metric import Figures, NoFigures
from tidegate.routers.dead_man import DeadMan
from tidegate.routers.router import Router
from tidegate.store.database import Database
from tidegate.targets.target import Target


class Crashed(BaseException):
    """The server is gone. Not an Exception: nothing may catch it but the world."""


class CrashPoints:
    """Counts the points at which the server may crash, and crashes it at a given one or at random ones."""

    def __init__(self, random: Random, *, at: int | None = None, chance: float = 0.0, at_most: int = 0) -> None:
        self._random = random
        self._at = at
        self._chance = chance
        self._left = at_most
        self._armed = False
        self._anything_new = False
        self.on_the_way: Callable[[Callable[[], object]], None] = lambda _act: None
        """Takes each act that was on its way to a target or a router when the server ended."""

        self.on_reach: Callable[[str], None] = lambda _place: None
        self.count = 0
        self.crashed_at: list[str] = []

    def arm(self, *, on: bool = True) -> None:
        """Count and crash from now on, or no more."""
        self._armed = on

    def note_change(self) -> None:
        """Something was written, or done outside."""
        self._anything_new = True

    def reach(self, place: str) -> None:
        """Come to a point. Raises Crashed.

        Only points since which something was written or done are counted: a crash at any other one leaves behind
        exactly what a crash at the one before it leaves.
        """
        self.on_reach(place)
        if not self._armed:
            return
        counted, self._anything_new = self._anything_new, False
        self.count += counted
        by_chance = self._left > 0 and self._random.random() < self._chance
        if by_chance or (counted and self.count == self._at):
            self._left -= by_chance
            self.crashed_at.append(f"{self.count}: {place}")
            raise Crashed(place)

    def reach_before(self, place: str, act: Callable[[], object]) -> None:
        """Come to the point before an act outside. Raises Crashed; the act may be on its way by then."""
        try:
            self.reach(place)
        except Crashed:
            self.on_the_way(act)
            raise


class CrashingDatabase(Database):
    """A view of a Database with a crash point before and after every commit; counts those that wrote something."""

    def __init__(self, database: Database, points: CrashPoints) -> None:
        # no call of the parent: the connection is the other's
        self.url = database.url
        self.is_sqlite = database.is_sqlite
        self.engine = database.engine
        self._turns = database._turns
        self._points = points
        self.commits = 0

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that may write; committed at the end, rolled back on any exception."""
        with super().writing() as connection:
            before = _rows_written(connection)
            yield connection
            self._points.reach("before a commit")
            if _rows_written(connection) == before:
                return
        self.commits += 1
        self._points.note_change()
        self._points.reach("after a commit")


def _rows_written(connection: Connection) -> int:
    raw = connection.connection.dbapi_connection
    assert isinstance(raw, sqlite3.Connection)
    return raw.total_changes


class CrashingTarget:
    """A Target with a crash point before and after every effect."""

    def __init__(self, target: Target, points: CrashPoints) -> None:
        self._target = target
        self._points = points

    def apply(self, desired: DesiredInstallation, generation: Generation) -> Installation:
        """As the target does."""
        act = partial(self._target.apply, desired, generation)
        self._points.reach_before(f"before {desired.deployment} gets {desired.instances} instances", act)
        seen = act()
        self._points.note_change()
        self._points.reach(f"after {desired.deployment} got {desired.instances} instances")
        return seen

    def observe(self, deployment: DeploymentId) -> Installation:
        """As the target does."""
        return self._target.observe(deployment)


class CrashingRouter:
    """A Router with a crash point before and after every effect."""

    def __init__(self, router: Router, points: CrashPoints) -> None:
        self._router = router
        self._points = points

    def set_shares(self, routing: Routing, generation: Generation) -> ObservedRouting | None:
        """As the router does."""
        act = partial(self._router.set_shares, routing, generation)
        self._points.reach_before(f"before shares of generation {generation}", act)
        seen = act()
        self._points.note_change()
        self._points.reach(f"after shares of generation {generation}")
        return seen

    def shares(self, placement: PlacementId) -> Routing | None:
        """As the router does."""
        return self._router.shares(placement)

    def drained(self, placement: PlacementId, deployment: DeploymentId, endpoints: Collection[Endpoint]) -> bool:
        """As the router does."""
        self._points.reach(f"before draining {deployment}")
        return self._router.drained(placement, deployment, endpoints)


class CrashingDeadMan:
    """A DeadMan with a crash point before and after every note."""

    def __init__(self, dead_man: DeadMan, points: CrashPoints) -> None:
        self._dead_man = dead_man
        self._points = points

    def leave(self, note: Note) -> None:
        """As the dead man does."""
        self._points.reach("before a note is left")
        self._dead_man.leave(note)
        self._points.reach("after a note was left")

    def forget(self, placement: PlacementId) -> None:
        """As the dead man does."""
        self._points.reach("before a note is taken back")
        self._dead_man.forget(placement)

    def fell_back(self, placement: PlacementId) -> Fallback | None:
        """As the dead man does."""
        return self._dead_man.fell_back(placement)


class CrashingOutside:
    """An address outside with a crash point before and after every question."""

    def __init__(self, outside: Outside, points: CrashPoints) -> None:
        self._outside = outside
        self._points = points

    def ask(self, url: str, body: bytes, headers: Mapping[str, str]) -> Heard:
        """As the address does."""
        self._points.reach_before("before a question", partial(self._outside.ask, url, body, headers))
        heard = self._outside.ask(url, body, headers)
        self._points.note_change()
        self._points.reach("after a question")
        return heard


class CrashingFigures:
    """A FigureSource with a crash point before every question."""

    def __init__(self, figures: FigureSource, points: CrashPoints) -> None:
        self._figures = figures
        self._points = points

    def read(self, question: Question) -> Figures | NoFigures:
        """As the source does."""
        self._points.reach(f"before {question.rule.name} of {question.deployment} are read")
        return self._figures.read(question)


class CrashingMetrics:
    """A MetricsSource with a crash point before every reading."""

    def __init__(self, metrics: MetricsSource, points: CrashPoints) -> None:
        self._metrics = metrics
        self._points = points

    def counters(
        self, placement: PlacementId, deployments: Collection[DeploymentId]
    ) -> Mapping[DeploymentId, Counters]:
        """As the source does."""
        self._points.reach("before figures are read")
        return self._metrics.counters(placement, deployments)
