"""The simulated source of a service's own figures: how many ordered, and how many used the wish list."""

from __future__ import annotations

from datetime import datetime, timedelta

from tidegate.metrics.question import Question
from tidegate.metrics.source import SourceFailed
from tidegate.model.ids import DeploymentId
from tidegate.model.metric import Counted, Figures, NoFigures
from tidegate.sim.clock import ServerClock, SimulatedClock
from tidegate.sim.shape import ORDERS
from tidegate.sim.traffic import SimulatedTraffic


class OwnFigures:
    """A FigureSource. `answered_at` says when it last said something of a deployment, by the world's time."""

    def __init__(self, clock: SimulatedClock, server_clock: ServerClock, traffic: SimulatedTraffic) -> None:
        self._clock = clock
        self._server_clock = server_clock
        self._traffic = traffic
        self.silent_until: datetime | None = None
        self.answered_at: dict[DeploymentId, datetime] = {}

    def read(self, question: Question) -> Figures | NoFigures:
        """What was counted in the question's window. Raises SourceFailed while the source is silent."""
        self._clock.pass_by(timedelta(milliseconds=1))
        if self.silent_until and self._clock.now() < self.silent_until:
            raise SourceFailed("the simulated source of orders does not answer", is_away=True)
        self._traffic.count()
        tally = self._traffic.tallies.get(question.deployment)
        if tally is None:
            return NoFigures("there is no such series")
        begin, end = self._server_clock.real(question.begin), self._server_clock.real(question.end)
        here = [one for one in tally.own if begin < one.at <= end]
        self.answered_at[question.deployment] = self._clock.now()
        return Counted(float(sum(one.orders if question.rule.name == ORDERS else one.wishes for one in here)))
