"""The sections of `tidegate-server.yaml`, as they stand in the file."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from tidegate.config.cadence_sections import TrainSection
from tidegate.config.external_sections import OutsideSection
from tidegate.config.gate_sections import GateSection
from tidegate.config.metric_sections import SourcesSection
from tidegate.config.notification_sections import ChannelSection
from tidegate.config.recurrence_section import RecurrenceSection
from tidegate.config.section import Section
from tidegate.config.sign_in_sections import FileInData, OwnAddress, SignInSection
from tidegate.config.time_sections import MOST_DATES, CalendarSection, FreezeSection
from tidegate.config.time_values import CalendarWord
from tidegate.config.values import EnvironmentWord, ModeWord, PositiveDuration, Size, StageWord, one_of
from tidegate.model.environment import Environment, ServerConfiguration
from tidegate.model.ids import EnvironmentName
from tidegate.model.pipeline import Mode

_CONFIGURATION = ServerConfiguration({})
_ENVIRONMENT = Environment(EnvironmentName("defaults"), False)


class TargetName(StrEnum):
    """The targets that an environment can have."""

    LOCAL = "local"


class RouterName(StrEnum):
    """The routers that an environment can have."""

    ENVOY = "envoy"


TargetWord = Annotated[TargetName, *one_of(TargetName, "command", "container", "ssh", "kubernetes", "gitops", "ecs")]
RouterWord = Annotated[RouterName, *one_of(RouterName, "gateway-api", "none")]


class DrillsSection(RecurrenceSection):
    """When rollbacks are practised: so long after the last one, or at certain times."""


class EnvironmentSection(Section):
    """Where services run."""

    not_yet: ClassVar[frozenset[str]] = frozenset({"targets", "waves"})
    misplaced: ClassVar[Mapping[str, str]] = {
        "secrets": 'secrets never stand in a file: "tidegate secret set" keeps them',
    }

    protected: Annotated[
        bool, Field(strict=True, description="Whether a gate into it asks for a person until policy is granted.")
    ] = _ENVIRONMENT.protected
    target: Annotated[TargetWord, Field(description="How deployments are installed.")] = TargetName(_ENVIRONMENT.target)
    router: Annotated[RouterWord, Field(description="What splits their traffic.")] = RouterName(_ENVIRONMENT.router)
    gate: Annotated[GateSection, Field(description="What every gate into it demands, beside the service's file.")] = (
        GateSection()
    )
    requires: Annotated[
        tuple[EnvironmentWord, ...],
        Field(description="Environments that the same artifacts must have passed before; names of this file."),
    ] = ()
    mode: Annotated[
        ModeWord, Field(description="The most that a service may be granted here; delivery: a person opens every gate.")
    ] = Mode.DEPLOYMENT
    freezes: Annotated[
        tuple[FreezeSection, ...], Field(max_length=MOST_DATES, description="Times in which nothing new enters it.")
    ] = ()
    drills: Annotated[
        DrillsSection | None, Field(description="When rollbacks of what serves there are practised by themselves.")
    ] = None


class FloorSection(Section):
    """What the server demands of some services wherever they go."""

    name: Annotated[StageWord, Field(description="What it is called in reasons.")]
    services: Annotated[
        tuple[str, ...], Field(min_length=1, description="Names or patterns of names, like `billing-*`.")
    ] = ("*",)
    environments: Annotated[
        tuple[EnvironmentWord, ...] | None, Field(min_length=1, description="Where; all that are protected without it.")
    ] = None
    gate: Annotated[GateSection, Field(description="What their gates demand, beside the service's file.")] = (
        GateSection()
    )
    requires: Annotated[
        tuple[EnvironmentWord, ...], Field(description="Environments that the same artifacts must have passed before.")
    ] = ()
    mode: Annotated[
        ModeWord, Field(description="The most that they may be granted; delivery: a person opens every gate.")
    ] = Mode.DEPLOYMENT


class AlertsSection(Section):
    """Alerts that come in at `/hooks/alertmanager`."""

    misplaced: ClassVar[Mapping[str, str]] = {
        "token": 'secrets never stand in this file: name one of its own in the data folder with "token_file"; where '
        "there is none yet, the server makes it",
    }

    token_file: Annotated[
        FileInData,
        Field(
            description="A file in the data folder with the token that Alertmanager sends; made where there is none."
        ),
    ]


class ServerSection(Section):
    """The server's own configuration: the whole of `tidegate-server.yaml`."""

    not_yet: ClassVar[frozenset[str]] = frozenset({"templates", "teams", "configuration"})

    address: Annotated[
        OwnAddress | None, Field(description="How browsers reach this server, where that is through a proxy.")
    ] = _CONFIGURATION.address
    sign_in: Annotated[SignInSection | None, Field(description="How people sign in.")] = None
    environments: Annotated[
        dict[EnvironmentWord, EnvironmentSection] | None,
        Field(min_length=1, description="The environments by name; dev, staging and production without it."),
    ] = None
    floors: Annotated[
        tuple[FloorSection, ...], Field(description="What some services must keep to, whatever their files say.")
    ] = ()
    calendars: Annotated[
        dict[CalendarWord, CalendarSection],
        Field(default_factory=dict, description="Days by names that windows and freezes use."),
    ]
    external: Annotated[OutsideSection | None, Field(description="Whom gates may ask.")] = None
    alerts: Annotated[AlertsSection | None, Field(description="Alerts that come in from Alertmanager.")] = None
    metrics: Annotated[SourcesSection, Field(description="Where the figures of services' own metrics come from.")] = (
        SourcesSection()
    )
    trains: Annotated[
        tuple[TrainSection, ...], Field(description="Release trains: services whose releases go together.")
    ] = ()
    notifications: Annotated[tuple[ChannelSection, ...], Field(description="Whom the server tells what.")] = ()
    poll_interval: Annotated[
        PositiveDuration, Field(description="The time between two looks at a remote repository.")
    ] = _CONFIGURATION.poll_interval
    cache: Annotated[
        Size,
        Field(description="What the kept results of steps may take in all.", json_schema_extra={"default": "10GiB"}),
    ] = _CONFIGURATION.cache
    batch: Annotated[
        PositiveDuration, Field(description="How long figures are collected before they are judged again.")
    ] = _CONFIGURATION.batch
