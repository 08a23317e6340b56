"""The sections about pace: cadence, batches and required services of a file; the server's release trains."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Field, GetJsonSchemaHandler, PlainValidator, WithJsonSchema, model_validator
from pydantic_core import CoreSchema

from tidegate.config.section import Section
from tidegate.config.time_sections import ScheduleSection
from tidegate.config.time_values import CronWord, ZoneWord
from tidegate.config.values import (
    EnvironmentWord,
    PositiveDuration,
    ServiceWord,
    describe,
    matching,
    one_of,
    schema_with,
    wrong,
)
from tidegate.model.cadence import CadenceKind
from tidegate.model.version import check_specifier

MOST_BATCHED = 1000
MOST_REQUIRED = 50
MOST_ABOARD = 100
_TRAIN = "[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?"


def _specifier(value: object) -> str:
    if not isinstance(value, str):
        hint = f'write ">={value}"' if isinstance(value, int | float) and not isinstance(value, bool) else None
        raise wrong(f'expected versions like ">=1.4", found {describe(value)}', hint)
    try:
        return check_specifier(value)
    except ValueError as error:
        raise wrong(str(error)) from None


SpecifierWord = Annotated[
    str, PlainValidator(_specifier), WithJsonSchema({"type": "string", "examples": [">=1.4", ">=1.4, <2"]})
]
TrainWord = Annotated[
    str,
    PlainValidator(matching(_TRAIN, "the name of a train: lower-case letters, digits and hyphens, at most 40")),
    schema_with(_TRAIN, "payments"),
]
Requires = Annotated[
    dict[ServiceWord, SpecifierWord],
    Field(
        max_length=MOST_REQUIRED,
        description="By service, which versions of it must serve where the release goes, and have passed there.",
    ),
]
CadenceWord = Annotated[CadenceKind, *one_of(CadenceKind)]


class CadenceSection(Section):
    """When releases go on to the first protected environment: always, when a person asks, or at certain times."""

    kind: Annotated[CadenceWord | None, Field(description="continuous or on-demand.")] = None
    schedule: Annotated[ScheduleSection | None, Field(description="The times at which they go on.")] = None

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        schema = handler.resolve_ref_schema(handler(core))
        keys: dict[str, Any] = schema.pop("properties")
        scheduled = {"type": "object", "additionalProperties": False, "properties": {"schedule": keys["schedule"]}}
        words = {"type": "string", "enum": [CadenceKind.CONTINUOUS.value, CadenceKind.ON_DEMAND.value]}
        return {"description": schema["description"], "oneOf": [words, {**scheduled, "required": ["schedule"]}]}

    @model_validator(mode="before")
    @classmethod
    def _bare_word(cls, value: object) -> object:
        return value if isinstance(value, dict) else {"kind": value}

    @model_validator(mode="after")
    def _one_of_both(self) -> CadenceSection:
        if (self.kind is CadenceKind.SCHEDULED and self.schedule is None) or (self.kind is None) is (
            self.schedule is None
        ):
            raise wrong('expected "continuous", "on-demand" or a "schedule"', "write a time like {schedule: {cron: …}}")
        return self


class BatchSection(Section):
    """Releases that are ready are collected, and only the newest of them goes on."""

    within: Annotated[PositiveDuration, Field(description="How long they are collected, from the first of them on.")]
    at_most: Annotated[
        int | None,
        Field(strict=True, ge=2, le=MOST_BATCHED, description="So many are a full batch, which goes on at once."),
    ] = None


class DepartureSection(Section):
    """The times at which a train leaves."""

    cron: Annotated[CronWord, Field(description="Minute, hour, day of the month, month, day of the week.")]
    timezone: Annotated[ZoneWord, Field(description="The place whose clock on the wall counts, like Europe/London.")]


class TrainSection(Section):
    """Releases of several services that go together, and come back together when one fails."""

    not_yet: ClassVar[frozenset[str]] = frozenset({"at"})

    name: Annotated[TrainWord, Field(description="What it is called.")]
    services: Annotated[
        tuple[ServiceWord, ...],
        Field(
            max_length=MOST_ABOARD,
            description="Whose releases travel with it; services whose own file names the train do so, too.",
        ),
    ] = ()
    environment: Annotated[EnvironmentWord, Field(description="Where it goes.")]
    leaves: Annotated[
        DepartureSection | None, Field(description="When it leaves; without it, when a person says so.")
    ] = None
    after: Annotated[
        dict[ServiceWord, tuple[ServiceWord, ...]],
        Field(default_factory=dict, description="For a service those of the train that must have passed before it."),
    ]
