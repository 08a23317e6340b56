"""People: accounts, teams, the roles that they hold, and tokens."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

from fastapi import Path
from pydantic import Field, StringConstraints

from tidegate.api.answers import Answer
from tidegate.api.fields import ACCOUNT, Body, IdentifierPath, Name, TextField
from tidegate.api.idempotency import ActRoute
from tidegate.api.parts import ApiParts
from tidegate.api.routing import noun_router
from tidegate.api.security import Administrator, Browser, Parts, Reader
from tidegate.engine.refusal import not_found
from tidegate.model.people import Account, AccountKind, Held, HolderKind, Role, RoleGrant, Team
from tidegate.security.permission import Identity, Permission
from tidegate.store import people_queries
from tidegate.store.people_queries import Directory

router = noun_router("people", route_class=ActRoute)
tokens = noun_router("people")
"""Apart from the acts, whose answers are kept for whoever asks again: a token is not."""

NamePath = Annotated[str, Path(pattern=ACCOUNT)]
AccountField = Annotated[str, StringConstraints(pattern=ACCOUNT)]


class AddAccountRequest(Body):
    """A person, or a service account."""

    name: AccountField
    kind: AccountKind = AccountKind.PERSON
    full_name: TextField = ""


class DisableRequest(Body):
    """Why an account is to do nothing any more."""

    reason: TextField = ""


class MembersRequest(Body):
    """All that are to be in a team."""

    members: Annotated[list[AccountField], Field(max_length=1000)]


class GrantRequest(Body):
    """A role, and where it counts: everywhere, where neither is named."""

    role: Role
    service: Name | None = None
    environment: Name | None = None


class TokenRequest(Body):
    """A token of an account, one's own where none is named; `role` is the most that it is to be good for."""

    name: Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]{1,100}$")]
    account: AccountField | None = None
    valid_days: Annotated[int, Field(ge=1, le=366)] = 90
    role: Role | None = None


class GrantAnswer(Answer):
    """A role that an account or a team was given."""

    id: str
    holder_kind: HolderKind
    holder: str
    role: Role
    service: str | None
    environment: str | None
    given_by: str
    given_at: datetime


class HeldAnswer(Answer):
    """A role that somebody holds, and where it counts."""

    role: Role
    service: str | None
    environment: str | None


class AccountAnswer(Answer):
    """An account, its teams, what it was given itself, and all that it holds."""

    name: str
    kind: AccountKind
    full_name: str
    added_at: datetime
    disabled_because: str | None
    teams: list[str]
    grants: list[GrantAnswer]
    held: list[HeldAnswer]


class TeamAnswer(Answer):
    """A team and what it was given."""

    name: str
    members: list[str]
    grants: list[GrantAnswer]


class AccessTokenAnswer(Answer):
    """A token, without its text, which nobody has but who made it."""

    id: str
    account: str
    name: str
    role: Role | None
    made_by: str
    made_at: datetime
    expires_at: datetime
    used_at: datetime | None
    revoked_at: datetime | None


class NewTokenAnswer(Answer):
    """A token that was just made; `text` is shown this once."""

    token: AccessTokenAnswer
    text: str


class WhoAnswer(Answer):
    """Who asks."""

    name: str
    account: str | None
    held: list[HeldAnswer]


@router.get("/me")
def who_am_i(who: Reader) -> WhoAnswer:
    """Who asks, and what that one may do."""
    return WhoAnswer(name=who.actor.name, account=who.account, held=_held(who.held))


@router.get("/accounts")
def list_accounts(parts: Parts, _: Reader) -> list[AccountAnswer]:
    """All accounts, by name."""
    found = _directory(parts)
    return [_account(found, one) for one in found.accounts]


@router.post("/accounts", status_code=201)
def add_account(parts: Parts, who: Administrator, body: AddAccountRequest) -> AccountAnswer:
    """Make an account: it may read, until it is given a role."""
    parts.authority.check(who, Permission.ADMINISTER)
    parts.people.add(body.name, body.kind, body.full_name, who.actor)
    return _shown(parts, body.name)


@router.get("/accounts/{name}")
def show_account(parts: Parts, _: Reader, name: NamePath) -> AccountAnswer:
    """An account and what it may do."""
    return _shown(parts, name)


@router.post("/accounts/{name}/disable")
def disable_account(parts: Parts, who: Administrator, name: NamePath, body: DisableRequest) -> AccountAnswer:
    """Let an account do nothing any more, at once."""
    parts.authority.check(who, Permission.ADMINISTER)
    parts.people.disable(name, body.reason, who.actor)
    return _shown(parts, name)


@router.post("/accounts/{name}/enable")
def enable_account(parts: Parts, who: Administrator, name: NamePath) -> AccountAnswer:
    """Let a disabled account do again what its roles allow."""
    parts.authority.check(who, Permission.ADMINISTER)
    parts.people.enable(name, who.actor)
    return _shown(parts, name)


@router.post("/accounts/{name}/grants", status_code=201)
def grant_to_account(parts: Parts, who: Administrator, name: NamePath, body: GrantRequest) -> GrantAnswer:
    """Give an account a role."""
    return _grant(parts, who, HolderKind.ACCOUNT, name, body)


