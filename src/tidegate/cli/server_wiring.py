"""How a server's parts are put together: the engine, what people and agents ask of it, and what it looks after."""

from __future__ import annotations

import getpass
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tidegate.api.event_feed import EventFeed
from tidegate.api.parts import ApiParts
from tidegate.api.wakeup import Wakeup
from tidegate.cli.rehearsal_process import RehearsalProcess
from tidegate.cli.server_parts import ServerParts, agent_program, envoy_program
from tidegate.cli.upkeep import Upkeep
from tidegate.engine.agents import AgentActs
from tidegate.engine.alerts import AlertActs
from tidegate.engine.asking import Asker
from tidegate.engine.authority import Authority
from tidegate.engine.authorship import AuthorshipActs
from tidegate.engine.drills import DrillActs
from tidegate.engine.engine import Engine
from tidegate.engine.entrance import make_entrance
from tidegate.engine.evidence import EvidenceActs
from tidegate.engine.freezes import FreezeActs
from tidegate.engine.glass import GlassActs
from tidegate.engine.incidents import IncidentActs
from tidegate.engine.leasing import Leasing
from tidegate.engine.measuring import Measuring
from tidegate.engine.notifications import Notifications
from tidegate.engine.people import PeopleActs
from tidegate.engine.placements import PlacementActs
from tidegate.engine.quarantines import QuarantineActs
from tidegate.engine.questions import QuestionActs
from tidegate.engine.queue import InProcessQueue
from tidegate.engine.record import RecordActs
from tidegate.engine.rehearsal_schedule import RehearsalSchedule
from tidegate.engine.repositories import Repositories
from tidegate.engine.runs import RunActs
from tidegate.engine.services import ServiceActs
from tidegate.engine.step_logs import StepLogs
from tidegate.engine.train_acts import TrainActs
from tidegate.integrations.apprise_notifier import AppriseNotifier
from tidegate.integrations.asking import HttpOutside
from tidegate.metrics.command import CommandSource
from tidegate.metrics.prometheus import PrometheusSource
from tidegate.metrics.question import FigureSource
from tidegate.metrics.synthetic import SyntheticSender
from tidegate.model.actor import Actor, ActorKind
from tidegate.model.metric import SourceName
from tidegate.model.people import Role
from tidegate.security.permission import Identity, agent_identity, everywhere, local_agent_identity
from tidegate.security.private_file import read_private
from tidegate.security.sign_in import SignIn
from tidegate.security.signing_key import SigningKeyFile
from tidegate.security.tokens import Tokens, ensure_token

if TYPE_CHECKING:
    from tidegate.engine.provider_sign_in import ProviderSignIn

log = logging.getLogger(__name__)
ADMIN_TOKEN = "admin-token"  # noqa: S105  the file's name

MEASURING_THREADS = 4
"""So many rollouts have their metrics read at once; a source that is slow keeps these waiting."""

ASKING_THREADS = 2
"""An address outside that is slow to answer keeps these waiting, and not what looks at runs."""


@dataclass(frozen=True, slots=True)
class Wired:
    """A server that is ready to start: the API's parts, and what runs in threads beside it."""

    api: ApiParts
    queue: InProcessQueue
    asking: InProcessQueue
    measuring: InProcessQueue
    repositories: Repositories
    upkeep: Upkeep
    notifications: Notifications

    def start(self) -> None:
        """Bring up supervisord and its programs, then look at everything that is open."""
        self.upkeep.bring_up()
        self.queue.start()
        self.asking.start()
        self.measuring.start()
        self.upkeep.start()
        self.repositories.start()
        self.notifications.start()

    def stop(self) -> None:
        """Stop the threads; what supervisord keeps alive goes on."""
        self.notifications.stop()
        self.repositories.stop()
        self.upkeep.stop()
        self.queue.stop()
        self.asking.stop()
        self.measuring.stop()
        self.upkeep.sign_record()


class _LateEngine:
    """The queue looks through the engine, and the engine hints at the queue: one of them has to come first."""

    engine: Engine

    def look(self, subject: str) -> None:
        self.engine.look(subject)


