"""What a request gets that cannot be done: problem details (RFC 9457), never a traceback."""

from __future__ import annotations

import html
import logging
import secrets
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, cast
from urllib.parse import urlsplit

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from tidegate.api.fields import PATTERNS_IN_WORDS
from tidegate.artifacts.store import ArtifactCorrupt, ArtifactMissing, ArtifactNotKept
from tidegate.engine.refusal import Refusal, Refused
from tidegate.security.attempts import TooManyAttempts
from tidegate.security.password_hash import TooManyAtOnce
from tidegate.security.secret_box import WrongKey
from tidegate.store.database import StoreFull, StoreUnavailable

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
_LONGEST_INPUT = 100

_STATUS = {
    Refusal.NOT_FOUND: HTTPStatus.NOT_FOUND,
    Refusal.REFUSED: HTTPStatus.FORBIDDEN,
    Refusal.CONFLICT: HTTPStatus.CONFLICT,
    Refusal.INVALID: HTTPStatus.UNPROCESSABLE_ENTITY,
}
_OWN_WORDS: Mapping[type[Exception], HTTPStatus] = {
    ArtifactMissing: HTTPStatus.NOT_FOUND,
    ArtifactCorrupt: HTTPStatus.BAD_GATEWAY,
    ArtifactNotKept: HTTPStatus.INSUFFICIENT_STORAGE,
    StoreFull: HTTPStatus.INSUFFICIENT_STORAGE,
    StoreUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    TooManyAtOnce: HTTPStatus.SERVICE_UNAVAILABLE,
    WrongKey: HTTPStatus.INTERNAL_SERVER_ERROR,
}
"""Exceptions whose message is meant for users."""


class Problem(BaseModel):
    """Problem details; `detail` says what is wrong, `remedy` what to do next."""

    type: str
    title: str
    status: int
    detail: str
    remedy: str | None = None


class ProblemRaised(Exception):
    """An endpoint's own problem."""

    def __init__(
        self, status: HTTPStatus, detail: str, remedy: str | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.problem = describe(status, detail, remedy)
        self.headers = headers


def describe(status: int, detail: str, remedy: str | None = None) -> Problem:
    """The problem of that HTTP status."""
    title = HTTPStatus(status).phrase
    kind = title.lower().replace(" ", "-")
    return Problem(type=f"urn:tidegate:problem:{kind}", title=title, status=status, detail=detail, remedy=remedy)


def status_of(refusal: Refusal) -> HTTPStatus:
    """The HTTP status of a refusal."""
    return _STATUS[refusal]


def respond(request: Request, problem: Problem, headers: Mapping[str, str] | None = None) -> Response:
    """The problem as JSON; as a few lines of HTML for a browser that asks for a page."""
    wants_page = "text/html" in request.headers.get("accept", "") and not request.url.path.startswith("/api/")
    if wants_page:
        return HTMLResponse(_page(problem, _way_back(request)), problem.status, headers=dict(headers or {}))
    return JSONResponse(
        problem.model_dump(exclude_none=True), problem.status, headers=dict(headers or {}), media_type=MEDIA_TYPE
    )


def unexpected(request: Request, error: Exception) -> Response:
    """What nobody foresaw: the details go to the log, under an id that the user is told."""
    number = secrets.token_hex(6)
    log.error("error %s: %s %s", number, request.method, request.url.path, exc_info=error)
    detail = f"the server failed at this; its log says why under error {number}"
    return respond(request, describe(HTTPStatus.INTERNAL_SERVER_ERROR, detail))


def handle_problems(app: FastAPI) -> None:
    """Turn every exception into a problem."""
    app.add_exception_handler(Refused, _refused)
    app.add_exception_handler(ProblemRaised, _raised)
    app.add_exception_handler(TooManyAttempts, _too_often)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(ClientDisconnect, _gone)
    for known in _OWN_WORDS:
        app.add_exception_handler(known, _own_words)


async def _refused(request: Request, error: Exception) -> Response:
    refused = cast(Refused, error)
    return respond(request, describe(_STATUS[refused.kind], str(refused), refused.remedy))


async def _raised(request: Request, error: Exception) -> Response:
    raised = cast(ProblemRaised, error)
    return respond(request, raised.problem, raised.headers)


async def _too_often(request: Request, error: Exception) -> Response:
    tried = cast(TooManyAttempts, error)
    problem = describe(HTTPStatus.TOO_MANY_REQUESTS, str(tried), "wait for that long, and try again")
    return respond(request, problem, {"Retry-After": str(tried.seconds)})


async def _own_words(request: Request, error: Exception) -> Response:
    status = next(status for known, status in _OWN_WORDS.items() if isinstance(error, known))
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        log.error("%s %s: %s", request.method, request.url.path, error)
    return respond(request, describe(status, str(error)))


async def _invalid(request: Request, error: Exception) -> Response:
    errors = cast(RequestValidationError, error).errors()
    detail = "; ".join(dict.fromkeys(_in_words(one) for one in errors))
    return respond(request, describe(HTTPStatus.UNPROCESSABLE_ENTITY, detail, "see /api/v1/openapi.json"))


async def _http(request: Request, error: Exception) -> Response:
    raised = cast(HTTPException, error)
    detail = f"{request.method} {request.url.path}: {raised.detail}".lower() if not raised.detail else raised.detail
    if raised.status_code == HTTPStatus.NOT_FOUND:
        detail = f"there is nothing at {request.url.path[:200]}"
    elif raised.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        detail = f"{request.method} is not possible at {request.url.path[:200]}"
    return respond(request, describe(raised.status_code, detail), raised.headers)


async def _gone(request: Request, error: Exception) -> Response:
    return respond(request, describe(HTTPStatus.BAD_REQUEST, "the request ended before all of it was there"))


def _in_words(error: Mapping[str, Any]) -> str:
    """`body.approvals: input should be …`; what was sent is not repeated, since it may be a secret."""
    place = ".".join(str(part) for part in cast(Sequence[object], error.get("loc", ())))
    said = str(error.get("msg", "cannot be read")).removeprefix("Value error, ")  # pydantic's words before our own
    pattern = error.get("ctx", {}).get("pattern")
    if pattern in PATTERNS_IN_WORDS:
        said = f"should be {PATTERNS_IN_WORDS[pattern]}"
    return f"{place[:_LONGEST_INPUT]}: {said}"


def _way_back(request: Request) -> str:
    """The page of this server from which the browser came, else the first one."""
    came_from = urlsplit(request.headers.get("referer", ""))
    return (came_from.path or "/") if came_from.netloc == request.headers.get("host") else "/"


def _page(problem: Problem, back: str) -> str:
    remedy = f"<p>What to do: {html.escape(problem.remedy)}</p>" if problem.remedy else ""
    detail = html.escape(problem.detail[:1].upper() + problem.detail[1:])
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>{html.escape(problem.title)} – Tidegate</title><link rel="stylesheet" href="/static/tidegate.css">'
        '<header class="top"><a class="brand" href="/">Tidegate</a></header>'
        f'<main><section class="narrow"><h1>{html.escape(problem.title)}</h1>'
        f'<p class="notice bad" role="alert">{detail}</p>{remedy}'
        f'<p><a href="{html.escape(back)}">Back</a></p></section></main></html>'
    )
