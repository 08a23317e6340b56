"""How long it takes to verify a record: python tests/bench/audit_verify.py [EVENTS]

Writes that many events to a SQLite database, and prints how long writing and verifying took.
"""

from __future__ import annotations

import sys
import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from tidegate.model.access import Access, Means
from tidegate.model.actor import SYSTEM, Actor, ActorKind
from tidegate.model.event import Event, EventKind
from tidegate.store import events
from tidegate.store.database import Database, sqlite_url
from tidegate.store.migrate import migrate

ADA = Actor(ActorKind.PERSON, "ada", Access(Means.COMMAND, "192.0.2.7", "01jd0000000000000000000t0k"))
AT_ONCE = 1000


def some_event(number: int) -> Event:
    """Like those of a real server: most are of steps, some hold figures, and some are acts of people."""
    about = {"service": f"service-{number % 60}", "run": f"01jd{number // 30:022d}", "commit": "1a2b3c4d" * 5}
    told = Event(EventKind.STEP_ENDED, f"build: unit tests ended well after {number % 90} s", about, SYSTEM)
    if number % 10 == 0:
        return replace(told, kind=EventKind.APPROVAL_GIVEN, actor=ADA, data={"answer": "approved", "share": 1 / 3})
    return replace(told, data={"attempt": 1, "seconds": number / 7})


def main(count: int) -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as folder:
        database = Database(sqlite_url(Path(folder) / "tidegate.sqlite3"), durable=False)
        migrate(database)
        began = time.perf_counter()
        for first in range(0, count, AT_ONCE):
            with database.writing() as connection:
                events.append(connection, [some_event(first + one) for one in range(AT_ONCE)], datetime.now(UTC))
        written = time.perf_counter()
        with database.reading() as connection:
            check = events.check_chain(connection)
        verified = time.perf_counter()
        database.close()
    print(f"{check.events} events: written in {written - began:.2f} s, verified in {verified - written:.2f} s: {check}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
