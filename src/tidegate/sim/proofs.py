"""Worlds whose files have checks and load checks, and in which some versions hold too little.

They are drawn apart from everything else, so that what a seed found once stays in it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random

from tidegate.sim.shape import Shape
from tidegate.sim.version import Version

_HOW_OFTEN = 0.25


@dataclass(frozen=True, slots=True)
class Proofs:
    """What one seed draws of it."""

    random: Random

    @classmethod
    def of(cls, seed: int) -> Proofs | None:
        """That of one world in four."""
        # drawn so that the seeds that found something are not among those
        random = Random(seed + 709)
        return cls(random) if random.random() < _HOW_OFTEN else None

    def shaped(self, shape: Shape) -> Shape:
        """The shape with checks, a load check, or both."""
        checks = self.random.choice((0, 1, 1, 2))
        return replace(shape, checks=checks, load=not checks or self.random.random() < 0.5)

    def put_into(self, version: Version) -> None:
        """Let a version hold too little, or fail its checks, now and then."""
        version.saturates = self.random.random() < 0.25
        version.checks_fail = self.random.random() < 0.15
