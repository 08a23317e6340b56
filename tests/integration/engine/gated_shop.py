"""A shop at whose gates everything happens that may happen there: people come and go, glass breaks, trains are held."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from tests.integration.engine.asking_shop import AskingShop
from tests.integration.engine.shop import OWNER, SHOP

from tidegate.config import server_yaml
from tidegate.engine.authorship import AuthorshipActs
from tidegate.engine.freezes import FreezeActs, WantedFreeze
from tidegate.engine.glass import GlassActs
from tidegate.engine.parts import Parts
from tidegate.engine.people import PeopleActs
from tidegate.engine.train_acts import TrainActs
from tidegate.model.actor import Actor, ActorKind
from tidegate.model.approval import Answer
from tidegate.model.event import EventKind
from tidegate.model.freeze import Freeze
from tidegate.model.people import AccountKind
from tidegate.model.pipeline import Mode
from tidegate.store import events, queries

HOUR = timedelta(hours=1)
ADA, BEN, EVE = (Actor(ActorKind.PERSON, name) for name in ("ada", "ben", "eve"))
GATE = "gate: {approvals: {count: 1}}"
LEAN = """\
service: shop
build:
  steps: [{name: package, run: make package}]
runtime: {command: serve, instances: 1}
stages:
  - name: staging
    environment: staging
    deploy: {strategy: blue-green, keep_warm: 0s}
  - name: production
    environment: production
    gate: {approvals: {count: 1}}
    deploy: {strategy: blue-green, keep_warm: 0s}
"""
"""Short, as it is taken to production more than fifty times."""

AUTOMATIC = """\
service: shop
mode: deployment
build:
  steps:
    - {name: unit tests, run: make test, reports: {junit: tests.xml}}
runtime: {command: serve, instances: 1}
stages:
  - name: staging
    environment: staging
    steps: [{name: smoke, run: make smoke}]
  - name: production
    environment: production
    deploy: {strategy: blue-green, keep_warm: 0s}
    verify: {soak: 0s}
"""


def gated(gate: str) -> str:
    """The file with another gate to production."""
    return LEAN.replace(GATE, f"gate: {{{gate}}}")


class GatedShop(AskingShop):
    """Nothing is in production at first, so that whatever serves there came through the gate."""

    def _build_on(self, parts: Parts) -> None:
        super()._build_on(parts)
        self.freezes, self.glass, self.trains = FreezeActs(self.engine), GlassActs(self.engine), TrainActs(self.engine)
        self.people, self.standing = PeopleActs(self.engine), AuthorshipActs(self.engine)

    def at_the_gate(self, gate: str = "approvals: {count: 1}") -> str:
        """A run that waits at production's gate."""
        run = self.added(gated(gate))
        self.built()
        return run

    def next_at_the_gate(self, gate: str = "approvals: {count: 1}") -> str:
        """A newer one."""
        run = self.pushed(gated(gate))
        self.built()
        return run

    def automatic(self) -> str:
        """A run of a service whose gates policy opens; it is not built yet."""
        run = self.added(AUTOMATIC)
        self.services.grant_mode(SHOP, Mode.DEPLOYMENT, OWNER, "it has earned it")
        return run

    def says_yes(self, run: str, who: Actor = OWNER, comment: str = "") -> None:
        """A person's yes at production's gate, at which nobody has looked since."""
        self.runs.answer(run, Answer.APPROVED, who, stage="production", comment=comment)

    def knows(self, *people: Actor) -> None:
        """Accounts of these people."""
        for one in people:
            self.people.add(one.name, AccountKind.PERSON, one.name, OWNER)

    def frozen(self, hours: float = 1, begins_in: float = 0) -> Freeze:
        """A freeze of production."""
        now = self.clock.now()
        wanted = WantedFreeze("production", now + (begins_in + hours) * HOUR, "the sale")
        return self.freezes.freeze(replace(wanted, begins=now + begins_in * HOUR) if begins_in else wanted, OWNER)

    def restart_with(self, server: str) -> None:
        """A new server with another configuration."""
        self.restart(environments=server_yaml.load(server).environments)
        self.settle()

    def begun(self, run: str) -> list[str]:
        """The stages of the run that began to roll out, by the rows; the record says the same."""
        with self.database.reading() as connection:
            rollouts, told = queries.rollouts_of_run(connection, run), events.since(connection, 0, limit=100_000)
        rolled = sorted(str(one.stage) for one in rollouts)
        began = [one.event.about for one in told if one.event.kind is EventKind.ROLLOUT_BEGAN]
        assert rolled == sorted(one["stage"] for one in began if one.get("run") == run)
        return rolled

    def keeps_out(self, run: str) -> None:
        """Whatever is looked at, nothing of the run begins in production."""
        self.engine.look(f"run:{run}")
        self.engine.sweep()
        self.settle()
        assert "production" not in self.begun(run), self.said()[-3:]
        assert self.serving() != self.label(run)

    def lets_in(self, run: str) -> None:
        """It is in production, as the rows, the record and the router say."""
        self.settle_until(lambda: self.run(run).status == "succeeded")
        assert "production" in self.begun(run)
        assert self.serving() == self.label(run)
