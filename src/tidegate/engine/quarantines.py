"""What people do to tests: put them in quarantine and take them out of it; and what the server looks after there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from sqlalchemy import Connection

from tidegate.engine.engine import Engine
from tidegate.engine.refusal import Refusal, Refused, not_found
from tidegate.model.actor import SYSTEM, Actor
from tidegate.model.event import Event, EventKind
from tidegate.model.flaky import KEPT_A_STEP, KEPT_FOR
from tidegate.model.ids import ServiceName
from tidegate.model.quarantine import LONGEST, TestQuarantine
from tidegate.store import events, outcome_queries, queries, rows

LIST = "tidegate tests flaky"


class QuarantineActs:
    """Each act is one transaction that changes rows and records who did it."""

    def __init__(self, engine: Engine) -> None:
        self._parts = engine.parts

    def quarantine(
        self, service: str, test: str, owner: str, until: datetime, reason: str, actor: Actor
    ) -> TestQuarantine:
        """Let a test's failing count for nothing before `until`; in place of a quarantine that it has already.

        Raises Refused without an owner, and for an end that is past or too far away.
        """
        now = self._parts.clock.now()
        if not owner.strip() or not test.strip():
            raise Refused(Refusal.INVALID, "a quarantine names its test and who repairs it", "add --owner NAME")
        if not now < until <= now + LONGEST:
            raise Refused(
                Refusal.INVALID,
                f"a quarantine ends within {LONGEST.days} days; {until:%Y-%m-%d %H:%M} UTC does not lie there",
                "say --until 14d, or a date",
            )
        with self._changing(service) as (connection, name):
            made = TestQuarantine(name, test, owner.strip(), until, reason, actor, now)
            rows.put(connection, made)
            text = f"{actor.name} puts the test {test} in quarantine ({made})" + (f": {reason}" if reason else "")
            self._say(connection, made, EventKind.TEST_QUARANTINED, text, actor)
        return made

    def release(self, service: str, test: str, actor: Actor) -> TestQuarantine:
        """Let a test count again. Raises Refused where it is not in quarantine."""
        with self._changing(service) as (connection, name):
            found = outcome_queries.quarantine(connection, name, test)
            if found is None:
                raise not_found("test in quarantine", test, f"{LIST} {service}")
            rows.drop(connection, found)
            text = f"{actor.name} takes the test {test} out of quarantine"
            self._say(connection, found, EventKind.TEST_RELEASED, text, actor)
        return found

    def look_after(self) -> None:
        """Say once of each quarantine that has expired that it has."""
        now = self._parts.clock.now()
        with self._parts.database.reading() as connection:
            expired = outcome_queries.newly_expired(connection, now)
        for service in sorted({one.service for one in expired}):
            self._tell_expiry(service, now)

    def forget_old(self) -> None:
        """Forget how tests ended long ago, and quarantines that expired then."""
        now = self._parts.clock.now()
        with self._parts.database.writing() as connection:
            outcome_queries.forget_before(connection, now - KEPT_FOR)
            outcome_queries.forget_beyond(connection, KEPT_A_STEP)
            outcome_queries.forget_expired(connection, now - KEPT_FOR)

    def _tell_expiry(self, service: str, now: datetime) -> None:
        with self._parts.database.writing() as connection:
            self._parts.database.lock_service(connection, service)
            for one in outcome_queries.newly_expired(connection, now):
                if one.service == service:
                    outcome_queries.note_expiry_told(connection, one)
                    text = f"the quarantine of the test {one.test} has expired (owner {one.owner}): it counts again"
                    self._say(connection, one, EventKind.TEST_EXPIRED, text, SYSTEM)

    @contextmanager
    def _changing(self, service: str) -> Iterator[tuple[Connection, ServiceName]]:
        with self._parts.database.writing() as connection:
            self._parts.database.lock_service(connection, service)
            known = queries.service(connection, service)
            if known is None:
                raise not_found("service", service, "tidegate service list")
            yield connection, known.name

    def _say(self, connection: Connection, one: TestQuarantine, kind: EventKind, text: str, actor: Actor) -> None:
        data = {"test": one.test, "owner": one.owner, "until": one.until.isoformat()}
        event = Event(kind, text, {"service": str(one.service)}, actor, data)
        events.append(connection, [event], self._parts.clock.now())