@router.get("/teams")
def list_teams(parts: Parts, _: Reader) -> list[TeamAnswer]:
    """All teams, by name."""
    found = _directory(parts)
    return [_team(found, one) for one in found.teams]


@router.put("/teams/{name}")
def set_team(parts: Parts, who: Administrator, name: NamePath, body: MembersRequest) -> TeamAnswer:
    """Let exactly these accounts be in a team, which is made where there is none of that name."""
    parts.authority.check(who, Permission.ADMINISTER)
    return _team(_directory(parts), parts.people.set_team(name, body.members, who.actor))


@router.delete("/teams/{name}", status_code=204)
def remove_team(parts: Parts, who: Administrator, name: NamePath) -> None:
    """Forget a team and what it was given."""
    parts.authority.check(who, Permission.ADMINISTER)
    parts.people.remove_team(name, who.actor)


@router.post("/teams/{name}/grants", status_code=201)
def grant_to_team(parts: Parts, who: Administrator, name: NamePath, body: GrantRequest) -> GrantAnswer:
    """Give everybody in a team a role."""
    return _grant(parts, who, HolderKind.TEAM, name, body)


@router.delete("/grants/{grant}")
def revoke_grant(parts: Parts, who: Administrator, grant: IdentifierPath) -> GrantAnswer:
    """Take a role away again."""
    parts.authority.check(who, Permission.ADMINISTER)
    return GrantAnswer.model_validate(parts.people.revoke(grant.lower(), who.actor))


@router.get("/tokens")
def list_tokens(parts: Parts, who: Browser) -> list[AccessTokenAnswer]:
    """One's own tokens; an administrator sees those of all."""
    own = None if who.may(Permission.ADMINISTER) else who.account or ""
    with parts.engine.parts.database.reading() as connection:
        return [AccessTokenAnswer.model_validate(one) for one in people_queries.tokens(connection, own)]


@tokens.post("/tokens", status_code=201)
def make_token(parts: Parts, who: Browser, body: TokenRequest) -> NewTokenAnswer:
    """Make a token of one's own account; an administrator makes those of others."""
    account = body.account or who.account
    if account is None:
        raise not_found("account", who.actor.name, "name one: tidegate token create NAME --account ACCOUNT")
    if account != who.account:
        parts.authority.check(who, Permission.ADMINISTER)
    # a token that was made for little makes none for more
    role = body.role.at_most(who.cap) if body.role else who.cap
    made = parts.people.make_token(account, body.name, timedelta(days=body.valid_days), role, who.actor)
    parts.events.wake()
    return NewTokenAnswer(token=AccessTokenAnswer.model_validate(made.token), text=made.text)


@router.delete("/tokens/{token}")
def revoke_token(parts: Parts, who: Browser, token: IdentifierPath) -> AccessTokenAnswer:
    """Let a token of one's own open nothing any more; an administrator revokes those of others."""
    with parts.engine.parts.database.reading() as connection:
        known = people_queries.token(connection, token.lower())
    if known is None or (known.account != who.account and not who.may(Permission.ADMINISTER)):
        raise not_found("token", token, "tidegate token list")
    return AccessTokenAnswer.model_validate(parts.people.revoke_token(known.id, who.actor))


def _grant(parts: ApiParts, who: Identity, kind: HolderKind, name: str, body: GrantRequest) -> GrantAnswer:
    parts.authority.check(who, Permission.ADMINISTER)
    held = Held(body.role, body.service, body.environment)
    return GrantAnswer.model_validate(parts.people.grant(kind, name, held, who.actor))


def _directory(parts: ApiParts) -> Directory:
    with parts.engine.parts.database.reading() as connection:
        return people_queries.directory(connection)


def _shown(parts: ApiParts, name: str) -> AccountAnswer:
    found = _directory(parts)
    account = next((one for one in found.accounts if one.name == name), None)
    if account is None:
        raise not_found("account", name, "tidegate user list")
    return _account(found, account)


def _account(found: Directory, account: Account) -> AccountAnswer:
    return AccountAnswer(
        name=account.name,
        kind=account.kind,
        full_name=account.full_name,
        added_at=account.added_at,
        disabled_because=account.disabled_because,
        teams=list(found.teams_of(account.name)),
        grants=_grants(found, HolderKind.ACCOUNT, account.name),
        held=_held(found.held_by(account)),
    )


def _team(found: Directory, team: Team) -> TeamAnswer:
    return TeamAnswer(name=team.name, members=list(team.members), grants=_grants(found, HolderKind.TEAM, team.name))


def _grants(found: Directory, kind: HolderKind, holder: str) -> list[GrantAnswer]:
    own: list[RoleGrant] = [one for one in found.grants if (one.holder_kind, one.holder) == (kind, holder)]
    return [GrantAnswer.model_validate(one) for one in own]


def _held(held: tuple[Held, ...]) -> list[HeldAnswer]:
    return [HeldAnswer.model_validate(one) for one in held]
