"""What is asked about agents. What an agent says and what people decide are written apart: neither undoes the other."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, delete, update
from sqlalchemy.dialects import postgresql, sqlite

from tidegate.model.agent import Agent
from tidegate.store import rows, tables

_SAID = ("instance", "labels", "slots", "version", "platform", "seen_at", "leaving")
_c = tables.agent.c


def agent(connection: Connection, name: str) -> Agent | None:
    """The agent of that name."""
    return rows.find(connection, Agent, name=name)


def agents(connection: Connection) -> tuple[Agent, ...]:
    """All known agents, by name."""
    return rows.every_equal(connection, Agent)


def agent_with_token(connection: Connection, token_hash: str) -> Agent | None:
    """Whose token of its own has this hash."""
    return rows.find(connection, Agent, token_hash=token_hash)


def ensure(connection: Connection, new: Agent) -> Agent:
    """The agent of that name; this one where there is none yet."""
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    row = {name: getattr(new, name) for name in tables.agent.c.keys()}  # noqa: SIM118  columns, not their names
    connection.execute(insert(tables.agent).on_conflict_do_nothing(), row)
    return agent(connection, new.name) or new


def note_said(connection: Connection, seen: Agent) -> None:
    """Keep what a known agent says of itself."""
    said = {name: getattr(seen, name) for name in _SAID}
    connection.execute(update(tables.agent).where(_c.name == seen.name).values(said))


def note_seen(connection: Connection, name: str, now: datetime) -> None:
    """The agent was heard of just now."""
    connection.execute(update(tables.agent).where(_c.name == name).values(seen_at=now))


def set_token(connection: Connection, name: str, token_hash: str) -> None:
    """Give a known agent another token of its own."""
    connection.execute(update(tables.agent).where(_c.name == name).values(token_hash=token_hash))


def set_drained(connection: Connection, name: str, by: str | None) -> None:
    """Whether a known agent gets no more, and who said so."""
    connection.execute(update(tables.agent).where(_c.name == name).values(drained_by=by))


def forget_unseen(connection: Connection, since: datetime) -> None:
    """Forget agents without a token of their own that were not seen since then and that nobody drained."""
    gone = (_c.token_hash.is_(None), _c.drained_by.is_(None), _c.seen_at < since)
    connection.execute(delete(tables.agent).where(*gone))
