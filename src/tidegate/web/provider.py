"""Signing in with an OpenID Connect provider: there, and back again."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from tidegate.engine.refusal import Refused, not_found
from tidegate.model.sign_in import BEGUN_VALID, SignInWay
from tidegate.security.browser import session_cookie
from tidegate.security.provider_problems import ProviderAway, SignInFailed
from tidegate.web.guard import Parts, address_of
from tidegate.web.parts import PageParts
from tidegate.web.sign_in import ask_to_sign_in, is_own_path, let_in, noting, own_address

if TYPE_CHECKING:  # loaded where a provider is configured
    from tidegate.engine.provider_sign_in import ProviderSignIn

log = logging.getLogger(__name__)

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

PATH = "/sign-in/oidc"
RETURN = f"{PATH}/return"


@router.get(PATH)
def leave(parts: Parts, request: Request, then: Annotated[str, Query(max_length=500)] = "/") -> Response:
    """Send the browser to the provider."""
    provider = _provider(parts)
    try:
        left = provider.begin(own_address(parts, request, RETURN), then if is_own_path(then) else "/")
    except ProviderAway as away:
        return _failed(parts, away, 503)
    answer = RedirectResponse(left.address, 303, headers={"Cache-Control": "no-store"})
    answer.set_cookie(
        _cookie(request),
        left.cookie,
        max_age=round(BEGUN_VALID.total_seconds()),
        path=PATH,
        httponly=True,
        # not strict: the provider's page sends the browser back
        samesite="lax",
        secure=request.url.scheme == "https",
    )
    return answer


@router.get(RETURN)
def come_back(parts: Parts, request: Request) -> Response:
    """Open a session for whom the provider says this is."""
    # nothing can be guessed here: what comes back must fit what this browser carries, sealed
    provider, address = _provider(parts), address_of(request)
    cookie: str | None = None
    try:
        said, returned = dict(request.query_params), request.cookies.get(_cookie(request))
        identity, then = provider.finish(said, returned, own_address(parts, request, RETURN))
        cookie = parts.sign_in.open(identity, SignInWay.PROVIDER, address)
    except ProviderAway as away:
        return _failed(parts, away, 503)
    except SignInFailed as failed:
        answer = _failed(parts, failed, 401)
        return noting(answer, parts, None, SignInWay.PROVIDER, request)
    except Refused as refused:
        return _failed(parts, Exception(f"{refused}; {refused.remedy}"), 403)
    answer = let_in(request, cookie, then, from_elsewhere=True) if cookie else ask_to_sign_in(parts, "")
    answer.delete_cookie(_cookie(request), path=PATH, httponly=True, samesite="lax")
    return answer


def _failed(parts: PageParts, error: Exception, status: int) -> Response:
    log.warning("a sign-in with the provider failed: %s", error)
    text = str(error)
    return ask_to_sign_in(parts, f"{text[:1].upper()}{text[1:]}.", status=status)


def _cookie(request: Request) -> str:
    return session_cookie(request.headers.get("host")).replace("session", "oidc")


def _provider(parts: PageParts) -> ProviderSignIn:
    if parts.entrance.provider is None:
        raise not_found("sign-in provider", "oidc", "an administrator names one in tidegate-server.yaml")
    return parts.entrance.provider
