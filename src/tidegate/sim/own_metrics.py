"""Worlds whose files compare metrics of the service's own, from a source that falls silent."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from random import Random

from tidegate.model.pipeline import Strategy
from tidegate.sim.shape import ORDERS, WISH_LIST, Shape
from tidegate.sim.version import Version
from tidegate.sim.world import World

IN_SO_MANY = 0.2
"""The part of all worlds in which there are any."""

LONG = ("{share: 30%, at_least: 3m}",)
"""Shares at which fewer orders have to be seen."""


class OwnMetrics:
    """What one seed draws of it, from numbers of its own: other worlds stay what they were."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._has_wishes = False

    @classmethod
    def of(cls, seed: int) -> OwnMetrics | None:
        """That of one world in five."""
        # drawn so that the seeds that found something are not among those
        random = Random(seed + 30176)
        return cls(random) if random.random() < IN_SO_MANY else None

    def shaped(self, shape: Shape) -> Shape:
        """The shape with metrics, and in half of all canaries with a share that is long enough for all to be seen."""
        own = self._random.choice(((ORDERS,), (WISH_LIST,), (ORDERS, WISH_LIST)))
        long = self._random.random() < 0.5 and shape.strategy is Strategy.CANARY
        return replace(shape, own=own, shares=LONG, at_most="6m") if long else replace(shape, own=own)

    def put_into(self, version: Version) -> None:
        """Let users of a version order less, now and then; the wish list comes once, and stays."""
        if version.order > 1 and self._random.random() < 0.25:
            version.orders = 0.1
        self._has_wishes = self._has_wishes or self._random.random() < 0.3
        version.wishes = 0.2 if self._has_wishes else 0.0

    def do_something(self, world: World) -> None:
        """Let the source fall silent, now and then."""
        if self._random.random() < 0.25:
            world.own.silent_until = world.clock.now() + timedelta(seconds=self._random.choice((10, 60, 200)))
