"""How people sign in: passwords, one-time links, and the sessions of browsers."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

from fastapi import Request
from pydantic import SecretStr, StringConstraints

from tidegate.api.answers import Answer
from tidegate.api.fields import Body
from tidegate.api.parts import ApiParts
from tidegate.api.people import NamePath
from tidegate.api.routing import noun_router
from tidegate.api.security import Administrator, Browser, Parts, address_of
from tidegate.engine.one_time_links import NewLink
from tidegate.engine.refusal import not_found
from tidegate.model.sign_in import SignInWay
from tidegate.security.permission import Identity, Permission

if TYPE_CHECKING:  # loaded where a provider is configured
    from tidegate.engine.provider_accounts import ProviderAccounts

router = noun_router("sign-in")
"""No act's answer is kept for whoever asks again: a link is shown once."""

PasswordField = Annotated[SecretStr, StringConstraints(max_length=1000)]


class PasswordRequest(Body):
    """A password; `old` is needed for one's own."""

    password: PasswordField
    old: PasswordField | None = None


class PasswordAnswer(Answer):
    """Whose password was set."""

    account: str


class LinkAnswer(Answer):
    """A link that was just made; `address` is shown this once, and good once. `account` is None for the first
    administrator's, who chooses the name."""

    account: str | None
    address: str
    expires_at: datetime


class BindRequest(Body):
    """A person, by the identifier that the provider gave: the `sub` of its tokens."""

    subject: Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]{1,255}$")]


class ProviderAccountAnswer(Answer):
    """Whose an account is at the provider."""

    account: str
    issuer: str
    subject: str
    bound_by: str
    bound_at: datetime


class SessionAnswer(Answer):
    """A signed-in browser: how and from where it signed in, and when it was last seen."""

    id: str
    way: SignInWay
    address: str
    made_at: datetime
    seen_at: datetime
    expires_at: datetime


class EndedAnswer(Answer):
    """How many browsers were signed out."""

    ended: int


@router.put("/accounts/{name}/password")
def set_password(parts: Parts, who: Browser, request: Request, name: NamePath, body: PasswordRequest) -> PasswordAnswer:
    """Change one's own password, with the old one; an administrator sets those of others. Browsers are signed out."""
    entrance, new = parts.entrance, body.password.get_secret_value()
    if name != who.account:
        parts.authority.check(who, Permission.ADMINISTER)
        entrance.passwords.set(name, new, who.actor)
    else:
        address, old = address_of(request), body.old.get_secret_value() if body.old else ""
        entrance.limits.begin(address, name)
        entrance.passwords.change(name, old, new, who.actor)
        entrance.limits.succeeded(address, name)
    parts.events.wake()
    return PasswordAnswer(account=name)


@router.post("/accounts/{name}/password-link", status_code=201)
def make_password_link(parts: Parts, who: Administrator, request: Request, name: NamePath) -> LinkAnswer:
    """Make a link with which the account's owner chooses a password; earlier ones are void."""
    parts.authority.check(who, Permission.ADMINISTER)
    return _shown(parts, request, parts.entrance.links.for_password(name, who.actor))


@router.post("/first-admin-link", status_code=201)
def make_first_admin_link(parts: Parts, who: Administrator, request: Request) -> LinkAnswer:
    """Make a link with which somebody makes the first administrator's account; refused where there is one."""
    parts.authority.check(who, Permission.ADMINISTER)
    return _shown(parts, request, parts.entrance.links.for_first_admin(who.actor))


@router.put("/accounts/{name}/provider")
def bind_account(parts: Parts, who: Administrator, name: NamePath, body: BindRequest) -> ProviderAccountAnswer:
    """Let an account be a certain person's at the sign-in provider; its browsers are signed out."""
    parts.authority.check(who, Permission.ADMINISTER)
    bound = _provider_accounts(parts).bind(name, body.subject, who.actor)
    parts.events.wake()
    return ProviderAccountAnswer.model_validate(bound)


@router.delete("/accounts/{name}/provider", status_code=204)
def unbind_account(parts: Parts, who: Administrator, name: NamePath) -> None:
    """Let nobody at the sign-in provider sign in to the account any more; its browsers are signed out."""
    parts.authority.check(who, Permission.ADMINISTER)
    _provider_accounts(parts).unbind(name, who.actor)
    parts.events.wake()


@router.get("/me/sessions")
def list_own_sessions(parts: Parts, who: Browser) -> list[SessionAnswer]:
    """The browsers that are signed in as who asks."""
    return _sessions(parts, who.account)


@router.delete("/me/sessions")
def end_own_sessions(parts: Parts, who: Browser) -> EndedAnswer:
    """Sign all browsers of who asks out."""
    return _end(parts, who, who.account)


@router.get("/accounts/{name}/sessions")
def list_sessions(parts: Parts, who: Browser, name: NamePath) -> list[SessionAnswer]:
    """The browsers that are signed in to one's own account; an administrator sees those of others."""
    _check_own(parts, who, name)
    return _sessions(parts, name)


@router.delete("/accounts/{name}/sessions")
def end_sessions(parts: Parts, who: Browser, name: NamePath) -> EndedAnswer:
    """Sign all browsers of one's own account out; an administrator does so for others."""
    _check_own(parts, who, name)
    return _end(parts, who, name)


def _provider_accounts(parts: ApiParts) -> ProviderAccounts:
    if parts.entrance.provider is None:
        raise not_found("sign-in provider", "oidc", "name one in tidegate-server.yaml, and start the server again")
    return parts.entrance.provider.accounts


def _check_own(parts: ApiParts, who: Identity, name: str) -> None:
    if name != who.account:
        parts.authority.check(who, Permission.ADMINISTER)


def _shown(parts: ApiParts, request: Request, made: NewLink) -> LinkAnswer:
    parts.events.wake()
    base = parts.entrance.address or str(request.base_url).rstrip("/")
    address = f"{base}/welcome?code={made.code}"
    return LinkAnswer(account=made.link.account, address=address, expires_at=made.link.expires_at)


def _sessions(parts: ApiParts, account: str | None) -> list[SessionAnswer]:
    return [SessionAnswer.model_validate(one) for one in parts.entrance.sessions.of(account)]


def _end(parts: ApiParts, who: Identity, account: str | None) -> EndedAnswer:
    ended = parts.entrance.sessions.end_all(account, who.actor)
    parts.events.wake()
    return EndedAnswer(ended=ended)
