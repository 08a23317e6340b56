"""Worlds in which a file's last step in production is one that cannot be undone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random

from tidegate.sim.shape import Shape

IN_SO_MANY = 0.5
"""The part of all worlds in which there are any."""

_HOW_OFTEN = 0.6


@dataclass(frozen=True, slots=True)
class Drops:
    """What one seed draws of it, from numbers of its own: other worlds stay what they were."""

    random: Random

    @classmethod
    def of(cls, seed: int) -> Drops | None:
        """That of every second world."""
        # drawn so that the seeds that found something drop what they dropped then
        random = Random(seed + 10484)
        return cls(random) if random.random() < IN_SO_MANY else None

    def shaped(self, shape: Shape) -> Shape:
        """The shape with such a step, more often than not where it is watched afterwards."""
        return replace(shape, drops=self.random.random() < _HOW_OFTEN) if shape.watch != "0s" else shape
