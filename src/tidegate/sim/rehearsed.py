"""The faults of a rehearsal that random worlds had not yet: a version that gets worse, and an agent that is lost.

They are drawn apart from everything else, so that what a seed found once stays in it.
"""

from __future__ import annotations

from random import Random

from tidegate.sim.version import Version
from tidegate.sim.world import World

IN_SO_MANY = 0.25
"""The part of all worlds in which there are any."""


class RehearsedFaults:
    """What is put into a world beside its other faults."""

    def __init__(self, random: Random) -> None:
        self._random = random

    @classmethod
    def of(cls, seed: int) -> RehearsedFaults | None:
        """The faults of a seed; in most worlds there are none."""
        random = Random(f"the rehearsal of {seed}")
        return cls(random) if random.random() < IN_SO_MANY else None

    def put_into(self, version: Version) -> None:
        """Let a version that would be good get worse by the minute, now and then."""
        if version.is_good and self._random.random() < 0.3:
            version.leaks(self._random.choice((0.02, 0.1, 0.5)))

    def do_something(self, world: World) -> None:
        """Let the agent end, now and then."""
        if self._random.random() < 0.2:
            world.agent.end()
