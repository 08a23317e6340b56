"""A real server on a real engine and SQLite; only what it deploys to is made up."""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import httpx
import uvicorn
from argon2.profiles import CHEAPEST
from tests.integration.store.empty import empty_database

from tidegate.api.app import ApiParts, create_app
from tidegate.api.event_feed import EventFeed
from tidegate.api.wakeup import Wakeup
from tidegate.artifacts.folder import FolderStore
from tidegate.engine.agents import AgentActs
from tidegate.engine.alerts import AlertActs
from tidegate.engine.asking import Asker
from tidegate.engine.authority import Authority
from tidegate.engine.authorship import AuthorshipActs
from tidegate.engine.clock import SystemClock
from tidegate.engine.creation import Pushed
from tidegate.engine.drills import DrillActs
from tidegate.engine.engine import Engine
from tidegate.engine.entrance import make_entrance
from tidegate.engine.evidence import EvidenceActs
from tidegate.engine.freezes import FreezeActs
from tidegate.engine.glass import GlassActs
from tidegate.engine.ids import new_ulid
from tidegate.engine.incidents import IncidentActs
from tidegate.engine.leasing import Leasing
from tidegate.engine.notifications import Notifications
from tidegate.engine.parts import Parts, Settings
from tidegate.engine.people import PeopleActs
from tidegate.engine.placements import PlacementActs
from tidegate.engine.provider_accounts import ProviderAccounts
from tidegate.engine.provider_sign_in import ProviderSignIn
from tidegate.engine.quarantines import QuarantineActs
from tidegate.engine.questions import QuestionActs
from tidegate.engine.queue import InProcessQueue
from tidegate.engine.record import RecordActs
from tidegate.engine.refusal import Refusal, Refused
from tidegate.engine.runs import RunActs
from tidegate.engine.services import ServiceActs
from tidegate.engine.step_logs import StepLogs
from tidegate.engine.train_acts import TrainActs
from tidegate.integrations.apprise_notifier import AppriseNotifier
from tidegate.integrations.asking import Heard
from tidegate.judge.judge import Case
from tidegate.model.actor import Actor, ActorKind
from tidegate.model.change import Change
from tidegate.model.channel import Channel
from tidegate.model.environment import DEFAULT_ENVIRONMENTS
from tidegate.model.figures import Counters
from tidegate.model.ids import Commit, DeploymentId, Generation, PlacementId, ServiceName
from tidegate.model.installation import (
    DesiredInstallation,
    Endpoint,
    Installation,
    InstallationState,
    Instance,
    InstanceState,
    ObservedRouting,
    Routing,
)
from tidegate.model.people import Role
from tidegate.model.provider_person import ProviderSettings
from tidegate.model.service import Service
from tidegate.model.step_inputs import InputFile, Listing
from tidegate.model.train import Train
from tidegate.model.verdict import Judgement, MetricFinding, Verdict
from tidegate.security.attempts import Patience, SignInLimits
from tidegate.security.password_hash import PasswordHashes
from tidegate.security.permission import agent_identity, everywhere, local_agent_identity
from tidegate.security.private_file import read_private
from tidegate.security.provider import Provider
from tidegate.security.secret_box import SecretBox
from tidegate.security.sign_in import SignIn
from tidegate.security.signing_key import SigningKeyFile
from tidegate.security.tokens import Tokens
from tidegate.store.database import Database, sqlite_url
from tidegate.store.migrate import migrate
from tidegate.web.pages import add_pages

LIMIT_SECONDS = 60.0
ADMIN, SECOND, AGENT = "admin-token-for-tests", "second-token-for-tests", "agent-token-for-tests"
ALERTS = "alerts-token-for-tests"

PIPELINE = """\
service: shop
build:
  steps:
    - {name: unit tests, run: make test}
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
    deploy:
      strategy: canary
      shares: [5%, 25%]
    verify: {at_most: 10m, watch: 1m}
"""

