"""Signing in and out."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.background import BackgroundTask

from tidegate.model.sign_in import SESSION_LIMIT, SignInWay
from tidegate.security.browser import session_cookie
from tidegate.security.permission import Permission
from tidegate.web.guard import Parts, SignedOut, address_of, check_own_page
from tidegate.web.parts import PageParts
from tidegate.web.rendering import page

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

_WRONG = "The name or the password is wrong."
_VOID = "This code was used before, or is too old."

PasswordField = Annotated[str, Form(max_length=1000)]
ThenField = Annotated[str, Form(max_length=500)]


@router.get("/sign-in")
def sign_in(
    parts: Parts,
    request: Request,
    code: Annotated[str, Query(max_length=200)] = "",
    then: Annotated[str, Query(max_length=500)] = "/",
) -> Response:
    """Open a session with a one-time code, else say how to sign in."""
    if code:
        address, limits = address_of(request), parts.entrance.limits
        limits.begin(address)
        cookie = parts.sign_in.redeem(code, address)
        if cookie is not None:
            limits.succeeded(address)
            return let_in(request, cookie)
    if parts.sign_in.session(request.cookies.get(session_cookie(request.headers.get("host")))):
        return _go("/")
    answer = ask_to_sign_in(parts, _VOID if code else "", then)
    return noting(answer, parts, None, SignInWay.CODE, request) if code else answer


@router.post("/sign-in")
def sign_in_with_token(
    parts: Parts, request: Request, token: Annotated[str, Form(max_length=500)] = "", then: ThenField = "/"
) -> Response:
    """Open a session with a token that may look at pages."""
    check_own_page(request)
    address, limits = address_of(request), parts.entrance.limits
    limits.begin(address)
    identity = parts.tokens.find(token.strip())
    if identity is None:
        answer = ask_to_sign_in(parts, "This token is not known here.", then)
        return noting(answer, parts, None, SignInWay.TOKEN, request)
    limits.succeeded(address)
    may = identity.may(Permission.SIGN_IN)
    cookie = parts.sign_in.open(identity, SignInWay.TOKEN, address) if may else None
    if cookie is None:
        whose = "an agent's" if identity.is_agent else "a service account's"
        return ask_to_sign_in(parts, f"This token is {whose}: it opens no pages.", then)
    return let_in(request, cookie, then)


@router.post("/sign-in/password")
def sign_in_with_password(
    parts: Parts,
    request: Request,
    name: Annotated[str, Form(max_length=200)] = "",
    password: PasswordField = "",
    then: ThenField = "/",
) -> Response:
    """Open a session with a name and a password; the answer does not tell which of them is wrong."""
    check_own_page(request)
    account, address, entrance = name.strip().lower(), address_of(request), parts.entrance
    entrance.limits.begin(address, account)
    identity = parts.people.identity_for(account) if entrance.passwords.fits(account, password) else None
    cookie = parts.sign_in.open(identity, SignInWay.PASSWORD, address) if identity else None
    if cookie is None:
        answer = ask_to_sign_in(parts, _WRONG, then, name=name)
        return noting(answer, parts, account, SignInWay.PASSWORD, request)
    entrance.limits.succeeded(address, account)
    return let_in(request, cookie, then)


@router.post("/sign-out")
def sign_out(parts: Parts, _: SignedOut, request: Request) -> Response:
    """End the session."""
    name = session_cookie(request.headers.get("host"))
    parts.sign_in.end(request.cookies.get(name))
    provider = parts.entrance.provider
    elsewhere = provider.sign_out_address(own_address(parts, request, "/sign-in")) if provider else None
    answer = ask_to_sign_in(parts, "You are signed out.", status=200, elsewhere=elsewhere)
    answer.delete_cookie(name, httponly=True, samesite="strict")
    return answer


def ask_to_sign_in(
    parts: PageParts,
    problem: str,
    then: str = "/",
    status: int = 401,
    name: str = "",
    elsewhere: str | None = None,
) -> Response:
    """The page that says how to sign in; `then` is where it leads, `elsewhere` where one signs out of the provider."""
    provider = parts.entrance.provider
    return page(
        "signed_out.html",
        None,
        status,
        problem=problem,
        then=then,
        name=name,
        passwords=parts.entrance.passwords.are_used(),
        provider=provider.label if provider else None,
        elsewhere=elsewhere,
    )


def own_address(parts: PageParts, request: Request, path: str) -> str:
    """The address of a path as browsers reach it."""
    return f"{parts.entrance.address or str(request.base_url).rstrip('/')}{path}"


def let_in(request: Request, cookie: str, then: str = "/", *, from_elsewhere: bool = False) -> Response:
    """The answer that gives the browser its session, and leads on."""
    url = then if is_own_path(then) else "/"
    # a strict cookie is not sent along a redirect that began on another site
    from_elsewhere = from_elsewhere or request.headers.get("sec-fetch-site") == "cross-site"
    answer = page("signed_in.html", None, then=url) if from_elsewhere else _go(url)
    answer.set_cookie(
        session_cookie(request.headers.get("host")),
        cookie,
        max_age=round(SESSION_LIMIT.total_seconds()),
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return answer


def is_own_path(then: str) -> bool:
    """Whether that is a path on this server, and not another server's address in disguise (`//…`, `/\\…`)."""
    return then.startswith("/") and not then.startswith(("//", "/\\")) and then.isprintable()


def noting(answer: Response, parts: PageParts, name: str | None, way: SignInWay, request: Request) -> Response:
    """The answer, and once it is sent, the record of the failure: writing takes time that would tell something."""
    answer.background = BackgroundTask(parts.entrance.failures.note, name, way, address_of(request))
    return answer


def _go(url: str) -> Response:
    return RedirectResponse(url, 303)
