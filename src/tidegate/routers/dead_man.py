"""The seam between the engine and the dead man."""

from __future__ import annotations

from typing import Protocol

from tidegate.model.dead_man import Fallback, Note
from tidegate.model.ids import PlacementId


class DeadMan(Protocol):
    """Obeys notes while no server is there."""

    def leave(self, note: Note) -> None:
        """Put the note in place of the placement's former one; its time begins anew. Raises OSError."""

    def forget(self, placement: PlacementId) -> None:
        """Take the placement's note back, where there is one. Raises OSError."""

    def fell_back(self, placement: PlacementId) -> Fallback | None:
        """What was done at the placement, where nothing was asked of its router since. Raises OSError."""


class NobodyThere:
    """The dead man of routers that have none: shares stay as they are while no server is there."""

    def leave(self, note: Note) -> None:
        """Nobody reads it."""

    def forget(self, placement: PlacementId) -> None:
        """There is none."""

    def fell_back(self, placement: PlacementId) -> Fallback | None:
        """Nothing ever was."""
        return None