def wire(parts: ServerParts, address: str, host: str, envoy: Path) -> Wired:
    """Put a server together that will answer at `address`."""
    late = _LateEngine()
    queue = InProcessQueue(parts.engine.clock, late.look)
    asker = _asker(parts, address, queue)
    asking = InProcessQueue(parts.engine.clock, asker.look, ASKING_THREADS)
    asker.again = lambda question, at: asking.hint(f"question:{question}", at)
    steps_ready = Wakeup()
    measuring = InProcessQueue(parts.engine.clock, _measuring(parts).look, MEASURING_THREADS)
    engine = late.engine = Engine(
        parts.engine,
        queue,
        steps_ready=steps_ready.notify,
        ask=asker.again,
        measure=lambda placement: measuring.hint(f"figures:{placement}"),
    )
    services, incidents, drills = ServiceActs(engine), IncidentActs(engine), DrillActs(engine)
    alerts = AlertActs(engine, incidents, _alerts_token(parts))
    logs = StepLogs(parts.data / "logs" / "steps")
    leasing = Leasing(engine, logs)
    agents = AgentActs(engine, leasing)
    quarantines = QuarantineActs(engine)
    people = PeopleActs(engine)
    entrance = make_entrance(
        engine,
        lambda cookie: parts.secrets.mark("csrf", cookie),
        address=parts.configuration.address,
        provider=_provider(parts, engine),
    )
    record = RecordActs(parts.engine, SigningKeyFile(parts.data / "record-key"))
    notifications = _notifications(parts, address)
    repositories = Repositories(parts.engine, parts.mirrors, services, parts.configuration.poll_interval)
    programs = (envoy_program(parts.data, envoy), agent_program(parts.data, address, parts.isolation))
    owner = everywhere(Actor(ActorKind.PERSON, getpass.getuser()), Role.ADMIN)
    tokens = _tokens(parts.data, owner, agents, people)
    rehearsed = RehearsalSchedule(parts.engine, RehearsalProcess(parts.data), tokens)
    api = ApiParts(
        engine=engine,
        runs=RunActs(engine),
        placements=PlacementActs(engine),
        freezes=FreezeActs(engine),
        incidents=incidents,
        drills=drills,
        alerts=alerts,
        questions=QuestionActs(engine),
        asker=asker,
        services=services,
        trains=TrainActs(engine),
        quarantines=quarantines,
        leasing=leasing,
        agents=agents,
        people=people,
        glass=GlassActs(engine),
        authorship=AuthorshipActs(engine),
        record=record,
        evidence=EvidenceActs(parts.engine, record),
        authority=Authority(engine),
        notifications=notifications,
        logs=logs,
        artifacts=parts.artifacts,
        tokens=tokens,
        sign_in=SignIn(owner, parts.engine.clock.now, entrance.sessions),
        entrance=entrance,
        repositories=repositories,
        events=EventFeed(parts.engine.database),
        steps_ready=steps_ready,
        ready=threading.Event(),
        hosts=frozenset({host, *_named(parts.configuration.address)}),
    )
    sender = SyntheticSender()
    upkeep = Upkeep(parts, engine, leasing, agents, quarantines, drills, rehearsed, alerts, record, programs, sender)
    return Wired(api, queue, asking, measuring, repositories, upkeep, notifications)


def _measuring(parts: ServerParts) -> Measuring:
    """Who reads the metrics of services' own, and where from."""
    sources: dict[SourceName, FigureSource] = {SourceName.COMMAND: CommandSource(parts.isolation.run_as)}
    configured = parts.configuration.prometheus
    if configured:
        token = partial(read_private, parts.data / configured.token_file) if configured.token_file else None
        sources[SourceName.PROMETHEUS] = PrometheusSource(configured.url, token)
    return Measuring(parts.engine, sources)


def _alerts_token(parts: ServerParts) -> Callable[[], str] | None:
    """What Alertmanager proves itself with: the file is read each time, so that another token counts at once."""
    name = parts.configuration.alerts_token_file
    if name is None:
        return None
    read = partial(ensure_token, parts.data / name)
    read()  # whoever configures Alertmanager finds it
    return read


def _asker(parts: ServerParts, address: str, queue: InProcessQueue) -> Asker:
    configuration, engine = parts.configuration, parts.engine
    outside = HttpOutside(configuration.hosts)
    reached_at = configuration.address or address
    return Asker(engine.database, engine.clock, engine.secrets, outside, reached_at, queue.hint)


def _named(address: str | None) -> tuple[str, ...]:
    """The name by which browsers call the server, where it is configured."""
    name = urlsplit(address).hostname if address else None
    return (name,) if name else ()


def _notifications(parts: ServerParts, address: str) -> Notifications:
    """Whom the server tells what."""
    configured = parts.configuration
    return Notifications(
        parts.engine,
        configured.channels,
        lambda channel: AppriseNotifier(partial(read_private, parts.data / channel.urls_file)),
        configured.address or address,
    )


def _provider(parts: ServerParts, engine: Engine) -> ProviderSignIn | None:
    """With whom people sign in; what that needs is loaded where it is configured."""
    settings = parts.configuration.provider
    if settings is None:
        return None
    from tidegate.engine.provider_accounts import ProviderAccounts
    from tidegate.engine.provider_sign_in import ProviderSignIn
    from tidegate.security.provider import Provider
    from tidegate.security.provider_problems import SignInFailed

    provider = Provider(settings, parts.data, engine.parts.clock.now)
    try:
        provider.look_at_secret()
    except SignInFailed as failed:
        log.warning("nobody can sign in with %s: %s", settings.label, failed)
    accounts = ProviderAccounts(engine, settings, (getpass.getuser(),))
    return ProviderSignIn(engine, provider, accounts, settings, parts.secrets)


def _tokens(data: Path, owner: Identity, agents: AgentActs, people: PeopleActs) -> Tokens:
    """The administrator's, the local agent's, and those in the database: of other agents, and of accounts."""
    tokens = Tokens(lambda token: agent_identity(agents.name_of(token)) or people.identity_of(token))
    tokens.add(ensure_token(data / ADMIN_TOKEN), replace(owner, token=ADMIN_TOKEN))
    tokens.add(ensure_token(data / "agent-token"), local_agent_identity())
    return tokens
