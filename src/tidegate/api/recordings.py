"""What verification saw, in the form that `tidegate judge` reads."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from tidegate.api.fields import IdentifierPath
from tidegate.api.problems import ProblemRaised
from tidegate.api.routing import noun_router
from tidegate.api.security import Parts, Reader
from tidegate.engine.recordings import recording_of
from tidegate.engine.refusal import not_found
from tidegate.model.rollout_recording import as_document
from tidegate.store import queries

router = noun_router("recordings")


@router.get("/rollouts/{rollout}/recording")
def show_recording(parts: Parts, _: Reader, rollout: IdentifierPath) -> dict[str, Any]:
    """All figures of a rollout: a judge file, which its own JSON Schema describes."""
    with parts.engine.parts.database.reading() as connection:
        found = queries.rollout(connection, rollout)
        if found is None:
            raise not_found("rollout", rollout)
        recording = recording_of(connection, found)
    if recording is None:
        raise ProblemRaised(
            HTTPStatus.CONFLICT, "nothing was measured of this rollout", "it has figures once it is verified"
        )
    return as_document(recording)
