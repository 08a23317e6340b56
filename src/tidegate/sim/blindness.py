"""Worlds in which servers stay away for longer than files allow a share to go unjudged."""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random

from tidegate.model.pipeline import OnBlind, Strategy
from tidegate.model.rollout import RolloutState
from tidegate.sim.shape import Shape
from tidegate.sim.world import World
from tidegate.store import queries

_HOW_OFTEN = 0.3
_AWAY_AT_MOST_SECONDS = 150.0
_HOW_OFTEN_AT_A_SHARE = 0.4


@dataclass(frozen=True, slots=True)
class Blindness:
    """What one seed draws of it, from numbers of its own: other worlds stay what they were."""

    random: Random

    @classmethod
    def of(cls, seed: int) -> Blindness | None:
        """That of three worlds in ten."""
        random = Random(seed + 7)
        return cls(random) if random.random() < _HOW_OFTEN else None

    def begin(self, world: World) -> None:
        """Let servers stay away for long."""
        world.chances = replace(world.chances, down_at_most_seconds=_AWAY_AT_MOST_SECONDS)

    def do_something(self, world: World) -> None:
        """Let the server end while something is judged, now and then."""
        with world.database.reading() as connection:
            judged = any(one.state is RolloutState.JUDGING for one in queries.active_rollouts(connection))
        if judged and self.random.random() < _HOW_OFTEN_AT_A_SHARE:
            world.kill_the_server()

    def shaped(self, shape: Shape) -> Shape:
        """The shape with a word about it, and a time that is over soon."""
        words = [None, None, OnBlind.HOLD]
        if shape.strategy is not Strategy.ROLLING:
            words.append(OnBlind.BASELINE)
        return replace(shape, blind=self.random.choice(words), blind_after=self.random.choice(("10s", "40s", "80s")))
