"""A simulated service in its world: what people and its repository do to it, and how it stands."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from sqlalchemy import Connection

from tidegate.engine.creation import Pushed
from tidegate.engine.freezes import WantedFreeze
from tidegate.engine.refusal import Refused
from tidegate.model.actor import Actor, ActorKind
from tidegate.model.approval import Answer
from tidegate.model.change import Change
from tidegate.model.drill import Drill
from tidegate.model.event import EventKind
from tidegate.model.ids import EnvironmentName, PlacementId, ServiceName, placement_id
from tidegate.model.pipeline import Mode
from tidegate.model.placement import Placement
from tidegate.model.run import Run
from tidegate.model.service import Service
from tidegate.sim.broken import RuleBroken
from tidegate.sim.demand import NOTHING
from tidegate.sim.router import Split
from tidegate.sim.server import SimulatedServer
from tidegate.sim.shape import Shape, pipeline_text
from tidegate.sim.shop_run import SimulatedRun
from tidegate.sim.version import Version
from tidegate.sim.world import World
from tidegate.store import drill_queries, gate_queries, queries, time_queries

TRIES_AT_MOST = 20
PRODUCTION = EnvironmentName("production")


def person(name: str) -> Actor:
    """Somebody of that name."""
    return Actor(ActorKind.PERSON, name)


ANNA, BEN = person("anna"), person("ben")


class SimulatedService:
    """One service of a world. Each act is done again after a crash that swallowed it, as a person would."""

    def __init__(self, world: World, name: str = "shop", shape: Shape | None = None, rate: float = 100.0) -> None:
        self.world = world
        self.name = ServiceName(name)
        self.shape = shape or Shape()
        self.rate = rate
        self.is_known = False
        """Whether it was added, and not removed since."""

    def push(self, version: Version | str, shape: Shape | None = None) -> SimulatedRun:
        """Commit a version to the main branch; its run."""
        version = self.world.version(version) if isinstance(version, str) else version
        self.shape = shape or self.shape
        if self.shape.window:
            self.world.windows[self.name, version.commit] = self.shape.window
        if self.shape.demand != NOTHING:
            self.world.files[self.name, version.commit] = self.shape.demand
        change = Change(version.commit, "Carl", "carl@example.org", self.world.clock.now(), f"Make {version.name}")
        pushed = Pushed(change, version.order, pipeline_text(self.name, self.shape))
        if not self.is_known:
            self._add(pushed)
        else:
            self._do(
                lambda server: server.services.push(self.name, [pushed]),
                lambda connection: self._service(connection).last_seen == version.commit,
            )
        return self.run_of(version)

    def run_of(self, version: Version | str) -> SimulatedRun:
        """The newest run of a version."""
        version = self.world.version(version) if isinstance(version, str) else version
        with self.world.database.reading() as connection:
            runs = queries.newest_runs(connection, self.name)
        return SimulatedRun(self, next(one.id for one in runs if one.change.commit == version.commit))

    @property
    def row(self) -> Service:
        """How it is recorded."""
        with self.world.database.reading() as connection:
            return self._service(connection)

    def runs(self) -> tuple[SimulatedRun, ...]:
        """All its runs, the newest first."""
        with self.world.database.reading() as connection:
            return tuple(SimulatedRun(self, one.id) for one in queries.newest_runs(connection, self.name, limit=1000))

    def approve(self, run: SimulatedRun, by: Actor = ANNA, stage: str | None = None) -> None:
        """Say yes where the run asks, or at a stage that it has not reached."""
        before = self._answers(run)
        self._do(
            lambda server: server.runs.answer(run.id, Answer.APPROVED, by, stage=stage),
            lambda connection: len(queries.approvals(connection, run.id)) > before,
        )

    def reject(self, run: SimulatedRun, by: Actor = ANNA) -> None:
        """Say no where the run asks."""
        before = self._answers(run)
        self._do(
            lambda server: server.runs.answer(run.id, Answer.REJECTED, by, comment="not today"),
            lambda connection: len(queries.approvals(connection, run.id)) > before,
        )

    def withdraw(self, run: SimulatedRun, by: Actor = ANNA, stage: str | None = None) -> None:
        """Take a yes back."""
        before = self._answers(run)
        self._do(
            lambda server: server.runs.withdraw(run.id, by, stage=stage),
            lambda connection: len(queries.approvals(connection, run.id)) > before,
        )

    def break_glass(self, run: SimulatedRun, by: Actor = ANNA, stage: str | None = None) -> None:
        """Open a gate of the run, whatever it says."""
        with self.world.database.reading() as connection:
            before = len(gate_queries.broken_glass(connection, run.id))
        self._do(
            lambda server: server.glass.break_glass(run.id, "it burns", by, stage=stage),
            lambda connection: len(gate_queries.broken_glass(connection, run.id)) > before,
        )

    def ask_again(self, run: SimulatedRun, by: Actor = ANNA) -> None:
        """Have asked again outside what nobody answered."""
        before = self._questions(run)
        self._do(
            lambda server: server.questions.ask_again(run.id, by),
            lambda connection: self._questions(run) > before,
        )

    def set_secret(self, name: str, value: str, by: Actor = ANNA) -> None:
        """Let the service, which need not be there yet, have a secret."""
        self._do(
            lambda server: server.services.set_secret(self.name, name, value, by),
            lambda connection: queries.secret(connection, self.name, name) is not None,
        )

    def freeze(self, wanted: WantedFreeze, by: Actor = ANNA) -> None:
        """Let nothing into an environment for a time."""
        with self.world.database.reading() as connection:
            before = self._freezes(connection)
        self._do(
            lambda server: server.freezes.freeze(wanted, by), lambda connection: self._freezes(connection) != before
        )

    def thaw(self, by: Actor = ANNA) -> None:
        """End every freeze that holds or is planned."""
        with self.world.database.reading() as connection:
            freezes = self._freezes(connection)
        for freeze in freezes:
            with suppress(Refused):  # it was over before the server was up again
                self._do(
                    lambda server, freeze=freeze: server.freezes.lift(freeze, by),  # type: ignore[misc]
                    lambda connection, freeze=freeze: freeze not in self._freezes(connection),  # type: ignore[misc]
                )

    def cancel(self, run: SimulatedRun, by: Actor = ANNA) -> None:
        """Stop the run."""
        self._do(
            lambda server: server.runs.cancel(run.id, by),
            lambda connection: self._run(connection, run).cancel_asked_by is not None,
        )

    def promote(self, run: SimulatedRun, by: Actor = ANNA) -> None:
        """End the run's share now."""
        self._do(
            lambda server: server.runs.promote(run.id, by),
            lambda connection: any(one.promoted_by for one in queries.rollouts_of_run(connection, run.id)),
        )

    def hold(self, run: SimulatedRun, by: Actor = ANNA) -> None:
        """Let the run go no further."""
        self._do(
            lambda server: server.runs.hold(run.id, by),
            lambda connection: self._run(connection, run).held_by is not None,
        )

    def let_go(self, run: SimulatedRun, by: Actor = ANNA) -> None:
        """Let a held run go on."""
        self._do(
            lambda server: server.runs.resume(run.id, by),
            lambda connection: self._run(connection, run).held_by is None,
        )

    def retry(self, run: SimulatedRun, by: Actor = ANNA) -> None:
        """Try the run again."""
        self._do(
            lambda server: server.runs.retry(run.id, by),
            lambda connection: not self._run(connection, run).status.is_ended,
        )

    def roll_back(
        self, environment: str = PRODUCTION, by: Actor = ANNA, *, to: Version | None = None, stop: bool = False
    ) -> None:
        """Return to the last good deployment, or to that of a version, or (with `stop`) to nothing."""
        release = to.commit[:8] if to else None

        def going(connection: Connection) -> bool:
            placement = queries.placement(connection, placement_id(self.name, EnvironmentName(environment)))
            owner = queries.rollout(connection, placement.rollout) if placement else None
            old = queries.deployment(connection, owner.old) if owner and owner.old else None
            wanted = old is None if stop else to is None or (old is not None and old.commit == to.commit)
            asked = (owner.rollback_asked or owner.held_at_floor) if owner else None
            return bool(wanted and asked and asked.actor == by)

        def ask(server: SimulatedServer) -> None:
            try:
                server.placements.roll_back(self.name, environment, by, release=release, stop=stop)
            except Refused as refused:
                if to is None and not stop and self._has_a_way_back(environment):
                    raise RuleBroken("8 a rollback is never refused", str(refused)) from None
                raise

        self._do(ask, going)

    def lift_floor(self, environment: str = PRODUCTION, by: Actor = ANNA) -> None:
        """Say that what could not be undone was undone by hand."""

        def is_lifted(connection: Connection) -> bool:
            placement = queries.placement(connection, placement_id(self.name, EnvironmentName(environment)))
            return placement is None or placement.floor is None

        self._do(lambda server: server.placements.lift_floor(self.name, environment, by, "it is restored"), is_lifted)

    def _has_a_way_back(self, environment: str) -> bool:
        """Whether something serves there, and another deployment passed before and was not blamed since."""
        placement = self.placement(environment)
        if self.row.removed_at or placement is None or placement.serving is None:
            return False
        with self.world.database.reading() as connection:
            owner = queries.rollout(connection, placement.rollout)
            here = queries.deployments_of_placement(connection, placement.id)
        leaving = owner.new if owner and not owner.state.is_ended else placement.serving
        return any(one.proven_at and not one.is_quarantined and one.id != leaving for one in here)

    def deploy(self, version: Version | str, environment: str = PRODUCTION, by: Actor = ANNA) -> SimulatedRun:
        """Ask for one version in one environment."""
        version = self.world.version(version) if isinstance(version, str) else version
        before = len(self.runs())
        self._do(
            lambda server: server.placements.deploy(self.name, environment, version.commit[:8], by),
            lambda connection: len(queries.newest_runs(connection, self.name, limit=1000)) > before,
        )
        return self.run_of(version)

    def drill(self, environment: str = PRODUCTION, by: Actor = ANNA) -> SimulatedRun:
        """Practise a rollback there; the run that does."""
        before = self.drills()
        self._do(
            lambda server: server.drills.begin(self.name, environment, by, in_protected=True),
            lambda connection: len(drill_queries.drills(connection, self.name)) > len(before),
        )
        return SimulatedRun(self, self.drills()[0].run)

    def drills(self) -> tuple[Drill, ...]:
        """All its drills, the newest first."""
        with self.world.database.reading() as connection:
            return drill_queries.drills(connection, self.name)

    def pause(self, by: Actor = ANNA) -> None:
        """Let nothing of it pass a gate."""
        self._do(
            lambda server: server.services.pause(self.name, by, "a bad day"),
            lambda connection: self._service(connection).paused_because is not None,
        )

    def go(self, by: Actor = ANNA) -> None:
        """Lift a pause and a stopped line."""

        def goes(connection: Connection) -> bool:
            service = self._service(connection)
            return service.line_stopped_because is None and service.paused_because is None

        self._do(lambda server: server.services.resume(self.name, by, "it is well"), goes)

    def remove(self, by: Actor = ANNA) -> None:
        """Forget the service, and stop everything of it."""
        self._do(
            lambda server: server.services.remove(self.name, by),
            lambda connection: self._service(connection).removed_at is not None,
        )
        self.is_known = False

    def grant(self, mode: Mode = Mode.DEPLOYMENT, by: Actor = ANNA) -> None:
        """Say who opens the gates to protected environments: policy, or people."""
        self._do(
            lambda server: server.services.grant_mode(self.name, mode, by, "it has earned it"),
            lambda connection: self._service(connection).grant is mode,
        )

    def serving(self, environment: str = PRODUCTION) -> str | None:
        """The version that the router gives most of the traffic to; None where nothing serves."""
        wanted = placement_id(self.name, EnvironmentName(environment))
        split = Split.of(self.world.router.shares(wanted))
        if not split.fractions:
            return None
        deployment = max(split.fractions, key=lambda one: split.fractions[one])
        folder = self.world.target.folders.get(deployment)
        return folder.version.name if folder else None

    def placement(self, environment: str = PRODUCTION) -> Placement | None:
        """How the placement is recorded."""
        with self.world.database.reading() as connection:
            return queries.placement(connection, placement_id(self.name, EnvironmentName(environment)))

    def placements(self) -> tuple[Placement, ...]:
        """All its placements."""
        with self.world.database.reading() as connection:
            return queries.placements(connection, self.name)

    def count(self, kind: EventKind) -> int:
        """How many events of a kind the service has."""
        return sum(
            one.event.kind is kind and one.event.about.get("service") == self.name for one in self.world.rules.seen
        )

    def _add(self, pushed: Pushed) -> None:
        service = Service(self.name, f"sim:{self.name}", self.world.clock.now(), last_seen=pushed.change.commit)
        self._do(
            lambda server: server.services.add(service, pushed, ANNA),
            lambda connection: queries.service(connection, self.name) is not None,
        )
        self.is_known = True
        if self.shape.mode is Mode.DEPLOYMENT and not self.world.floor.never_automatic:
            self.grant()
        for environment in self.world.protected:
            self.world.traffic.set_rate(PlacementId(f"{self.name}/{environment}"), self.rate)

    def _do(self, act: Callable[[SimulatedServer], object], done: Callable[[Connection], bool]) -> None:
        """Do something, and again where a crash swallowed it. Raises Refused."""
        for _ in range(TRIES_AT_MOST):
            server = self.world.up()
            survived = self.world.surviving(lambda server=server: act(server))  # type: ignore[misc]
            if survived:
                return
            with self.world.database.reading() as connection:
                if done(connection):
                    return
        raise AssertionError("an act of a person never survived")

    def _freezes(self, connection: Connection) -> tuple[str, ...]:
        return tuple(one.id for one in time_queries.freezes(connection, self.world.server_clock.now()))

    def _answers(self, run: SimulatedRun) -> int:
        with self.world.database.reading() as connection:
            return len(queries.approvals(connection, run.id))

    def _questions(self, run: SimulatedRun) -> int:
        with self.world.database.reading() as connection:
            return len(time_queries.questions_of_run(connection, run.id))

    def _run(self, connection: Connection, run: SimulatedRun) -> Run:
        found = queries.run(connection, run.id)
        assert found is not None
        return found

    def _service(self, connection: Connection) -> Service:
        found = queries.known_service(connection, self.name)
        assert found is not None
        return found