START = datetime(2026, 3, 2, 12, tzinfo=UTC)
"""Where the limits of sign-ins have their time from: it passes only when a test puts the clock forward."""

Found = TypeVar("Found")


def eventually(look: Callable[[], Found | None], what: str, limit: float = LIMIT_SECONDS) -> Found:
    """The first answer of `look` that is neither None nor False."""
    give_up_at = time.monotonic() + limit
    pause = threading.Event()
    while time.monotonic() < give_up_at:
        found = look()
        if found is not None and found is not False:
            return found
        pause.wait(0.02)
    raise AssertionError(f"{what} did not come within {limit:.0f} s")


class ObedientTarget:
    """Installs everything at once."""

    def __init__(self) -> None:
        self.installed: dict[DeploymentId, Installation] = {}

    def apply(self, desired: DesiredInstallation, generation: Generation) -> Installation:
        instances = tuple(
            Instance(index, Endpoint("127.0.0.1", desired.ports[index]), InstanceState.HEALTHY)
            for index in range(desired.instances)
        )
        state = InstallationState.READY if instances else InstallationState.ABSENT
        self.installed[desired.deployment] = Installation(state, instances)
        return self.installed[desired.deployment]

    def observe(self, deployment: DeploymentId) -> Installation:
        return self.installed.get(deployment, Installation(InstallationState.ABSENT))


class ObedientRouter:
    """Confirms every split at once."""

    def __init__(self) -> None:
        self.held: dict[PlacementId, Routing] = {}

    def set_shares(self, routing: Routing, generation: Generation) -> ObservedRouting | None:
        self.held[routing.placement] = routing
        return ObservedRouting(generation, datetime.now(UTC))

    def shares(self, placement: PlacementId) -> Routing | None:
        return self.held.get(placement)

    def drained(self, placement: PlacementId, deployment: DeploymentId, endpoints: Collection[Endpoint]) -> bool:
        return True


class SteadyUsers:
    """Every look finds twenty more requests; of the deployments in `failing` a quarter failed."""

    def __init__(self) -> None:
        self.failing: set[DeploymentId] = set()
        self._looks: dict[DeploymentId, int] = {}

    def counters(
        self, placement: PlacementId, deployments: Collection[DeploymentId]
    ) -> Mapping[DeploymentId, Counters]:
        for one in deployments:
            self._looks[one] = self._looks.get(one, 0) + 1
        return {
            one: Counters(20 * self._looks[one], 5 * self._looks[one] if one in self.failing else 0)
            for one in deployments
        }


class ToldJudge:
    """Says what the test tells it to say, once there is something to judge."""

    def __init__(self) -> None:
        self.verdict = Verdict.PASS

    def judge(self, case: Case) -> Judgement:
        if not case.batches:
            return Judgement(Verdict.UNDECIDED, "nothing was measured at this step yet")
        finding = MetricFinding("errors", 0.4, 0.3, 0.6, "%", self.verdict)
        latency = MetricFinding("latency p95", 48.2, 47.9, 0.71, "ms", self.verdict)
        words = {
            Verdict.PASS: "errors: 0.4% of 500 requests on the new deployment, 0.3% on the old one",
            Verdict.UNDECIDED: "errors: 2% or more is not excluded yet, about 40 s to go",
            Verdict.FAIL: "errors: 25% of 40 requests on the new deployment, 0.3% on the old one (p = 2e-12)",
            Verdict.NO_DATA: "no requests reached the new deployment",
        }
        return Judgement(self.verdict, words[self.verdict], "errors", (finding, latency))


