"""The pages: services × environments, a service, a run, a log, the queue, the release trains."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, FastAPI, Path, Query, Request
from fastapi.responses import HTMLResponse, Response, StreamingResponse
from fastapi.staticfiles import StaticFiles
from starlette.concurrency import run_in_threadpool

from tidegate.engine.gate_evidence import look_at_gate, note_look, stage_in_question
from tidegate.engine.refusal import not_found
from tidegate.model import approval as seen
from tidegate.security.sign_in import Session
from tidegate.store import queries
from tidegate.web import account, acts, freeze_acts, live, provider, sign_in, welcome
from tidegate.web.evidence_view import GateEvidence, gate_evidence
from tidegate.web.guard import NotSignedIn, Parts, Seen, parts_of
from tidegate.web.incident_view import incident_view
from tidegate.web.log_view import LOG_LINES, LineView
from tidegate.web.parts import PageParts
from tidegate.web.reading import read_board, read_queue, read_run, read_service, read_trains
from tidegate.web.rendering import STATIC, page
from tidegate.web.sign_in import ask_to_sign_in

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

ServicePath = Annotated[str, Path(pattern=r"^[a-z0-9-]{1,40}$")]
IdPath = Annotated[str, Path(pattern=r"^[0-9A-Za-z-]{1,64}$")]

_MODULES = (sign_in, provider, welcome, account, freeze_acts, acts, live)


def add_pages(app: FastAPI, parts: PageParts) -> None:
    """Give the API's app its pages."""
    app.state.page_parts = parts
    app.state.open_pages = set[Request]()
    for one in (router, *(module.router for module in _MODULES)):
        app.router.routes.extend(one.routes)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    app.add_exception_handler(NotSignedIn, _say_how_to_sign_in)


@router.get("/")
def show_board(parts: Parts, session: Seen) -> HTMLResponse:
    """Services × environments, and what waits for a person."""
    engine = parts.engine.parts
    with engine.database.reading() as connection:
        view = read_board(connection, engine.environments, engine.clock.now())
    return page("board.html", session, board=view)


@router.get("/queue")
def show_queue(parts: Parts, session: Seen) -> HTMLResponse:
    """What each agent performs, and what waits for which agent and why."""
    engine = parts.engine.parts
    with engine.database.reading() as connection:
        view = read_queue(connection, engine.clock.now())
    return page("queue.html", session, queue=view)


@router.get("/trains")
def show_trains(parts: Parts, session: Seen) -> HTMLResponse:
    """The release trains: what each carries, and what became of it."""
    with parts.engine.parts.database.reading() as connection:
        trains = read_trains(connection, parts.engine.parts)
    return page("trains.html", session, trains=trains)


@router.get("/services/{name}")
def show_service(parts: Parts, session: Seen, name: ServicePath) -> HTMLResponse:
    """A service: where it runs, its runs and releases."""
    engine = parts.engine.parts
    with engine.database.reading() as connection:
        view = read_service(connection, name, engine)
    return page("service.html", session, service=view)


@router.get("/incidents/{incident}")
def show_incident(parts: Parts, session: Seen, incident: IdPath) -> HTMLResponse:
    """An incident: its time line, the commits in question, the evidence."""
    engine = parts.engine.parts
    with engine.database.reading() as connection:
        story = parts.incidents.story(connection, incident)
    return page("incident.html", session, incident=incident_view(story, engine.clock.now()))


@router.get("/runs/{run}")
def show_run(parts: Parts, session: Seen, run: IdPath) -> HTMLResponse:
    """A run, live."""
    engine = parts.engine.parts
    with engine.database.reading() as connection:
        view = read_run(connection, run.lower(), engine.clock.now())
    gate = _look_at_gate(parts, session, run.lower())
    return page("run.html", session, run=view, gate=gate)


@router.get("/steps/{step_run}/log")
def show_log(
    parts: Parts,
    session: Seen,
    step_run: IdPath,
    request: Request,
    attempt: Annotated[int | None, Query(ge=1)] = None,
    first: Annotated[int, Query(ge=0)] = 0,
    find: Annotated[str, Query(max_length=200)] = "",
) -> HTMLResponse:
    """An attempt's log: a page, or the lines alone where a page asks for those that it lacks."""
    with parts.engine.parts.database.reading() as connection:
        step = queries.step(connection, step_run.lower())
        run = queries.run(connection, step.run) if step else None
    if step is None or run is None:
        raise not_found("step run", step_run)
    note_look(parts.engine.parts, run, session.identity.actor, seen.Seen.LOGS)
    wanted = attempt or step.attempt
    log = step.logged_by(wanted)
    found = parts.logs.page(log, first, LOG_LINES, find)
    lines = tuple(LineView.of(index, line) for index, line in found.lines)
    return page(
        "log_lines.html" if "hx-request" in request.headers else "log.html",
        session,
        step=step,
        run=run,
        attempt=wanted,
        lines=lines,
        first=first,
        find=find,
        next=lines[-1].number if lines else first,
        full=found.is_full,
        ended=wanted < step.attempt or step.state.is_ended,
    )


@router.get("/steps/{step_run}/log.txt", response_class=StreamingResponse)
def download_log(
    parts: Parts, session: Seen, step_run: IdPath, attempt: Annotated[int, Query(ge=1)] = 1
) -> StreamingResponse:
    """An attempt's whole log as a text file."""
    with parts.engine.parts.database.reading() as connection:
        step = queries.step(connection, step_run.lower())
    if step is None:
        raise not_found("step run", step_run)
    headers = {"Content-Disposition": f'attachment; filename="{step.id}.{attempt}.log"'}
    text = parts.logs.text(step.logged_by(attempt))
    return StreamingResponse(text, media_type="text/plain; charset=utf-8", headers=headers)


def _look_at_gate(parts: PageParts, session: Session, run_id: str) -> GateEvidence | None:
    """The evidence for the gate in question, None where there is none yet. That somebody looked is remembered."""
    engine = parts.engine.parts
    with engine.database.reading() as connection:
        run = queries.run(connection, run_id)
        stage = stage_in_question(queries.stages(connection, run_id))
    if run is None:
        return None
    note_look(engine, run, session.identity.actor, seen.Seen.RUN)
    if run.release is None or stage is None:
        return None
    note_look(engine, run, session.identity.actor, seen.Seen.EVIDENCE, stage.name)
    return gate_evidence(look_at_gate(engine, run_id, stage.name))


async def _say_how_to_sign_in(request: Request, error: Exception) -> Response:
    then = request.url.path if request.method == "GET" else "/"
    return await run_in_threadpool(ask_to_sign_in, parts_of(request), "", then)
