"""Who looks at a page, and whether a form was sent from one of ours."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, cast

from fastapi import Depends, Form, Request

from tidegate.engine.refusal import Refusal, Refused
from tidegate.model.access import Means
from tidegate.security.browser import is_same_origin, session_cookie
from tidegate.security.permission import Permission
from tidegate.security.sign_in import Session
from tidegate.web.parts import PageParts


class NotSignedIn(Exception):
    """This browser has no session."""


def parts_of(request: Request) -> PageParts:
    """The parts that the pages were made of."""
    return cast(PageParts, request.app.state.page_parts)


class Sees:
    """A dependency: the browser's session may see the page. Raises NotSignedIn or Refused."""

    def __init__(self, permission: Permission) -> None:
        self.permission = permission

    def __call__(self, request: Request) -> Session:
        """The session."""
        cookie = request.cookies.get(session_cookie(request.headers.get("host")))
        session = parts_of(request).sign_in.session(cookie)
        if session is None:
            raise NotSignedIn
        if not session.identity.may_somewhere(self.permission):
            name = session.identity.actor.name
            raise Refused(Refusal.REFUSED, f"{name} lacks the permission {self.permission.value!r}")
        address = request.client.host if request.client else "unknown"
        return replace(session, identity=session.identity.at(address, Means.BROWSER))


class Sends(Sees):
    """A dependency: the browser's session may do what the form asks, and the form is one of our pages'."""

    def __call__(self, request: Request, csrf: Annotated[str, Form(max_length=100)] = "") -> Session:
        """The session."""
        session = super().__call__(request)
        if not sent_by_own_page(request) or not session.accepts(csrf):
            raise foreign_form()
        return session


def check_own_page(request: Request) -> None:
    """Raise Refused for a form that no page of this server sent."""
    if not sent_by_own_page(request):
        raise foreign_form()


def address_of(request: Request) -> str:
    """From where a request comes; a proxy on this machine says for whom it asks."""
    return request.client.host if request.client else ""


def foreign_form() -> Refused:
    """What a form gets that did not come from one of our pages."""
    return Refused(
        Refusal.REFUSED,
        "the form was not sent from a page of this server, or the page is from an older session",
        "open the page again, and send the form from there",
    )


def sent_by_own_page(request: Request) -> bool:
    """Whether a form was sent from a page of this server."""
    headers = request.headers
    return is_same_origin(request.url.scheme, headers.get("host"), headers.get("origin"), headers.get("sec-fetch-site"))


Parts = Annotated[PageParts, Depends(parts_of)]
Seen = Annotated[Session, Depends(Sees(Permission.READ))]
Sent = Annotated[Session, Depends(Sends(Permission.DEVELOP))]
OwnForm = Annotated[Session, Depends(Sends(Permission.SIGN_IN))]
SignedOut = Annotated[Session, Depends(Sends(Permission.READ))]
