"""What monitoring asks, without a token: no names are told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from http import HTTPStatus

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse

from tidegate.api.parts import ApiParts
from tidegate.api.problems import ProblemRaised
from tidegate.api.routing import name_of
from tidegate.api.security import Parts
from tidegate.model.step_run import StepState
from tidegate.store import count_queries, events

router = APIRouter(tags=["probes"], generate_unique_id_function=name_of)

_STEP_STATES = (StepState.READY, StepState.RUNNING)


@router.get("/healthz", response_class=PlainTextResponse)
def healthz() -> str:
    """The server answers."""
    return "ok\n"


@router.get("/readyz", response_class=PlainTextResponse)
def readyz(parts: Parts) -> str:
    """The engine runs; 503 until it does."""
    if not parts.ready.is_set():
        raise ProblemRaised(HTTPStatus.SERVICE_UNAVAILABLE, "the engine does not run yet", "ask again in a moment")
    return "ready\n"


@router.get("/metrics", response_class=PlainTextResponse)
def metrics(parts: Parts) -> PlainTextResponse:
    """Figures in Prometheus's text format (https://prometheus.io/docs/instrumenting/exposition_formats/)."""
    return PlainTextResponse("".join(_lines(parts)), media_type="text/plain; version=0.0.4")


def _lines(parts: ApiParts) -> Iterator[str]:
    with parts.engine.parts.database.reading() as connection:
        runs = count_queries.runs_by_status(connection)
        steps = count_queries.steps_by_state(connection, _STEP_STATES)
        stuck = count_queries.stuck_placements(connection)
        last = events.last_id(connection)
    yield from _gauge("tidegate_ready", "Whether the engine runs", {"": int(parts.ready.is_set())})
    yield from _gauge("tidegate_runs", "Runs, by status", {f'{{status="{one}"}}': runs[one] for one in runs})
    yield from _gauge("tidegate_steps", "Open steps, by state", {f'{{state="{one}"}}': steps[one] for one in steps})
    yield from _gauge("tidegate_placements_stuck", "Placements that are not as they should be", {"": stuck})
    yield from _gauge("tidegate_last_event_id", "The id of the newest event", {"": last})


def _gauge(name: str, text: str, values: Mapping[str, int]) -> Iterator[str]:
    yield f"# HELP {name} {text}\n# TYPE {name} gauge\n"
    yield from (f"{name}{labels} {value}\n" for labels, value in values.items())
