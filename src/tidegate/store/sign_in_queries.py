"""What is asked about signing in: passwords, one-time links, sessions, and accounts of a provider."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ColumnElement, Connection, delete, exists, select, update

from tidegate.model.provider_person import ProviderAccount
from tidegate.model.sign_in import IDLE_LIMIT, BrowserSession, LinkPurpose, OneTimeLink, Password
from tidegate.store import rows
from tidegate.store.sign_in_tables import browser_session, one_time_link
from tidegate.store.sign_in_tables import password as password_table


def password_of(connection: Connection, account: str) -> Password | None:
    """The account's password."""
    return rows.find(connection, Password, account=account)


def has_passwords(connection: Connection) -> bool:
    """Whether anybody has a password."""
    return bool(connection.execute(select(exists().select_from(password_table))).scalar())


def link_with(connection: Connection, code_hash: str) -> OneTimeLink | None:
    """The link whose code has this hash."""
    return rows.find(connection, OneTimeLink, code_hash=code_hash)


def drop_links(connection: Connection, purpose: LinkPurpose, account: str | None) -> None:
    """Let earlier links for this purpose, of this account, open nothing any more."""
    same = one_time_link.c.account.is_(None) if account is None else one_time_link.c.account == account
    connection.execute(delete(one_time_link).where(one_time_link.c.purpose == purpose, same))


def take_link(connection: Connection, link: OneTimeLink) -> bool:
    """Use a link up; False where another did meanwhile."""
    same = one_time_link.c.code_hash == link.code_hash
    return connection.execute(delete(one_time_link).where(same)).rowcount == 1


def session_with(connection: Connection, cookie_hash: str) -> BrowserSession | None:
    """The session whose cookie has this hash."""
    return rows.find(connection, BrowserSession, cookie_hash=cookie_hash)


def sessions_of(connection: Connection, account: str | None) -> tuple[BrowserSession, ...]:
    """The sessions of an account, None for the server's owner; oldest first."""
    return rows.every(connection, BrowserSession, _of(account))


def end_sessions(connection: Connection, account: str | None) -> int:
    """End the sessions of an account; how many there were."""
    return connection.execute(delete(browser_session).where(_of(account))).rowcount


def note_seen(connection: Connection, session_id: str, now: datetime) -> None:
    """A session was used just now."""
    connection.execute(update(browser_session).where(browser_session.c.id == session_id).values(seen_at=now))


def forget_old(connection: Connection, now: datetime) -> None:
    """Forget sessions and links that are over."""
    over = (browser_session.c.expires_at <= now) | (browser_session.c.seen_at <= now - IDLE_LIMIT)
    connection.execute(delete(browser_session).where(over))
    connection.execute(delete(one_time_link).where(one_time_link.c.expires_at <= now))


def provider_account(connection: Connection, issuer: str, subject: str) -> ProviderAccount | None:
    """Which account is this person's."""
    return rows.find(connection, ProviderAccount, issuer=issuer, subject=subject)


def provider_accounts_of(connection: Connection, account: str) -> tuple[ProviderAccount, ...]:
    """Whom an account belongs to, at any provider."""
    return rows.every_equal(connection, ProviderAccount, account=account)


def _of(account: str | None) -> ColumnElement[bool]:
    return browser_session.c.account.is_(None) if account is None else browser_session.c.account == account
