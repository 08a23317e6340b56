"""The engine on a real database; time, looks and what it deploys to are the test's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from tests.integration.api.world import (
    CountedPorts,
    ObedientRouter,
    ObedientTarget,
    OneSource,
    PaperRepositories,
    SteadyUsers,
    ToldJudge,
)

from tidegate.engine.engine import Engine
from tidegate.engine.giving import Ask, Held
from tidegate.engine.ids import new_ulid
from tidegate.engine.leasing import Leasing
from tidegate.engine.measuring import Measuring
from tidegate.engine.parts import Parts, Settings
from tidegate.engine.placements import PlacementActs
from tidegate.engine.refusal import Refusal, Refused
from tidegate.engine.runs import RunActs
from tidegate.engine.services import ServiceActs
from tidegate.engine.step_logs import StepLogs
from tidegate.metrics.question import FigureSource
from tidegate.model.actor import Actor, ActorKind
from tidegate.model.approval import Answer
from tidegate.model.environment import DEFAULT_ENVIRONMENTS
from tidegate.model.ids import DeploymentId, Generation, PlacementId, ServiceName
from tidegate.model.installation import ObservedRouting, Routing
from tidegate.model.lease import Lease, StepOutcome, StepReport
from tidegate.model.metric import SourceName
from tidegate.model.run import Run
from tidegate.security.secret_box import SecretBox
from tidegate.store import queries, tables
from tidegate.store.database import Database

SHOP, OWNER = ServiceName("shop"), Actor(ActorKind.PERSON, "owner")
STAGING, PRODUCTION = PlacementId("shop/staging"), PlacementId("shop/production")
BATCH = timedelta(seconds=1)

PLAIN = """\
service: shop
build:
  steps:
    - {name: unit tests, run: make test, timeout: 10m, retry: {attempts: 2, causes: [lost]}}
    - {name: package, run: make package, needs: [unit tests]}
runtime:
  command: python -m shop
  health: {path: /healthz}
  instances: 2
stages:
  - name: staging
    environment: staging
    deploy: {strategy: blue-green}
  - name: production
    needs: [staging]
    environment: production
    gate: {approvals: {count: 1}}
    deploy: {strategy: blue-green}
"""


class StandingClock:
    """Stands still until the test lets time pass."""

    def __init__(self) -> None:
        self.time = datetime(2026, 3, 2, 12, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time


class Hints:
    """A queue that nobody works on by itself."""

    def __init__(self, clock: StandingClock) -> None:
        self._clock = clock
        self.due: dict[str, datetime] = {}

    def hint(self, subject: str, at: datetime | None = None) -> None:
        wanted = at or self._clock.now()
        self.due[subject] = min(wanted, self.due.get(subject, wanted))

    def take(self) -> str | None:
        """The next subject that is due."""
        now = self._clock.now()
        found = min(
            (one for one in self.due if self.due[one] <= now), key=lambda one: (self.due[one], one), default=None
        )
        if found is not None:
            del self.due[found]
        return found


class PromptRouter(ObedientRouter):
    """Confirms at the moment of the test's clock."""

    def __init__(self, clock: StandingClock) -> None:
        super().__init__()
        self._clock = clock

    def set_shares(self, routing: Routing, generation: Generation) -> ObservedRouting | None:
        super().set_shares(routing, generation)
        return ObservedRouting(generation, self._clock.now())


