"""Releases."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from tidegate.api.fields import NAME, IdentifierPath
from tidegate.api.release_answers import ReleaseAnswer, ReleaseDetail, release_answer, release_detail
from tidegate.api.routing import noun_router
from tidegate.api.security import Parts, Reader
from tidegate.engine.refusal import not_found
from tidegate.model.usage import last_seen
from tidegate.store import cadence_queries, placement_queries, queries

router = noun_router("releases", prefix="/releases")


@router.get("")
def list_releases(
    parts: Parts,
    _: Reader,
    service: Annotated[str, Query(pattern=NAME)],
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> list[ReleaseAnswer]:
    """A service's releases, the newest first."""
    with parts.engine.parts.database.reading() as connection:
        if queries.service(connection, service) is None:
            raise not_found("service", service, "tidegate service list")
        return [release_answer(one) for one in queries.releases(connection, service, limit)]


@router.get("/{release}")
def show_release(parts: Parts, _: Reader, release: IdentifierPath) -> ReleaseDetail:
    """A release, and what it was in each environment."""
    with parts.engine.parts.database.reading() as connection:
        found = queries.release(connection, release.lower())
        if found is None:
            raise not_found("release", release, "tidegate release list")
        deployments = placement_queries.deployments_of_release(connection, found.id)
        steps = queries.steps(connection, found.run)
        usage = last_seen(placement_queries.rollouts_to(connection, deployments))
        return release_detail(found, steps, deployments, cadence_queries.brought_by(connection, found), usage)
