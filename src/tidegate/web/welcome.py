"""One-time links: the first administrator makes an account, and others choose their password."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse, Response

from tidegate.engine.one_time_links import void_link
from tidegate.engine.refusal import Refusal, Refused
from tidegate.model.sign_in import LinkPurpose, OneTimeLink, SignInWay
from tidegate.web.guard import Parts, address_of, check_own_page
from tidegate.web.parts import PageParts
from tidegate.web.rendering import page
from tidegate.web.sign_in import PasswordField, ask_to_sign_in, let_in

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


@router.get("/welcome")
def welcome(parts: Parts, request: Request, code: Annotated[str, Query(max_length=200)] = "") -> Response:
    """What the link is for."""
    link = _find(parts, request, code)
    return _ask(link, code) if link else _void(parts)


@router.post("/welcome")
def choose(
    parts: Parts,
    request: Request,
    code: Annotated[str, Form(max_length=200)] = "",
    name: Annotated[str, Form(max_length=200)] = "",
    full_name: Annotated[str, Form(max_length=200)] = "",
    password: PasswordField = "",
    again: PasswordField = "",
) -> Response:
    """Use the link: make the account, or set its password, and sign in."""
    check_own_page(request)
    link = _find(parts, request, code)
    if link is None:
        return _void(parts)
    links, wanted = parts.entrance.links, name.strip().lower()
    try:
        if password != again:
            raise Refused(Refusal.INVALID, "the two passwords are not the same", "type them again")
        if link.purpose is LinkPurpose.FIRST_ADMIN:
            account = links.make_first_admin(code, wanted, full_name, password)
        else:
            account = links.choose_password(code, password)
    except Refused as refused:
        return _ask(link, code, refused, name, full_name)
    identity = parts.people.identity_for(account.name)
    cookie = parts.sign_in.open(identity, SignInWay.LINK, address_of(request)) if identity else None
    return let_in(request, cookie) if cookie else _void(parts)


def _find(parts: PageParts, request: Request, code: str) -> OneTimeLink | None:
    """The link, unless it is void; codes are not to be guessed."""
    address, limits = address_of(request), parts.entrance.limits
    limits.begin(address)
    link = parts.entrance.links.find(code)
    if link is not None:
        limits.succeeded(address)
    return link


def _ask(link: OneTimeLink, code: str, refused: Refused | None = None, name: str = "", full_name: str = "") -> Response:
    problem = f"{str(refused)[:1].upper()}{str(refused)[1:]}: {refused.remedy}." if refused else ""
    return page(
        "welcome.html",
        None,
        422 if refused else 200,
        account=link.account,
        code=code,
        problem=problem,
        name=name,
        full_name=full_name,
    )


def _void(parts: PageParts) -> Response:
    refused = void_link()
    return ask_to_sign_in(parts, f"{str(refused).capitalize()}; {refused.remedy}.")
