"""Who may do what."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from tidegate.model.access import Access, Means
from tidegate.model.actor import Actor, ActorKind
from tidegate.model.people import Held, Role
from tidegate.model.rehearsal_schedule import SCHEDULED


class Permission(StrEnum):
    """What a route needs."""

    READ = "read"
    DEVELOP = "develop"
    """Cancel, retry, hold and resume runs; look after tests."""

    APPROVE = "approve"
    """Answer gates."""

    OPERATE = "operate"
    """Deploy, roll back, promote, pause; drain agents."""

    REHEARSE = "rehearse"
    """Say what came of a rehearsal."""

    AUDIT = "audit"
    """Export evidence of what happened to a service."""

    ADMINISTER = "administer"
    """Add and remove services, grant modes, set secrets; look after people."""

    SIGN_IN = "sign_in"
    """Make codes with which one's own browser signs in, and tokens of one's own."""

    PERFORM = "perform"
    """Lease steps, report on them, put artifacts, and read the commits that are built."""

    FETCH = "fetch"
    """Read the bytes of artifacts."""


_VIEWER = frozenset({Permission.READ, Permission.FETCH, Permission.SIGN_IN})
_DEVELOPER = _VIEWER | {Permission.DEVELOP}
_APPROVER = _DEVELOPER | {Permission.APPROVE}
_OPERATOR = _APPROVER | {Permission.OPERATE, Permission.REHEARSE, Permission.AUDIT}

PERMISSIONS: Mapping[Role, frozenset[Permission]] = {
    Role.VIEWER: _VIEWER,
    Role.DEVELOPER: _DEVELOPER,
    Role.APPROVER: _APPROVER,
    Role.OPERATOR: _OPERATOR,
    Role.ADMIN: _OPERATOR | {Permission.ADMINISTER},
}
AGENT_PERMISSIONS = frozenset({Permission.PERFORM, Permission.FETCH})


@dataclass(frozen=True, slots=True)
class Identity:
    """Who asks, as proven by a token or a session: an account with the roles that it holds, or an agent."""

    actor: Actor
    held: tuple[Held, ...] = ()
    is_agent: bool = False
    agent: str | None = None
    """The one agent that it is, None for who may speak for any (the local one) or for none."""

    account: str | None = None
    """The account whose roles these are, None for who has none: the server's owner, and agents."""

    cap: Role | None = None
    """The most that its token was made for."""

    token: str | None = None
    """The id of the account's token that proved it; a browser that signs in with it stays no longer than it."""

    only: frozenset[Permission] | None = None
    """The permissions that its token is good for, whatever the roles allow; None for all of theirs."""

    def may(self, permission: Permission, service: str | None = None, environment: str | None = None) -> bool:
        """Whether it has the permission there; without a service, whether it has it for what concerns no one service,
        and likewise for environments."""
        if self.is_agent:
            return permission in AGENT_PERMISSIONS
        return any(self._gives(one, permission) and one.covers(service, environment) for one in self.held)

    def may_somewhere(self, permission: Permission) -> bool:
        """Whether there is anything for which it has the permission."""
        if self.is_agent:
            return permission in AGENT_PERMISSIONS
        return any(self._gives(one, permission) for one in self.held)

    def at(self, address: str, means: Means) -> Identity:
        """The same one, acting from there. Agents are told apart by their tokens."""
        if self.is_agent:
            return self
        return replace(self, actor=replace(self.actor, access=Access(means, address, self.token)))

    def _gives(self, held: Held, permission: Permission) -> bool:
        return permission in PERMISSIONS[held.role] and (self.only is None or permission in self.only)

    @property
    def roles(self) -> str:
        """What it is, in words."""
        return "agent" if self.is_agent else ", ".join(str(one) for one in self.held) or "no role"


def everywhere(actor: Actor, role: Role) -> Identity:
    """Who holds a role for everything."""
    return Identity(actor, (Held(role),))


def account_identity(name: str, held: Iterable[Held], cap: Role | None = None, token: str | None = None) -> Identity:
    """An account with the roles that it holds now."""
    return Identity(Actor(ActorKind.PERSON, name), tuple(held), account=name, cap=cap, token=token)


def rehearsal_identity(service: str) -> Identity:
    """A rehearsal of that service which the server began: it reads, and says what came of it."""
    only = frozenset({Permission.READ, Permission.REHEARSE})
    return Identity(SCHEDULED, (Held(Role.OPERATOR, service),), only=only)


def local_agent_identity() -> Identity:
    """The agents of the data folder's token."""
    return Identity(Actor(ActorKind.SYSTEM, "local agent"), is_agent=True)


def agent_identity(name: str | None) -> Identity | None:
    """An agent with a token of its own; None for none."""
    return None if name is None else Identity(Actor(ActorKind.SYSTEM, f"agent {name}"), is_agent=True, agent=name)
