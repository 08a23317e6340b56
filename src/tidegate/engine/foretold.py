"""What a stage's rollout can show at last week's traffic, said at its gate."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from tidegate.judge.foretelling import Traffic
from tidegate.judge.outlook_wording import foretold_of
from tidegate.model.ids import PlacementId
from tidegate.model.pipeline import Stage
from tidegate.model.traffic import A_WEEK, LEAST_TO_FORETELL, Span, minutes_since_first
from tidegate.store import traffic_queries


def foretold_at(connection: Connection, placement: PlacementId, stage: Stage, now: datetime) -> tuple[str, ...]:
    """What its shares can show and what would show more; nothing where the traffic is not known."""
    hours = traffic_queries.since(connection, placement, Span.HOUR, now - A_WEEK)
    requests = sum(one.requests for one in hours)
    if requests < LEAST_TO_FORETELL:
        return ()
    minutes = minutes_since_first(hours, now, traffic_queries.first_minute(connection, hours[0]))
    errors = sum(one.errors for one in hours)
    # rounded as it is said, so that the judge is not asked anew with every request
    return tuple(foretold_of(stage, Traffic(_rounded(requests / minutes), _rounded(errors / requests))))


def _rounded(figure: float) -> float:
    return float(f"{figure:.2g}")
