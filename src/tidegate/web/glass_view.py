"""What pages show of gates that were opened by break-glass: loudly, until somebody else has reviewed it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from tidegate.model.break_glass import BreakGlass
from tidegate.model.ids import RunId
from tidegate.web.wording import Badge, Tone


@dataclass(frozen=True, slots=True)
class GlassMark:
    """That a run's gate was opened by break-glass; `command` records the review that is owed."""

    text: str
    tone: Tone
    command: str | None


def glass_marks(glass: Iterable[BreakGlass]) -> tuple[GlassMark, ...]:
    """The marks of a run's page, oldest first."""
    return tuple(_mark(one) for one in glass)


def glass_notes(run: RunId, owed: Collection[RunId]) -> tuple[Badge, ...]:
    """The mark beside a run in a list; `owed` are the runs of which a review is owed."""
    return (Badge("break-glass", Tone.BAD),) if run in owed else ()


def runs_of(owed: Sequence[BreakGlass]) -> frozenset[RunId]:
    """The runs whose gates were opened so."""
    return frozenset(one.run for one in owed)


def _mark(one: BreakGlass) -> GlassMark:
    said = f"{one.actor.name} broke the glass at {one.stage}: {one.reason}."
    if one.is_reviewed:
        return GlassMark(f"{said} Reviewed by {one.reviewed_by}: {one.review}", Tone.QUIET, None)
    command = f"tidegate review {one.id} --comment TEXT"
    return GlassMark(f"{said} Somebody else has to review it.", Tone.BAD, command)
