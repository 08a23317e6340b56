"""A shop whose gates ask outside: what was asked is kept, and answered as the test says."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tests.integration.api.world import ListedOutside
from tests.integration.engine.shop import OWNER, SHOP, Shop

from tidegate.engine.asking import Asker
from tidegate.engine.engine import Engine
from tidegate.engine.freezes import FreezeActs
from tidegate.engine.parts import Parts
from tidegate.engine.questions import QuestionActs
from tidegate.model.external import ExternalQuestion
from tidegate.store import queries, time_queries

SECRET = "between us"
ADDRESS = "https://tidegate.example"


class AskingShop(Shop):
    """It knows the secret of those whom it asks."""

    outside: ListedOutside

    def _build_on(self, parts: Parts) -> None:
        super()._build_on(parts)
        self.outside = getattr(self, "outside", None) or ListedOutside()
        self.asker = Asker(self.database, self.clock, parts.secrets, self.outside, ADDRESS, self.queue.hint)
        self.asker.again = self._send
        self.engine = Engine(parts, self.queue, ask=self._send)
        self.freezes, self.questions = FreezeActs(self.engine), QuestionActs(self.engine)
        self.services, self.runs = type(self.services)(self.engine), type(self.runs)(self.engine)
        self.leasing = type(self.leasing)(self.engine, self.logs)
        self.placements = type(self.placements)(self.engine)

    def _send(self, question: str, at: datetime) -> None:
        self.queue.hint(f"question:{question}", at)

    def settle(self) -> None:
        for _ in range(1000):
            subject = self.queue.take()
            if subject is None:
                return
            look: Any = self.asker.look if subject.startswith("question:") else self.engine.look
            look(subject)
        raise AssertionError(f"it does not come to rest: {self.queue.due}")

    def knows_secret(self) -> None:
        self.services.set_secret(SHOP, "KEY", SECRET, OWNER)

    def asked_of(self, run: str) -> tuple[ExternalQuestion, ...]:
        """The questions of the run's gates."""
        with self.database.reading() as connection:
            return time_queries.questions_of_run(connection, run)

    def waits_for(self, run: str, stage: str = "production") -> list[str]:
        """What keeps the gate of the stage shut."""
        with self.database.reading() as connection:
            (found,) = (one for one in queries.stages(connection, run) if one.name == stage)
        return [one.text for one in found.gate.blocking] if found.gate else []
