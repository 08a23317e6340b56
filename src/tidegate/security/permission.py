"""Who may do what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from tidegate.model.actor import Actor, ActorKind


class Permission(StrEnum):
    """What a route needs."""

    READ = "read"
    OPERATE = "operate"
    """Answer gates, deploy, roll back, hold and promote."""

    ADMINISTER = "administer"
    """Add, pause and remove services, grant modes, set secrets."""

    SIGN_IN = "sign_in"
    """Make codes with which one's own browser signs in."""

    PERFORM = "perform"
    """Lease steps, report on them, put artifacts, and read the commits that are built."""

    FETCH = "fetch"
    """Read the bytes of artifacts."""


class Role(StrEnum):
    """What somebody is to the server."""

    ADMIN = "admin"
    AGENT = "agent"


PERMISSIONS: Mapping[Role, frozenset[Permission]] = {
    Role.ADMIN: frozenset(
        {Permission.READ, Permission.OPERATE, Permission.ADMINISTER, Permission.SIGN_IN, Permission.FETCH}
    ),
    Role.AGENT: frozenset({Permission.PERFORM, Permission.FETCH}),
}


@dataclass(frozen=True, slots=True)
class Identity:
    """Who asks, as proven by a token or a session."""

    actor: Actor
    role: Role
    agent: str | None = None
    """The one agent that it is, None for who may speak for any (the local one) or for none."""

    def may(self, permission: Permission) -> bool:
        """Whether the role has the permission."""
        return permission in PERMISSIONS[self.role]


def agent_identity(name: str | None) -> Identity | None:
    """An agent with a token of its own; None for none."""
    return None if name is None else Identity(Actor(ActorKind.SYSTEM, f"agent {name}"), Role.AGENT, name)
