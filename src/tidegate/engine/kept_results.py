"""What the cache of steps' results keeps, held below its limit: what was not used for longest goes first."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

from sqlalchemy import Connection

from tidegate.engine.parts import Parts
from tidegate.model.ids import Digest
from tidegate.model.step_cache import CachedResult
from tidegate.store import queries, rows

log = logging.getLogger(__name__)

AT_ONCE = 100
"""Results that are given up in one transaction."""


class KeptResults:
    """Holds the results below `limit` bytes. `forget` removes the bytes of an artifact, which may be gone already."""

    def __init__(self, parts: Parts, limit: int, forget: Callable[[Digest], None]) -> None:
        self._parts = parts
        self._limit = limit
        self._forget = forget

    def shrink(self) -> int:
        """Give up results until the rest is within the limit; how many were given up.

        Rows go first and bytes afterwards: a crash in between leaves bytes that nobody asks for, never a row whose
        bytes are gone.
        """
        given_up = 0
        while True:
            with self._parts.database.writing() as connection:
                chosen = tuple(self._beyond(connection))
                for one in chosen:
                    rows.drop(connection, one)
                unused = [digest for digest in _archives(chosen) if not queries.archive_is_used(connection, digest)]
            for digest in unused:
                self._forget(digest)
            given_up += len(chosen)
            if len(chosen) < AT_ONCE:
                break
        if given_up:
            log.info("%d results of steps were given up: the cache may have %d bytes", given_up, self._limit)
        return given_up

    def _beyond(self, connection: Connection) -> Iterator[CachedResult]:
        over = queries.cached_bytes(connection) - self._limit
        for one in queries.cached_results_unused_longest(connection, AT_ONCE):
            if over <= 0:
                return
            over -= one.size
            yield one


def _archives(results: tuple[CachedResult, ...]) -> set[Digest]:
    return {one.report.outputs.digest for one in results if one.report.outputs}
