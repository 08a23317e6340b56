"""One's own account: its password, and the browsers that are signed in to it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, Response

from tidegate.engine.refusal import Refused
from tidegate.model.sign_in import SignInWay
from tidegate.security.sign_in import Session
from tidegate.web.guard import OwnForm, Parts, Seen, address_of
from tidegate.web.parts import PageParts
from tidegate.web.rendering import page
from tidegate.web.sign_in import PasswordField, ask_to_sign_in, let_in

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


@router.get("/account")
def show_account(parts: Parts, session: Seen) -> Response:
    """Who one is here."""
    return _page(parts, session)


@router.post("/account/password")
def change_password(
    parts: Parts,
    session: OwnForm,
    request: Request,
    old: PasswordField = "",
    password: PasswordField = "",
    again: Annotated[str, Form(max_length=1000)] = "",
) -> Response:
    """Change one's password: all browsers but this one are signed out."""
    account, address, entrance = session.identity.account, address_of(request), parts.entrance
    if account is None:
        return _page(parts, session, "The server's owner has no password; make an account: tidegate admin-link")
    if password != again:
        return _page(parts, session, "The two passwords are not the same.")
    entrance.limits.begin(address, account)
    try:
        entrance.passwords.change(account, old, password, session.identity.actor)
    except Refused as refused:
        return _page(parts, session, f"{str(refused)[:1].upper()}{str(refused)[1:]}; {refused.remedy}.")
    entrance.limits.succeeded(address, account)
    cookie = parts.sign_in.open(session.identity, SignInWay.PASSWORD, address)
    return let_in(request, cookie, "/account") if cookie else ask_to_sign_in(parts, "")


@router.post("/account/sign-out-everywhere")
def sign_out_everywhere(parts: Parts, session: OwnForm) -> Response:
    """End all sessions of one's account."""
    parts.entrance.sessions.end_all(session.identity.account, session.identity.actor)
    return ask_to_sign_in(parts, "All your browsers are signed out.", status=200)


def _page(parts: PageParts, session: Session, problem: str = "") -> Response:
    account = session.identity.account
    return page(
        "account.html",
        session,
        422 if problem else 200,
        account=account,
        roles=session.identity.roles,
        has_password=account is not None and parts.entrance.passwords.has(account),
        sessions=parts.entrance.sessions.of(account),
        problem=problem,
    )
