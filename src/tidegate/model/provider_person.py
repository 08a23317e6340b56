"""People whom a sign-in provider knows: which account is theirs, and in which teams that puts them."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from tidegate.model.people import NAME, Team

LONGEST_SUBJECT = 255
"""Of a subject's identifier (OpenID Connect Core 1.0, section 2)."""


@dataclass(frozen=True, slots=True)
class ProviderSettings:
    """An OpenID Connect provider with which people sign in. `teams` says which group of theirs puts a person into which
    team of ours; with `email_domains`, only people with a verified address of one of them may sign in."""

    issuer: str
    client_id: str
    client_secret_file: str | None = None
    label: str = "single sign-on"
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    groups_claim: str = "groups"
    teams: Mapping[str, str] = field(default_factory=dict)
    email_domains: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ProviderAccount:
    """That an account is a certain person's at a provider: the only way by which that one signs in to it."""

    issuer: str
    subject: str
    account: str
    bound_by: str
    bound_at: datetime


@dataclass(frozen=True, slots=True)
class ProviderPerson:
    """What a provider says of somebody who signed in there. `email` is one that the provider has verified.

    `groups` is None where it said nothing of groups.
    """

    issuer: str
    subject: str
    username: str | None = None
    email: str | None = None
    full_name: str = ""
    groups: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class TeamChange:
    """A team that an account is to join or to leave."""

    team: str
    joins: bool


def account_name(person: ProviderPerson) -> str | None:
    """The name that a new account of this person gets: the user name, else the verified address, up to the `@`.

    None where neither can be the name of an account: what would have to be bent is not guessed.
    """
    for said in (person.username, person.email):
        name = re.split("@", said.strip().lower(), maxsplit=1)[0] if said else ""
        if NAME.fullmatch(name):
            return name
    return None


def is_of_domain(person: ProviderPerson, domains: Collection[str]) -> bool:
    """Whether the person's verified address is of one of these domains; without domains everybody is."""
    if not domains:
        return True
    _, at, domain = (person.email or "").rpartition("@")
    return bool(at) and domain.lower() in {one.lower() for one in domains}


def team_changes(
    account: str, groups: Iterable[str], mapping: Mapping[str, str], teams: Iterable[Team]
) -> tuple[TeamChange, ...]:
    """What the groups of a person change: only teams that the mapping names, and only where it is not so already."""
    wanted = {mapping[group] for group in groups if group in mapping}
    is_in = {team.name for team in teams if account in team.members}
    return tuple(
        TeamChange(team, team in wanted)
        for team in sorted(set(mapping.values()))
        if (team in wanted) != (team in is_in)
    )


def is_loopback(host: str | None) -> bool:
    """Whether a name stands for this machine: only there a provider may be asked without TLS."""
    if host is None or host == "localhost":
        return host is not None
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