class ListedOutside:
    """Whoever is asked outside: `answers` are given one after another, then `usual`; what was asked is kept."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any], Mapping[str, str]]] = []
        self.answers: list[Heard | BaseException] = []
        self.usual = Heard(202, b"")

    def ask(self, url: str, body: bytes, headers: Mapping[str, str]) -> Heard:
        self.asked.append((url, json.loads(body), headers))
        answer = self.answers.pop(0) if self.answers else self.usual
        if isinstance(answer, BaseException):
            raise answer
        return answer


class CountedPorts:
    """Ports that nobody listens on, since nothing does here."""

    def for_placement(self, taken: frozenset[int]) -> int:
        return max({18000, *(one for one in taken if one < 20000)}) + 1

    def for_instance(self, taken: frozenset[int]) -> int:
        return max({20000, *taken}) + 1


class OneSource:
    """Where every service's commits are."""

    def source_of(self, service: ServiceName) -> str:
        return f"/repositories/{service}"


class PaperRepositories:
    """Repositories that exist by their names; `text` is what their tidegate.yaml says."""

    def __init__(self) -> None:
        self.text = PIPELINE
        self.listing = Listing((InputFile("tidegate.yaml", "100644", "1" * 40),))
        self._numbers = itertools.count(1)

    def next_commit(self, subject: str = "Add discounts") -> Pushed:
        number = next(self._numbers)
        commit = Commit(f"{number:02x}c0ffee" + "0" * 32)
        change = Change(commit, "Ada <b>", "ada@example.com", datetime.now(UTC), subject)
        return Pushed(change, number, self.text, listing=self.listing)

    def describe(
        self,
        repository: str,
        name: str | None = None,
        path: str = ".",
        branch: str | None = None,
        credential: str | None = None,
    ) -> tuple[Service, Pushed]:
        if "missing" in repository:
            raise Refused(Refusal.INVALID, f"there is no repository at {repository}", "tidegate service add REPOSITORY")
        pushed = self.next_commit("First version")
        found = Service(ServiceName(name or "shop"), repository, datetime.now(UTC), path=path, branch=branch or "main")
        return found, pushed


class MovableClock(SystemClock):
    """The system's, and what it was put forward."""

    ahead = timedelta(0)

    def now(self) -> datetime:
        """The time."""
        return super().now() + self.ahead

    def forward(self, by: timedelta) -> None:
        """Put it forward."""
        self.ahead += by


