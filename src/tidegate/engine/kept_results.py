"""What the cache of steps' results keeps, held below its limit: what was not used for longest goes first."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from sqlalchemy import Connection

from tidegate.engine.parts import Parts
from tidegate.model.step_cache import CachedResult
from tidegate.store import cache_queries, rows

log = logging.getLogger(__name__)

AT_ONCE = 100
"""Results that are given up in one transaction."""


class KeptResults:
    """Holds the results below `limit` bytes."""

    def __init__(self, parts: Parts, limit: int) -> None:
        self._parts = parts
        self._limit = limit

    def shrink(self) -> int:
        """Give up results until the rest is within the limit; how many were given up.

        Their bytes stay until nothing refers to them: see `UnusedArtifacts`.
        """
        given_up = 0
        while True:
            with self._parts.database.writing() as connection:
                chosen = tuple(self._beyond(connection))
                for one in chosen:
                    rows.drop(connection, one)
            given_up += len(chosen)
            if len(chosen) < AT_ONCE:
                break
        if given_up:
            log.info("%d results of steps were given up: the cache may have %d bytes", given_up, self._limit)
        return given_up

    def _beyond(self, connection: Connection) -> Iterator[CachedResult]:
        over = cache_queries.cached_bytes(connection) - self._limit
        for one in cache_queries.unused_longest(connection, AT_ONCE):
            if over <= 0:
                return
            over -= one.size
            yield one
