"""The sections of `tidegate-server.yaml`, as they stand in the file."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from tidegate.config.section import Section
from tidegate.config.values import EnvironmentWord, PositiveDuration, Size, one_of
from tidegate.model.environment import Environment, ServerConfiguration
from tidegate.model.ids import EnvironmentName

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


class EnvironmentSection(Section):
    """Where services run."""

    not_yet: ClassVar[frozenset[str]] = frozenset({"targets", "waves", "gate", "freezes", "requires"})
    misplaced: ClassVar[Mapping[str, str]] = {
        "secrets": 'secrets never stand in a file: "tidegate secret set" keeps them',
    }

    protected: Annotated[
        bool, Field(strict=True, description="Whether a gate into it asks for a person until policy is granted.")
    ] = _ENVIRONMENT.protected
    target: Annotated[TargetWord, Field(description="How deployments are installed.")] = TargetName(_ENVIRONMENT.target)
    router: Annotated[RouterWord, Field(description="What splits their traffic.")] = RouterName(_ENVIRONMENT.router)


class ServerSection(Section):
    """The server's own configuration: the whole of `tidegate-server.yaml`."""

    not_yet: ClassVar[frozenset[str]] = frozenset({"templates", "teams", "floors", "configuration"})

    environments: Annotated[
        dict[EnvironmentWord, EnvironmentSection] | None,
        Field(min_length=1, description="The environments by name; dev, staging and production without it."),
    ] = None
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