class World:
    """A server in a folder, and what people and an agent do with it over HTTP."""

    def __init__(
        self,
        folder: Path,
        unknown_tokens: int = 1000,
        provider: ProviderSettings | None = None,
        database: str | None = None,
    ) -> None:
        self.target, self.router, self.users, self.judge = (
            ObedientTarget(),
            ObedientRouter(),
            SteadyUsers(),
            ToldJudge(),
        )
        self.repositories = PaperRepositories()
        self.trains: dict[str, Train] = {}
        self.clock = MovableClock()
        file = folder / "tidegate.sqlite3"
        if not file.exists():
            file.write_bytes(empty_database())
        self.database = Database(database or sqlite_url(file), durable=False)
        migrate(self.database)
        secrets = SecretBox(folder / "secret-key")
        parts = Parts(
            database=self.database,
            clock=self.clock,
            new_id=new_ulid,
            environments=DEFAULT_ENVIRONMENTS,
            trains=self.trains,
            target=self.target,
            router=self.router,
            metrics=self.users,
            judge=self.judge,
            secrets=secrets,
            ports=CountedPorts(),
            sources=OneSource(),
            settings=Settings(
                batch=timedelta(milliseconds=100),
                install_poll=timedelta(milliseconds=10),
                route_poll=timedelta(milliseconds=10),
                drain_poll=timedelta(milliseconds=10),
            ),
        )
        steps_ready = Wakeup()
        self.outside = ListedOutside()
        self.queue = InProcessQueue(self.clock, lambda subject: self.engine.look(subject))  # noqa: PLW0108  it is made below
        hint = self.queue.hint
        self.asker = Asker(self.database, self.clock, parts.secrets, self.outside, "http://tidegate.example", hint)
        self.asking = InProcessQueue(self.clock, self.asker.look, threads=1)
        self.asker.again = lambda question, at: self.asking.hint(f"question:{question}", at)
        self.engine = Engine(parts, self.queue, steps_ready=steps_ready.notify, ask=self.asker.again)
        self.owner = everywhere(Actor(ActorKind.PERSON, "owner"), Role.ADMIN)
        logs = StepLogs(folder / "logs")
        services, incidents = ServiceActs(self.engine), IncidentActs(self.engine)
        leasing = Leasing(self.engine, logs)
        agents = AgentActs(self.engine, leasing)
        self.people = PeopleActs(self.engine)
        self.csrf_of = lambda cookie: secrets.mark("csrf", cookie)
        entrance = make_entrance(
            self.engine,
            self.csrf_of,
            PasswordHashes(CHEAPEST),
            SignInLimits(lambda: START + self.clock.ahead, of_token=Patience(free=unknown_tokens)),
            provider=self._sign_in_with(provider, folder, secrets) if provider else None,
        )
        self.record = RecordActs(parts, SigningKeyFile(folder / "record-key"))
        self.record.begin()
        self.api = ApiParts(
            engine=self.engine,
            runs=RunActs(self.engine),
            placements=PlacementActs(self.engine),
            freezes=FreezeActs(self.engine),
            incidents=incidents,
            drills=DrillActs(self.engine),
            alerts=AlertActs(self.engine, incidents, lambda: ALERTS),
            questions=QuestionActs(self.engine),
            asker=self.asker,
            services=services,
            trains=TrainActs(self.engine),
            quarantines=QuarantineActs(self.engine),
            leasing=leasing,
            agents=agents,
            people=self.people,
            glass=GlassActs(self.engine),
            authorship=AuthorshipActs(self.engine),
            record=self.record,
            evidence=EvidenceActs(parts, self.record),
            authority=Authority(self.engine),
            notifications=Notifications(
                parts,
                [Channel("leads", "leads-urls")],
                lambda channel: AppriseNotifier(partial(read_private, folder / channel.urls_file)),
                "http://tidegate.example",
            ),
            logs=logs,
            artifacts=FolderStore(folder / "artifacts"),
            tokens=Tokens(lambda token: agent_identity(agents.name_of(token)) or self.people.identity_of(token)),
            sign_in=SignIn(self.owner, self.clock.now, entrance.sessions),
            entrance=entrance,
            repositories=self.repositories,
            events=EventFeed(self.database),
            steps_ready=steps_ready,
            ready=threading.Event(),
            hosts=frozenset({"tidegate.example"}),
            artifact_bytes=2 * 1024 * 1024,
        )
        self.api.tokens.add(ADMIN, self.owner)
        self.api.tokens.add(SECOND, everywhere(Actor(ActorKind.PERSON, "second"), Role.ADMIN))
        self.api.tokens.add(AGENT, local_agent_identity())
        self.app = create_app(self.api)
        add_pages(self.app, self.api)
        self.address = ""

    def _sign_in_with(self, settings: ProviderSettings, folder: Path, secrets: SecretBox) -> ProviderSignIn:
        accounts = ProviderAccounts(self.engine, settings, ("owner",))
        return ProviderSignIn(self.engine, Provider(settings, folder, self.clock.now), accounts, settings, secrets)

    def client(self, token: str | None = ADMIN, **options: Any) -> httpx.Client:
        """A client with that token, or with none."""
        headers = {"authorization": f"Bearer {token}"} if token else {}
        # without certificates, whose reading would take longer than most requests
        return httpx.Client(base_url=self.address, headers=headers, timeout=LIMIT_SECONDS, verify=False, **options)

    def get(self, path: str, **query: Any) -> Any:
        """What the API answers the administrator."""
        with self.client() as client:
            answer = client.get(f"/api/v1{path}", params=query)
        assert answer.is_success, answer.text
        return answer.json()

    def post(self, path: str, body: dict[str, Any] | None = None, token: str = ADMIN) -> Any:
        """What the API answers to an act."""
        with self.client(token) as client:
            answer = client.post(f"/api/v1{path}", json=body or {})
        assert answer.is_success, answer.text
        return answer.json()

    def put(self, path: str, body: dict[str, Any]) -> Any:
        """What the API answers the administrator who sets something."""
        with self.client() as client:
            answer = client.put(f"/api/v1{path}", json=body)
        assert answer.is_success, answer.text
        return answer.json()

    def add_shop(self) -> str:
        """Add the service; its first run."""
        return str(self.post("/services", {"repository": "/repositories/shop"})["run"]["id"])

    def push(self, subject: str = "Add discounts") -> str:
        """A new commit; its run."""
        (run,) = self.api.services.push(ServiceName("shop"), [self.repositories.next_commit(subject)])
        return run.id

    def build(self, *, lines: Sequence[str] = ("collected 12 items", "12 passed"), fails: bool = False) -> None:
        """Perform steps as an agent does, over HTTP, until no more is ready at once."""
        with self.client(AGENT) as agent:
            done = 0
            while done < 2:
                leases = agent.post("/api/v1/agents/one/lease", json={"slots_free": 1, "held": []}).json()
                for lease in leases:
                    self._perform(agent, lease, lines, fails)
                    done += 1
                if fails:
                    return

    def _perform(self, agent: httpx.Client, lease: dict[str, Any], lines: Sequence[str], fails: bool) -> None:
        now = datetime.now(UTC).isoformat()
        path, own = f"/api/v1/steps/{lease['step_run']}", {"attempt": lease["attempt"], "fence": lease["fence"]}
        sent = [{"at": now, "text": line} for line in lines]
        assert agent.post(f"{path}/log", json={**own, "first": 0, "lines": sent}).json() == {"next": len(lines)}
        report: dict[str, Any] = {
            "outcome": "failed" if fails else "succeeded",
            "exit_code": int(fails),
            "detail": "exit status 1" if fails else "",
            "began_at": now,
            "ended_at": now,
        }
        if lease["step"]["name"] == "unit tests" and not fails:
            report |= {"tests": {"total": 12, "failed": 0, "skipped": 0}, "line_coverage": 91.5}
        assert agent.post(f"{path}/result", json={**own, "report": report}).json() == {"accepted": True}

    def status_of(self, run: str) -> str:
        """How a run stands."""
        return str(self.get(f"/runs/{run}")["status"])

    def waits(self, run: str) -> dict[str, Any]:
        """The run, once it waits for a person at the gate to production."""

        def _look() -> dict[str, Any] | None:
            found: dict[str, Any] = self.get(f"/runs/{run}")
            return found if found["status"] == "waiting" else None

        return eventually(_look, f"run {run} at its gate")

    def ends(self, run: str) -> dict[str, Any]:
        """The run, once it has ended."""

        def _look() -> dict[str, Any] | None:
            found: dict[str, Any] = self.get(f"/runs/{run}")
            return found if found["ended_at"] else None

        return eventually(_look, f"the end of run {run}")

    def shop_in_production(self) -> str:
        """Add the service and take its first version all the way; its run."""
        run = self.add_shop()
        self.build()
        self.waits(run)
        self.post(f"/runs/{run}/approve")
        assert self.ends(run)["status"] == "succeeded"
        return run


@contextmanager
def a_world(folder: Path, **options: Any) -> Iterator[World]:
    """A served world, ended afterwards."""
    world = World(folder, **options)
    config = uvicorn.Config(world.app, host="127.0.0.1", port=0, log_level="error", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    eventually(lambda: server.started or None, "the server")
    world.address = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    world.queue.start()
    world.asking.start()
    world.api.ready.set()
    try:
        yield world
    finally:
        server.should_exit = True
        thread.join(LIMIT_SECONDS)
        world.queue.stop()
        world.asking.stop()
        world.database.close()
