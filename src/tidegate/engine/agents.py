"""Agents: what they say of themselves is kept, and what people do to them."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from importlib.metadata import version as installed

from sqlalchemy import Connection

from tidegate.engine.engine import Engine
from tidegate.engine.leasing import Leasing
from tidegate.engine.refusal import Refusal, Refused, not_found
from tidegate.model.actor import Actor
from tidegate.model.agent import Agent, Platform
from tidegate.model.event import Event, EventKind
from tidegate.model.version_skew import FIRST_TO_SAY, too_far_apart
from tidegate.security.tokens import new_token, token_hash
from tidegate.store import agent_queries, events, rows

WRITE_EVERY = timedelta(seconds=5)
"""An agent that says nothing new is noted this often."""

FORGET_AFTER = timedelta(days=1)
KEPT_IN_MEMORY = 1000

LIST = "tidegate agents list"


@dataclass(frozen=True, slots=True)
class Said:
    """What an agent says of itself when it asks for work. `version` is None for one that does not say it."""

    labels: tuple[str, ...] = ()
    slots: int = 0
    version: str | None = None
    platform: Platform | None = None
    instance: str | None = None
    leaving: bool = False

    @property
    def all_labels(self) -> tuple[str, ...]:
        """With those of its platform."""
        own = (self.platform.os, self.platform.processor) if self.platform else ()
        return tuple(sorted({*self.labels, *own}))


class AgentActs:
    """Each act is one transaction. Safe to be asked by several threads."""

    def __init__(self, engine: Engine, leasing: Leasing, version: str | None = None) -> None:
        self._engine = engine
        self._parts = engine.parts
        self._leasing = leasing
        self._version = version or installed("tidegate")
        self._noted: OrderedDict[str, tuple[Said | None, datetime]] = OrderedDict()
        self._lock = threading.Lock()

    def greet(self, name: str, said: Said, *, must_be_known: bool = False) -> None:
        """Note an agent that asks for work.

        Raises Refused where its version is too far from the server's, where another process of that name was seen
        lately, and with `must_be_known` where it was removed.
        """
        self._check_version(name, said.version or FIRST_TO_SAY)
        now = self._parts.clock.now()
        if not self._is_due(name, said, now):
            return
        with self._parts.database.writing() as connection:
            known = agent_queries.agent(connection, name)
            if known is None and must_be_known:
                raise not_found("agent", name, f"make a new token: tidegate agents token {name}")
            known = known or agent_queries.ensure(connection, Agent(name, now))
            self._check_alone(known, said, now)
            agent_queries.note_said(connection, _as_said(known, said, now))
        self._note(name, said, now)

    def note_seen(self, name: str) -> None:
        """Note an agent that renews its leases: it asks for no work as long as it is full."""
        now = self._parts.clock.now()
        with self._lock:
            said, at = self._noted.get(name, (None, None))
        if at is None or now - at >= WRITE_EVERY:
            with self._parts.database.writing() as connection:
                agent_queries.note_seen(connection, name, now)
            self._note(name, said, now)

    def name_of(self, token: str) -> str | None:
        """The agent whose own token this is."""
        with self._parts.database.reading() as connection:
            found = agent_queries.agent_with_token(connection, token_hash(token))
        return found.name if found else None

    def give_token(self, name: str, actor: Actor) -> str:
        """Make a token for an agent, which is known from now on. One that it had before opens nothing any more."""
        token = new_token()
        with self._parts.database.writing() as connection:
            agent_queries.ensure(connection, Agent(name, self._parts.clock.now()))
            agent_queries.set_token(connection, name, token_hash(token))
            self._say(connection, name, EventKind.AGENT_TOKEN, f"{actor.name} made a token for the agent {name}", actor)
        return token

    def drain(self, name: str, actor: Actor) -> Agent:
        """Give an agent no more steps; what it performs goes on."""
        text = f"{actor.name} drains the agent {name}"
        return self._change(name, EventKind.AGENT_DRAINED, text, actor, drained_by=actor.name)

    def resume(self, name: str, actor: Actor) -> Agent:
        """Give a drained agent steps again."""
        text = f"{actor.name} lets the agent {name} take steps again"
        resumed = self._change(name, EventKind.AGENT_RESUMED, text, actor, drained_by=None)
        self._engine.steps_may_run()
        return resumed

    def remove(self, name: str, actor: Actor) -> int:
        """Forget an agent: its token opens nothing any more, and what it performs is lost. How many steps that are."""
        with self._parts.database.writing() as connection:
            found = self._known(connection, name)
            rows.drop(connection, found)
            detail = f"{actor.name} removed the agent {name}"
            self._say(connection, name, EventKind.AGENT_REMOVED, detail, actor)
            ended = self._leasing.end_all_of(connection, name, detail)
        with self._lock:
            self._noted.pop(name, None)
        for step in ended:
            self._engine.queue.hint(f"run:{step.run}")
        return len(ended)

    def forget_unseen(self) -> None:
        """Forget agents of the data folder's token that nobody has seen for a day: machines that were for once."""
        with self._parts.database.writing() as connection:
            agent_queries.forget_unseen(connection, self._parts.clock.now() - FORGET_AFTER)

    def _check_version(self, name: str, version: str) -> None:
        try:
            problem = too_far_apart(self._version, version)
        except ValueError as error:
            raise Refused(Refusal.INVALID, str(error)) from None
        if problem:
            raise Refused(
                Refusal.CONFLICT,
                f"{name} gets no work: {problem}",
                f"install Tidegate {self._version} on the agent's machine and start the agent again; its steps go on",
            )

    def _check_alone(self, known: Agent, said: Said, now: datetime) -> None:
        """Two processes of one name would take each other's steps away."""
        if known.is_here(now) and None not in (known.instance, said.instance) and known.instance != said.instance:
            raise Refused(
                Refusal.CONFLICT,
                f"another agent called {known.name} was here a moment ago, with another folder",
                "give this one a name of its own (--name), or wait a minute if the other is gone",
            )

    def _is_due(self, name: str, said: Said, now: datetime) -> bool:
        with self._lock:
            before, at = self._noted.get(name, (None, now))
        return before != said or now - at >= WRITE_EVERY

    def _note(self, name: str, said: Said | None, now: datetime) -> None:
        with self._lock:
            self._noted[name] = (said, now)
            self._noted.move_to_end(name)
            while len(self._noted) > KEPT_IN_MEMORY:
                self._noted.popitem(last=False)

    def _change(self, name: str, kind: EventKind, text: str, actor: Actor, drained_by: str | None) -> Agent:
        with self._parts.database.writing() as connection:
            found = self._known(connection, name)
            if (found.drained_by is None) != (drained_by is None):
                agent_queries.set_drained(connection, name, drained_by)
                self._say(connection, name, kind, text, actor)
            return replace(found, drained_by=drained_by)

    def _known(self, connection: Connection, name: str) -> Agent:
        found = agent_queries.agent(connection, name)
        if found is None:
            raise not_found("agent", name, LIST)
        return found

    def _say(self, connection: Connection, name: str, kind: EventKind, text: str, actor: Actor) -> None:
        events.append(connection, [Event(kind, text, {"agent": name}, actor)], self._parts.clock.now())


def _as_said(known: Agent, said: Said, now: datetime) -> Agent:
    return replace(
        known,
        instance=said.instance,
        labels=said.all_labels,
        slots=said.slots,
        version=said.version,
        platform=said.platform,
        seen_at=now,
        leaving=said.leaving,
    )