class Shop:
    """One service on one engine, and what people and an agent do."""

    def __init__(self, database: Database, folder: Path, **parts: Any) -> None:
        self.database = database
        self.clock = StandingClock()
        self.queue = Hints(self.clock)
        self.target, self.router = ObedientTarget(), PromptRouter(self.clock)
        self.users, self.judge = SteadyUsers(), ToldJudge()
        self.commits = PaperRepositories()
        self.commits.text = PLAIN
        made: dict[str, Any] = {
            "clock": self.clock,
            "new_id": new_ulid,
            "environments": DEFAULT_ENVIRONMENTS,
            "target": self.target,
            "router": self.router,
            "metrics": self.users,
            "judge": self.judge,
            "secrets": SecretBox(folder / "secret-key"),
            "ports": CountedPorts(),
            "sources": OneSource(),
            "settings": Settings(batch=BATCH),
        }
        self.parts = Parts(database=database, **(made | parts))
        self.logs = StepLogs(folder / "logs")
        self.times_told = 0
        self.sources: dict[SourceName, FigureSource] = {}
        """Where metrics of the service's own come from."""
        self._build_on(self.parts)

    def _build_on(self, parts: Parts) -> None:
        self.engine = Engine(
            parts,
            self.queue,
            steps_ready=self._tell,
            measure=lambda placement: self.queue.hint(f"figures:{placement}"),
        )
        self.measuring = Measuring(parts, self.sources)
        self.runs, self.placements = RunActs(self.engine), PlacementActs(self.engine)
        self.services, self.leasing = ServiceActs(self.engine), Leasing(self.engine, self.logs)

    def _tell(self) -> None:
        """Agents that wait are told that there may be something for them."""
        self.times_told += 1

    def restart(self, **parts: Any) -> None:
        """A new server on the same database; hints of the old one are lost. It sweeps, as servers do."""
        self.parts = replace(self.parts, **parts)
        self.queue.due.clear()
        self._build_on(self.parts)
        self.engine.sweep()

    def settle(self) -> None:
        """Look at everything that is due, until nothing is."""
        for _ in range(1000):
            subject = self.queue.take()
            if subject is None:
                return
            (self.measuring if subject.startswith("figures:") else self.engine).look(subject)
        raise AssertionError(f"it does not come to rest: {self.queue.due}")

    def pass_time(self, span: timedelta) -> None:
        """Let time pass, and look at what becomes due at the end of it."""
        self.clock.time += span
        self.settle()

    def settle_over(self, rounds: int, pause: timedelta = BATCH) -> None:
        """Let so many batches come to their end, one after another."""
        for _ in range(rounds):
            self.pass_time(pause)

    def settle_until(self, so: Callable[[], bool]) -> None:
        """Let batches come to their end until it is so."""
        for _ in range(200):
            if so():
                return
            self.pass_time(BATCH)
        raise AssertionError(f"it did not come to that: {self.said()[-5:]}")

    def added(self, text: str | None = None) -> str:
        """Add the service with its first commit; the run."""
        self.commits.text = text or self.commits.text
        service, pushed = self.commits.describe("/repositories/shop")
        run = self.services.add(replace(service, added_at=self.clock.now()), pushed, OWNER)
        self.settle()
        return run.id

    def pushed(self, text: str | None = None) -> str:
        """A new commit; its run."""
        self.commits.text = text or self.commits.text
        (run,) = self.services.push(SHOP, [self.commits.next_commit()])
        self.settle()
        return run.id

    def leased(self, agent: str = "one", slots: int = 1, held: tuple[Held, ...] = ()) -> tuple[Lease, ...]:
        """What an agent gets."""
        return self.leasing.lease(agent, slots, held)

    def reports(self, lease: Lease, outcome: StepOutcome = StepOutcome.SUCCEEDED, detail: str = "") -> bool:
        """The agent says how a step ended."""
        taken = self.leasing.report(holds(lease), report(self.clock.now(), outcome, detail))
        self.settle()
        return taken

    def goes_on(self, lease: Lease, slots: int = 1, held: tuple[Held, ...] = (), **asked: Any) -> tuple[Lease, ...]:
        """What an agent gets with the answer to the result of a step that went well."""
        ask = Ask(asked.pop("agent", "one"), slots, held, **asked)
        return self.leasing.report_and_ask(holds(lease), report(self.clock.now()), ask).leases

    def built(self) -> None:
        """An agent performs every step that is or becomes ready."""
        while leases := self.leased():
            for lease in leases:
                assert self.reports(lease)

    def deployed(self, text: str | None = None) -> str:
        """A version that went all the way to production; its run."""
        with self.database.reading() as connection:
            known = queries.service(connection, SHOP)
        run = self.pushed(text) if known else self.added(text)
        self.built()
        self.approved(run)
        assert self.run(run).status == "succeeded", self.run(run)
        return run

    def approved(self, run: str, stage: str | None = None) -> None:
        self.runs.answer(run, Answer.APPROVED, OWNER, stage=stage)
        self.settle()

    def run(self, run: str) -> Run:
        with self.database.reading() as connection:
            found = queries.run(connection, run)
        assert found is not None
        return found

    def label(self, run: str) -> str:
        """How people call the release of a run."""
        return self.run(run).label

    def serving(self, placement: PlacementId = PRODUCTION) -> str | None:
        """The label of what serves there, None where nothing does."""
        with self.database.reading() as connection:
            found = queries.placement(connection, placement)
            deployment = queries.deployment(connection, found.serving) if found and found.serving else None
        return deployment.label if deployment else None

    def newest(self, placement: PlacementId = PRODUCTION) -> DeploymentId:
        """The deployment that was made there last."""
        with self.database.reading() as connection:
            return queries.deployments_of_placement(connection, placement)[0].id

    def said(self) -> list[str]:
        """The texts of all events, oldest first."""
        return [row["text"] for row in self.rows()["event"]]

    def rows(self) -> Mapping[str, list[Mapping[str, Any]]]:
        """Everything that the database holds."""
        with self.database.reading() as connection:
            return {
                table.name: [dict(row) for row in connection.execute(text(f'SELECT * FROM "{table.name}"')).mappings()]
                for table in tables.metadata.sorted_tables
            }

    def refuses(self, act: Callable[[], object], kind: Refusal) -> Refused:
        """The refusal of an act, which changed nothing."""
        before = self.rows()
        with pytest.raises(Refused) as refused:
            act()
        assert self.rows() == before
        assert refused.value.kind is kind
        return refused.value


def holds(lease: Lease) -> Held:
    """The attempt that a lease gives."""
    return Held(lease.step_run, lease.attempt, lease.fence)


def report(now: datetime, outcome: StepOutcome = StepOutcome.SUCCEEDED, detail: str = "") -> StepReport:
    """How an attempt ended."""
    return StepReport(outcome, 0 if outcome is StepOutcome.SUCCEEDED else None, detail, now, now)
