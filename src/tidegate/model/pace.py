"""What a gate sees of a service's pace: its cadence, its batch, its train, and what it needs of other services."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tidegate.model.cadence import Batch, Cadence, CadenceKind, Collected
from tidegate.model.ids import ServiceName
from tidegate.model.requires import Serving
from tidegate.model.train import TrainSign


@dataclass(frozen=True, slots=True)
class Pace:
    """`cadence` and `batch` only where the gate leads to the first protected environment; `others` are the services
    that are required. `asked_by` is the person who asked for exactly this release there."""

    cadence: Cadence = Cadence()
    batch: Batch | None = None
    collected: Collected = Collected()
    others: Mapping[ServiceName, Serving] = field(default_factory=dict)
    train: TrainSign | None = None
    asked_by: str | None = None
    serves: bool = False
    """Whether the release serves there already, so that nothing moves by the gate's opening."""

    @property
    def limits(self) -> bool:
        """Whether releases wait for their time here."""
        return self.cadence.kind is not CadenceKind.CONTINUOUS or self.batch is not None or self.train is not None

    @property
    def is_aboard(self) -> bool:
        """Whether a train has left with this release."""
        return self.train is not None and self.train.is_aboard
