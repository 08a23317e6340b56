"""Who asks, and whether that one may: every route says which permission it needs."""

from __future__ import annotations

import shlex
from http import HTTPStatus
from typing import Annotated, cast

from fastapi import Depends, Request
from starlette.concurrency import run_in_threadpool

from tidegate.api.parts import ApiParts
from tidegate.api.problems import ProblemRaised
from tidegate.model.access import Means
from tidegate.security.browser import is_same_origin, session_cookie
from tidegate.security.permission import Identity, Permission
from tidegate.security.sign_in import Session
from tidegate.security.tokens import token_hash

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
CSRF_HEADER = "X-CSRF-Token"

_SIGN_IN = "send a token (Authorization: Bearer …); the admin token is in the server's data folder, in admin-token"


def parts_of(request: Request) -> ApiParts:
    """The parts that the app was made of."""
    return cast(ApiParts, request.app.state.parts)


def identify(request: Request) -> Identity | None:
    """Who asks: by a bearer token, else by the browser's session; None for nobody.

    Raises ProblemRaised where a session's request to change something was not sent by the server's own page,
    security.attempts.TooManyAttempts where unknown tokens came from that address again and again.
    """
    parts = parts_of(request)
    token = _token_of(request)
    if token is not None:
        return _identify_by_token(parts, token, address_of(request))
    session = parts.sign_in.session(request.cookies.get(session_cookie(request.headers.get("host"))))
    if session is None:
        return None
    if request.method not in SAFE_METHODS:
        _check_own_page(request, session)
    return session.identity


def address_of(request: Request) -> str:
    """From where a request comes; a proxy on this machine says for whom it asks."""
    return request.client.host if request.client else "unknown"


def _identify_by_token(parts: ApiParts, token: str, address: str) -> Identity | None:
    if known := parts.tokens.added(token):
        return known
    limits, hashed = parts.entrance.limits, token_hash(token)
    limits.begin_token(address, hashed)
    identity = parts.tokens.find(token)
    if identity is None:
        limits.bad_token(hashed)
    else:
        limits.good_token(address, hashed)
    return identity


class Needs:
    """A dependency: whoever asks has the permission somewhere; gives the identity.

    Whether it has it for the service and the environment in question, the route asks `parts.authority`.
    """

    def __init__(self, permission: Permission) -> None:
        self.permission = permission

    async def __call__(self, request: Request) -> Identity:
        """Raises ProblemRaised with 401 or 403."""
        # other tokens, those of agents elsewhere, are looked up in the database
        known = parts_of(request).tokens.added(_token_of(request) or "")
        identity = known or await run_in_threadpool(identify, request)
        if identity is None:
            raise ProblemRaised(
                HTTPStatus.UNAUTHORIZED,
                "nobody is signed in, or the token is not known here",
                _SIGN_IN,
                {"WWW-Authenticate": "Bearer"},
            )
        if not identity.may_somewhere(self.permission):
            raise ProblemRaised(
                HTTPStatus.FORBIDDEN,
                f"{identity.actor.name} ({identity.roles}) lacks the permission {self.permission.value!r}",
                "an administrator gives roles: tidegate user grant NAME ROLE",
            )
        return identity.at(address_of(request), means_of(request))


def means_of(request: Request) -> Means:
    """What sent a request: without a token it is a browser with a session; the others say what they are."""
    if "authorization" not in request.headers:
        return Means.BROWSER
    return Means.COMMAND if request.headers.get("user-agent", "").startswith("tidegate") else Means.CLIENT


def _token_of(request: Request) -> str | None:
    """The bearer token, empty in an authorization of another kind; None where there is none."""
    authorization = request.headers.get("authorization")
    if authorization is None:
        return None
    scheme, _, token = authorization.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def check_speaks_for(identity: Identity, agent: str) -> None:
    """Raise ProblemRaised where the token is another agent's."""
    if identity.agent not in (None, agent):
        raise ProblemRaised(
            HTTPStatus.FORBIDDEN,
            f"this token is of the agent {identity.agent}, not of {agent}",
            f"start it with --name {shlex.quote(str(identity.agent))}, or make a token: "
            f"tidegate agents token {shlex.quote(agent)}",
        )


def _check_own_page(request: Request, session: Session) -> None:
    headers = request.headers
    same = is_same_origin(request.url.scheme, headers.get("host"), headers.get("origin"), headers.get("sec-fetch-site"))
    if not same or not session.accepts(headers.get(CSRF_HEADER)):
        raise ProblemRaised(
            HTTPStatus.FORBIDDEN,
            "a browser's session may change something only from this server's own pages",
            f"send Origin and {CSRF_HEADER}, or use a token instead of the cookie",
        )


async def _parts(request: Request) -> ApiParts:
    """For routes: a function that is not async would be called in a thread of its own."""
    return parts_of(request)


Parts = Annotated[ApiParts, Depends(_parts)]
Reader = Annotated[Identity, Depends(Needs(Permission.READ))]
Developer = Annotated[Identity, Depends(Needs(Permission.DEVELOP))]
Approver = Annotated[Identity, Depends(Needs(Permission.APPROVE))]
Operator = Annotated[Identity, Depends(Needs(Permission.OPERATE))]
Rehearser = Annotated[Identity, Depends(Needs(Permission.REHEARSE))]
Auditor = Annotated[Identity, Depends(Needs(Permission.AUDIT))]
Administrator = Annotated[Identity, Depends(Needs(Permission.ADMINISTER))]
Browser = Annotated[Identity, Depends(Needs(Permission.SIGN_IN))]
Agent = Annotated[Identity, Depends(Needs(Permission.PERFORM))]
Fetcher = Annotated[Identity, Depends(Needs(Permission.FETCH))]
