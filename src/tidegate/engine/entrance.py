"""All that lets people in: passwords, one-time links, sessions, and how often somebody may try."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tidegate.engine.browser_sessions import BrowserSessions
from tidegate.engine.engine import Engine
from tidegate.engine.failed_sign_ins import FailedSignIns
from tidegate.engine.one_time_links import OneTimeLinks
from tidegate.engine.passwords import Passwords
from tidegate.security.attempts import SignInLimits
from tidegate.security.password_hash import PasswordHashes

if TYPE_CHECKING:  # loaded where a provider is configured
    from tidegate.engine.provider_sign_in import ProviderSignIn


@dataclass(frozen=True, slots=True)
class Entrance:
    """Handed to the API and the pages as one."""

    passwords: Passwords
    links: OneTimeLinks
    sessions: BrowserSessions
    failures: FailedSignIns
    limits: SignInLimits
    address: str | None = None
    """How browsers reach this server, where it is configured."""

    provider: ProviderSignIn | None = None
    """With whom people sign in, where there is one."""


def make_entrance(
    engine: Engine,
    csrf_of: Callable[[str], str],
    hashes: PasswordHashes | None = None,
    limits: SignInLimits | None = None,
    address: str | None = None,
    provider: ProviderSignIn | None = None,
) -> Entrance:
    """The entrance of a server; `csrf_of` makes a session's CSRF token of its cookie."""
    passwords = Passwords(engine, hashes or PasswordHashes())
    return Entrance(
        passwords=passwords,
        links=OneTimeLinks(engine, passwords),
        sessions=BrowserSessions(engine, csrf_of),
        failures=FailedSignIns(engine),
        limits=limits or SignInLimits(engine.parts.clock.now),
        address=address,
        provider=provider,
    )
