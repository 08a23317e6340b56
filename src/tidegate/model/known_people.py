"""Whom a gate knows: teams, who may no longer act, and whose addresses and keys stand in changes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tidegate.model.change import Author


@dataclass(frozen=True, slots=True)
class KnownPeople:
    """Accounts as a gate needs them. `teams` are the members of each team by its name, `accounts` who may act.

    `addresses` and `keys` say which account an e-mail address or the key of a signature belongs to: what is not there
    is not verified, whatever a commit says of itself.
    """

    accounts: frozenset[str] = frozenset()
    disabled: frozenset[str] = frozenset()
    teams: Mapping[str, frozenset[str]] = field(default_factory=dict)
    addresses: Mapping[str, str] = field(default_factory=dict)
    keys: Mapping[str, str] = field(default_factory=dict)

    def accounts_behind(self, author: Author) -> frozenset[str]:
        """Who stands behind a commit: the owner of the key that signed it, and that of the address that it names; one
        may have signed what another wrote. Nobody where neither is known."""
        found = (self.keys.get(author.key or ""), self.addresses.get(author.email.casefold()))
        return frozenset(one for one in found if one is not None)

    def accounts_of(self, authors: Iterable[Author]) -> tuple[frozenset[str], tuple[Author, ...]]:
        """The accounts of those who are verified, and those who are not."""
        known: set[str] = set()
        unknown: dict[str, Author] = {}
        for author in authors:
            accounts = self.accounts_behind(author)
            known |= accounts
            if not accounts:
                unknown[author.email.casefold()] = author
        return frozenset(known), tuple(unknown.values())

    def is_among(self, account: str, sources: Iterable[str]) -> bool:
        """Whether the account is one of the sources, or in a team that is."""
        return any(source == account or account in self.teams.get(source, ()) for source in sources)

    def unknown_sources(self, sources: Iterable[str]) -> tuple[str, ...]:
        """Of the sources, those that are neither a team nor an account that may act."""
        return tuple(one for one in sources if one not in self.teams and one not in self.accounts)
