"""The pages: services × environments, a service, a run, a log, the queue; and signing in."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, FastAPI, Form, Path, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse
from fastapi.staticfiles import StaticFiles

from tidegate.engine.refusal import not_found
from tidegate.security.browser import session_cookie
from tidegate.security.permission import Permission
from tidegate.security.sign_in import SESSION_VALID
from tidegate.store import queries
from tidegate.web import acts, live
from tidegate.web.guard import NotSignedIn, Parts, Seen, SignedOut, foreign_form, sent_by_own_page
from tidegate.web.log_view import LOG_LINES, LineView
from tidegate.web.parts import PageParts
from tidegate.web.reading import read_board, read_queue, read_run, read_service
from tidegate.web.rendering import STATIC, page

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

ServicePath = Annotated[str, Path(pattern=r"^[a-z0-9-]{1,40}$")]
IdPath = Annotated[str, Path(pattern=r"^[0-9A-Za-z-]{1,64}$")]


def add_pages(app: FastAPI, parts: PageParts) -> None:
    """Give the API's app its pages."""
    app.state.page_parts = parts
    app.state.open_pages = set[Request]()
    for one in (router, acts.router, live.router):
        app.include_router(one)
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


@router.get("/services/{name}")
def show_service(parts: Parts, session: Seen, name: ServicePath) -> HTMLResponse:
    """A service: where it runs, its runs and releases."""
    engine = parts.engine.parts
    with engine.database.reading() as connection:
        view = read_service(connection, name, engine.environments, engine.clock.now())
    return page("service.html", session, service=view)


@router.get("/runs/{run}")
def show_run(parts: Parts, session: Seen, run: IdPath) -> HTMLResponse:
    """A run, live."""
    engine = parts.engine.parts
    with engine.database.reading() as connection:
        view = read_run(connection, run.lower(), engine.clock.now())
    return page("run.html", session, run=view)


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
    if step is None:
        raise not_found("step run", step_run)
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


@router.get("/sign-in")
def sign_in(parts: Parts, request: Request, code: Annotated[str, Query(max_length=200)] = "") -> Response:
    """Open a session with a one-time code."""
    cookie = parts.sign_in.redeem(code) if code else None
    if cookie is not None:
        # a strict cookie is not sent along a redirect that began on another site
        from_elsewhere = request.headers.get("sec-fetch-site") == "cross-site"
        return _signed_in(request, cookie, page("signed_in.html", None) if from_elsewhere else _go("/"))
    if parts.sign_in.session(request.cookies.get(session_cookie(request.headers.get("host")))):
        return _go("/")
    return ask_to_sign_in("This code was used before, or is too old." if code else "")


@router.post("/sign-in")
def sign_in_with_token(
    parts: Parts,
    request: Request,
    token: Annotated[str, Form(max_length=500)] = "",
    then: Annotated[str, Form(max_length=500)] = "/",
) -> Response:
    """Open a session with a token that may look at pages."""
    if not sent_by_own_page(request):
        raise foreign_form()
    identity = parts.tokens.find(token.strip())
    if identity is None or not identity.may(Permission.SIGN_IN):
        known = "This token is not known here." if identity is None else "This token is an agent's: it opens no pages."
        return ask_to_sign_in(known, then)
    cookie = parts.sign_in.redeem(parts.sign_in.new_code(identity))
    return _signed_in(request, cookie or "", _go(then if is_own_path(then) else "/"))


@router.post("/sign-out")
def sign_out(parts: Parts, _: SignedOut, request: Request) -> Response:
    """End the session."""
    name = session_cookie(request.headers.get("host"))
    parts.sign_in.end(request.cookies.get(name))
    answer = ask_to_sign_in("You are signed out.", status=200)
    answer.delete_cookie(name, httponly=True, samesite="strict")
    return answer


def ask_to_sign_in(problem: str, then: str = "/", status: int = 401) -> Response:
    """The page that says how to sign in; `then` is where it leads."""
    return page("signed_out.html", None, status, problem=problem, then=then)


def is_own_path(then: str) -> bool:
    """Whether that is a path on this server, and not another server's address in disguise (`//…`, `/\\…`)."""
    return then.startswith("/") and not then.startswith(("//", "/\\")) and then.isprintable()


def _go(url: str) -> Response:
    return RedirectResponse(url, 303)


def _signed_in(request: Request, cookie: str, answer: Response) -> Response:
    answer.set_cookie(
        session_cookie(request.headers.get("host")),
        cookie,
        max_age=round(SESSION_VALID.total_seconds()),
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return answer


async def _say_how_to_sign_in(request: Request, error: Exception) -> Response:
    return ask_to_sign_in("", request.url.path if request.method == "GET" else "/")
