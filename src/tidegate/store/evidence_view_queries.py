"""Who looked at which evidence."""

from __future__ import annotations

from sqlalchemy import Connection

from tidegate.model.approval import Seen
from tidegate.model.evidence_view import EvidenceView
from tidegate.store import rows


def is_known(connection: Connection, view: EvidenceView) -> bool:
    """Whether that person has looked at that before."""
    found = rows.find(connection, EvidenceView, run=view.run, actor=view.actor, what=view.what, stage=view.stage)
    return found is not None


def seen_by(connection: Connection, run: str, actor: str, stage: str) -> tuple[Seen, ...]:
    """What of a run a person has looked at, but for the evidence for other stages; the first thing first."""
    views = rows.every_equal(connection, EvidenceView, run=run, actor=actor)
    seen = sorted((one for one in views if one.stage in ("", stage)), key=lambda one: one.first_at)
    return tuple(dict.fromkeys(one.what for one in seen))
