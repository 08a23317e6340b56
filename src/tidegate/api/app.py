"""The HTTP API, as one app."""

from __future__ import annotations

from anyio import CapacityLimiter
from fastapi import FastAPI, Request

from tidegate.api import (
    agent_acts,
    agents,
    alert_hook,
    artifacts,
    audit,
    authorship,
    drills,
    events,
    evidence,
    freezes,
    gate_hook,
    gates,
    git,
    incidents,
    notifications,
    people,
    placements,
    probes,
    questions,
    recordings,
    rehearsals,
    releases,
    runs,
    services,
    sign_in,
    sign_in_codes,
    steps,
    tests,
    trains,
)
from tidegate.api.edge import Edge
from tidegate.api.idempotency import KnownAnswers
from tidegate.api.parts import ApiParts
from tidegate.api.problems import handle_problems
from tidegate.api.routing import API, name_of
from tidegate.integrations.upload_pack import Transfers

__all__ = ["ApiParts", "create_app"]

_ABOUT = """Errors are problem details (RFC 9457). Times are ISO 8601 in UTC. Writes honour `Idempotency-Key`: the same
key and body again gives the first answer; answers are kept in memory for a day, so a restart forgets them."""


def create_app(parts: ApiParts) -> FastAPI:
    """The API over these parts; pages are added to it by `web.pages.add_pages`."""
    app = FastAPI(
        title="Tidegate",
        version="1",
        description=_ABOUT,
        openapi_url=f"{API}/openapi.json",
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=name_of,
    )
    app.state.parts = parts
    app.state.known_answers = KnownAnswers()
    app.state.listeners = set[Request]()
    app.state.transfers = CapacityLimiter(artifacts.AT_ONCE)
    app.state.git_transfers = Transfers()
    # a route is looked for in this order, and agents ask most often
    of_runs = (runs, questions, evidence, freezes, releases, trains, steps, tests, events, audit, recordings)
    things = (services, placements, *of_runs, incidents, drills, rehearsals)
    about_people = (people, authorship, sign_in, sign_in_codes)
    nouns = (agents, *things, *about_people, gates, notifications, agent_acts, git, artifacts)
    routers = (
        *(noun.router for noun in nouns),
        agent_acts.tokens,
        people.tokens,
        probes.router,
        gate_hook.router,
        alert_hook.router,
    )
    for one in routers:
        app.router.routes.extend(one.routes)
    handle_problems(app)
    app.add_middleware(Edge, hosts=parts.hosts)
    return app
