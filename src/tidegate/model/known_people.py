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

    def account_of(self, author: Author) -> str | None:
        """Who made a change, as far as it is verified: by the key that signed it, else by the address."""
        if author.key is not None:
            return self.keys.get(author.key)
        return self.addresses.get(author.email.casefold())

    def accounts_of(self, authors: Iterable[Author]) -> tuple[frozenset[str], tuple[Author, ...]]:
        """The accounts of those who are verified, and those who are not."""
        known: set[str] = set()
        unknown: dict[str, Author] = {}
        for author in authors:
            account = self.account_of(author)
            if account is None:
                unknown[author.email.casefold()] = author
            else:
                known.add(account)
        return frozenset(known), tuple(unknown.values())

    def is_among(self, account: str, sources: Iterable[str]) -> bool:
        """Whether the account is one of the sources, or in a team that is."""
        return any(source == account or account in self.teams.get(source, ()) for source in sources)

    def unknown_sources(self, sources: Iterable[str]) -> tuple[str, ...]:
        """Of the sources, those that are neither a team nor an account that may act."""
        return tuple(one for one in sources if one not in self.teams and one not in self.accounts)
