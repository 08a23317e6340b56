"""Sign-ins that failed become events, few enough that nobody can fill the record with them."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta

from tidegate.engine.engine import Engine
from tidegate.model.event import Event, EventKind
from tidegate.model.sign_in import SignInWay
from tidegate.store import events, people_queries

RECORDED_EVERY = timedelta(minutes=1)
"""Of one account; and of all names that no account has, and of codes and tokens, together. The others are counted."""


class FailedSignIns:
    """Asked after the answer was given, since a write takes time that would tell whether there is such an account."""

    def __init__(self, engine: Engine) -> None:
        self._parts = engine.parts
        self._recorded: dict[str | None, datetime] = {}
        self._unrecorded: dict[str | None, int] = {}
        self._lock = threading.Lock()

    def note(self, name: str | None, way: SignInWay, address: str) -> None:
        """Somebody could not sign in. A name that no account has is not recorded: it may be a mistyped password."""
        now = self._parts.clock.now()
        with self._parts.database.reading() as connection:
            known = name if name and people_queries.account(connection, name) else None
        with self._lock:
            last = self._recorded.get(known)
            if last is not None and timedelta(0) <= now - last < RECORDED_EVERY:
                self._unrecorded[known] = self._unrecorded.get(known, 0) + 1
                return
            self._recorded[known] = now
            more = self._unrecorded.pop(known, 0)
        whose = f" of {known}" if known else ""
        text = f"a sign-in{whose} with a {way.value} failed" + (f", after {more} more" if more else "")
        event = Event(
            EventKind.SIGN_IN_FAILED, text, {"account": known} if known else {}, data={"from": address, "before": more}
        )
        with self._parts.database.writing() as connection:
            events.append(connection, [event], now)
