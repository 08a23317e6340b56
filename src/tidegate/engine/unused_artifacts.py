"""Artifacts that nothing refers to any more: they are removed, and never a moment too early."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Protocol

from tidegate.engine.parts import Parts
from tidegate.model.ids import Digest
from tidegate.model.run import MADE_IS_KEPT
from tidegate.store import cache_queries

log = logging.getLogger(__name__)

SPARED = timedelta(hours=6)
"""Bytes that were put so lately stay in any case: the result of their step may be on its way still."""


class ArtifactStore(Protocol):
    """Where the bytes are."""

    def older_than(self, moment: datetime) -> Iterator[Digest]:
        """What was last put before that moment."""

    def forget(self, digest: Digest, older_than: datetime) -> int:
        """Remove the bytes, unless they were put again since; how many were removed."""


class UnusedArtifacts:
    """Removes what belongs to no release, no kept result and no run that may still be tried again."""

    def __init__(self, parts: Parts, artifacts: ArtifactStore) -> None:
        self._parts = parts
        self._artifacts = artifacts

    def remove(self) -> int:
        """Remove them; how many bytes they were."""
        now = self._parts.clock.now()
        candidates = list(self._artifacts.older_than(now - SPARED))
        if not candidates:
            return 0
        with self._parts.database.reading() as connection:
            used = cache_queries.digests_in_use(connection, now - MADE_IS_KEPT)
        unused = [one for one in candidates if one not in used]
        removed = sum(self._artifacts.forget(one, now - SPARED) for one in unused)
        if unused:
            log.info("%d artifacts of %d bytes were removed: nothing refers to them", len(unused), removed)
        return removed
