"""A run of a simulated service, and how it stands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tidegate.model.ids import RunId
from tidegate.model.rollout import Rollout, RolloutState
from tidegate.model.run import Run, RunStatus, StageRun, StageState
from tidegate.store import queries

if TYPE_CHECKING:  # which has runs
    from tidegate.sim.shop import SimulatedService


@dataclass(frozen=True, slots=True)
class SimulatedRun:
    """A run of the service, asked for afresh each time."""

    service: SimulatedService
    id: RunId

    @property
    def row(self) -> Run:
        """How it is recorded."""
        with self.service.world.database.reading() as connection:
            found = queries.run(connection, self.id)
        assert found is not None
        return found

    @property
    def outcome(self) -> RunStatus:
        """How it stands."""
        return self.row.status

    def decided(self) -> bool:
        """Whether it has ended."""
        return self.row.status.is_ended

    def stage(self, name: str) -> StageRun:
        """How one of its stages stands."""
        with self.service.world.database.reading() as connection:
            return next(one for one in queries.stages(connection, self.id) if one.name == name)

    def waits_at(self, name: str) -> Callable[[], bool]:
        """Whether it waits at a stage's gate, or has ended."""
        return lambda: self.stage(name).state is StageState.GATE or self.decided()

    def rollout(self, stage: str = "production") -> Rollout | None:
        """The rollout of a stage."""
        wanted = self.stage(stage).rollout
        with self.service.world.database.reading() as connection:
            return queries.rollout(connection, wanted)

    def rollout_under_way(self) -> Rollout | None:
        """Its rollout that has a placement now, in whatever stage."""
        with self.service.world.database.reading() as connection:
            rollouts = queries.rollouts_of_run(connection, self.id)
        return next((one for one in rollouts if one.state.owns_placement), None)

    def rollout_is(self, *states: RolloutState, step: int | None = None) -> Callable[[], bool]:
        """Whether its rollout to production is in one of these states (at a step), or the run has ended."""

        def so() -> bool:
            rollout = self.rollout()
            here = rollout is not None and rollout.state in states and step in (None, rollout.step)
            return here or self.decided()

        return so
