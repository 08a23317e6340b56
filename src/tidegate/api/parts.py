"""What the API is an edge of, handed in once."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Protocol

from tidegate.api.event_feed import EventFeed
from tidegate.api.wakeup import Wakeup
from tidegate.artifacts.store import ArtifactStore
from tidegate.engine.agents import AgentActs
from tidegate.engine.alerts import AlertActs
from tidegate.engine.asking import Asker
from tidegate.engine.authority import Authority
from tidegate.engine.authorship import AuthorshipActs
from tidegate.engine.creation import Pushed
from tidegate.engine.drills import DrillActs
from tidegate.engine.engine import Engine
from tidegate.engine.entrance import Entrance
from tidegate.engine.evidence import EvidenceActs
from tidegate.engine.freezes import FreezeActs
from tidegate.engine.glass import GlassActs
from tidegate.engine.incidents import IncidentActs
from tidegate.engine.leasing import Leasing
from tidegate.engine.notifications import Notifications
from tidegate.engine.people import PeopleActs
from tidegate.engine.placements import PlacementActs
from tidegate.engine.quarantines import QuarantineActs
from tidegate.engine.questions import QuestionActs
from tidegate.engine.record import RecordActs
from tidegate.engine.runs import RunActs
from tidegate.engine.services import ServiceActs
from tidegate.engine.step_logs import StepLogs
from tidegate.engine.train_acts import TrainActs
from tidegate.model.service import Service
from tidegate.security.sign_in import SignIn
from tidegate.security.tokens import Tokens

GIBIBYTE = 1024**3


class Repositories(Protocol):
    """Reads repositories."""

    def describe(
        self,
        repository: str,
        name: str | None = None,
        path: str = ".",
        branch: str | None = None,
        credential: str | None = None,
    ) -> tuple[Service, Pushed]:
        """What a service would be that is added now, with its newest commit. Raises engine.refusal.Refused."""


@dataclass(frozen=True, slots=True)
class ApiParts:
    """Everything that the API, and the pages, are made of.

    `steps_ready` is notified when a step can be leased; `ready` is set while the engine runs; `hosts` are the names
    by which browsers may call this server, besides addresses in figures and localhost.
    """

    engine: Engine
    runs: RunActs
    placements: PlacementActs
    freezes: FreezeActs
    incidents: IncidentActs
    alerts: AlertActs
    drills: DrillActs
    questions: QuestionActs
    asker: Asker
    services: ServiceActs
    trains: TrainActs
    quarantines: QuarantineActs
    leasing: Leasing
    agents: AgentActs
    people: PeopleActs
    glass: GlassActs
    authorship: AuthorshipActs
    record: RecordActs
    evidence: EvidenceActs
    authority: Authority
    notifications: Notifications
    logs: StepLogs
    artifacts: ArtifactStore
    tokens: Tokens
    sign_in: SignIn
    entrance: Entrance
    repositories: Repositories
    events: EventFeed
    steps_ready: Wakeup
    ready: threading.Event
    hosts: frozenset[str] = field(default_factory=frozenset)
    artifact_bytes: int = 4 * GIBIBYTE
