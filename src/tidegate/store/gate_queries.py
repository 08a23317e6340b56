"""What a gate looks at: whom it knows, which changes it would let in, what passed before, who broke the glass."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from sqlalchemy import Column, Connection, select

from tidegate.model.approval import Approval
from tidegate.model.authorship import AuthorAddress, AuthorKey
from tidegate.model.break_glass import BreakGlass
from tidegate.model.change import Author, Change
from tidegate.model.delegation import Delegation
from tidegate.model.gate_rules import GateRules
from tidegate.model.ids import EnvironmentName
from tidegate.model.known_people import KnownPeople
from tidegate.model.people import Account, Team
from tidegate.model.release import Release
from tidegate.model.run import StageState, Trigger
from tidegate.store import gate_tables, people_tables, rows, tables

MOST_CHANGES = 500
"""Of those that a gate lets in together; more are as good as unknown."""


def known_people(
    connection: Connection, rules: Iterable[GateRules], approvals: Sequence[Approval], authors: Sequence[Author]
) -> KnownPeople:
    """Those whom these rules name, who answered, and who made the changes."""
    sources = {source for one in rules if one.approvals for group in one.approvals.groups for source in group.sources}
    names = sources | {one.actor.name for one in approvals} | {name for one in approvals for name in one.stands_for}
    accounts = _named(connection, Account, people_tables.account.c.name, names)
    addresses = {author.email.casefold() for author in authors}
    keys = {author.key for author in authors if author.key}
    return KnownPeople(
        accounts=frozenset(one.name for one in accounts if one.disabled_because is None),
        disabled=frozenset(one.name for one in accounts if one.disabled_because is not None),
        teams={
            one.name: frozenset(one.members) for one in _named(connection, Team, people_tables.team.c.name, sources)
        },
        addresses={
            one.address: one.account
            for one in _named(connection, AuthorAddress, gate_tables.author_address.c.address, addresses)
        },
        keys={
            one.fingerprint: one.account
            for one in _named(connection, AuthorKey, gate_tables.author_key.c.fingerprint, keys)
        },
    )


def changes_between(connection: Connection, service: str, after: int, up_to: int) -> tuple[Change, ...]:
    """The changes of the service's main branch after one order and up to another, the newest first."""
    c = tables.run.c
    query = (
        select(c.change)
        .where(c.service == service, c.trigger == Trigger.PUSH, c.order > after, c.order <= up_to)
        .order_by(c.order.desc())
        .limit(MOST_CHANGES)
    )
    return tuple({one.commit: one for one in connection.execute(query).scalars()}.values())


def passed_in(connection: Connection, release: Release) -> frozenset[EnvironmentName]:
    """The environments in which a stage passed with this release, or with another of the very same artifacts."""
    c = tables.release.c
    digests = {one.digest for one in release.artifacts}
    same = [release.id]
    if digests:
        others = rows.every(connection, Release, c.service == release.service, c.order == release.order)
        same = [one.id for one in others if {file.digest for file in one.artifacts} == digests]
    query = (
        select(tables.stage_run.c.environment)
        .join(tables.run, tables.run.c.id == tables.stage_run.c.run)
        .where(tables.run.c.release.in_(same), tables.stage_run.c.state == StageState.PASSED)
        .where(tables.run.c.trigger != Trigger.AFTER_ROLLBACK)  # what runs then proves nothing about the release
    )
    return frozenset(EnvironmentName(one) for one in connection.execute(query).scalars())


def broken_glass(connection: Connection, run: str) -> tuple[BreakGlass, ...]:
    """The openings of a run's gates by break-glass, oldest first."""
    return rows.every_equal(connection, BreakGlass, run=run)


def unreviewed_glass(connection: Connection) -> tuple[BreakGlass, ...]:
    """All openings by break-glass whose review is owed, oldest first."""
    return rows.every(connection, BreakGlass, gate_tables.break_glass.c.reviewed_at.is_(None))


def delegations_to(connection: Connection, taker: str) -> tuple[Delegation, ...]:
    """What was ever delegated to somebody, oldest first."""
    return rows.every_equal(connection, Delegation, taker=taker)


def delegations(connection: Connection) -> tuple[Delegation, ...]:
    """All delegations that were not taken back, oldest first."""
    return rows.every(connection, Delegation, gate_tables.delegation.c.revoked_at.is_(None))


def _named(
    connection: Connection, cls: type[rows.Value], column: Column[str], names: Collection[str]
) -> tuple[rows.Value, ...]:
    return rows.every(connection, cls, column.in_(sorted(names))) if names else ()
