"""Tests of which there is something to say: flaky ones, and those in quarantine."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from tidegate.model.flaky import TestHistory, TestOutcome, histories_of
from tidegate.model.ids import ServiceName
from tidegate.model.quarantine import TestQuarantine


@dataclass(frozen=True, slots=True)
class KnownTest:
    """A test: what is remembered of it in one step, None where nothing is, and its quarantine, None without one."""

    service: ServiceName
    test: str
    history: TestHistory | None
    quarantine: TestQuarantine | None

    @property
    def is_flaky(self) -> bool:
        """Whether it failed and passed on one content."""
        return self.history is not None and self.history.is_flaky

    def is_of(self, scope: str, step: str) -> bool:
        """Whether this is to be said of the test in that step; a quarantine alone is of all steps."""
        return self.history is None or (self.history.id.scope, self.history.id.step) == (scope, step)

    def is_expired(self, now: datetime) -> bool:
        """Whether it was in quarantine, and counts again because that has expired."""
        return self.quarantine is not None and not self.quarantine.holds(now)


def known_of(outcomes: Iterable[TestOutcome], quarantines: Iterable[TestQuarantine]) -> tuple[KnownTest, ...]:
    """The tests that are flaky or in quarantine (also an expired one), by service, name and step."""
    held = {(one.service, one.test): one for one in quarantines}
    found = [
        KnownTest(one.id.service, one.id.test, one, held.get((one.id.service, one.id.test)))
        for one in histories_of(outcomes)
        if one.is_flaky or (one.id.service, one.id.test) in held
    ]
    named = {(one.service, one.test) for one in found}
    found += [KnownTest(one.service, one.test, None, one) for key, one in held.items() if key not in named]
    return tuple(sorted(found, key=lambda one: (one.service, one.test)))
