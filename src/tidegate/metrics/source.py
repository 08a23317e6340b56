"""The seam between the engine and where figures come from."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Protocol

from tidegate.model.figures import Counters
from tidegate.model.ids import DeploymentId, PlacementId


class SourceFailed(Exception):
    """The source did not answer; the message says what was asked and what happened. It is never a zero.

    `is_away` says that whatever else it is asked would fail as well.
    """

    def __init__(self, message: str, *, is_away: bool = False) -> None:
        super().__init__(message)
        self.is_away = is_away


class MetricsSource(Protocol):
    """Counts what deployments did."""

    def counters(
        self, placement: PlacementId, deployments: Collection[DeploymentId]
    ) -> Mapping[DeploymentId, Counters]:
        """Cumulative counters of each deployment that the source knows; one that it does not know is left out.

        Raises SourceFailed.
        """
