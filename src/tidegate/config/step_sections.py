"""The sections of `tidegate.yaml` about the build and about steps, as they stand in the file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import Field, GetJsonSchemaHandler, WithJsonSchema, model_validator
from pydantic_core import CoreSchema

from tidegate.config.section import Section
from tidegate.config.step_values import (
    Expression,
    Folder,
    GroupWord,
    ImageWord,
    InputPattern,
    KeyFile,
    LabelWord,
    MatrixItem,
    MatrixWord,
    OutdatedWord,
    OutputPattern,
    SetupInput,
    SidecarWord,
)
from tidegate.config.values import (
    ArtifactWord,
    CauseWord,
    FilePattern,
    PositiveDuration,
    RelativePath,
    Script,
    StepVariable,
    StepWord,
)
from tidegate.model.ids import StepName
from tidegate.model.pipeline import Build, Retry, SidecarHealth, Step

_STEP = Step(StepName("defaults"), "true")
_RETRY = Retry()
_HEALTH = SidecarHealth()
_BUILD = Build()

MOST_STEPS = 1000
MOST_SIDECARS = 10
LARGEST_CONCURRENCY = 1000

_ALWAYS_RUN = "a stage's steps always run: what they test is outside of the commit"


class RetrySection(Section):
    """When a step is attempted again without a person."""

    attempts: Annotated[int, Field(strict=True, ge=1, le=10, description="Attempts in all.")] = _RETRY.attempts
    causes: Annotated[
        tuple[CauseWord, ...], Field(min_length=1, description="The endings after which it is attempted again.")
    ] = _RETRY.causes


class ReportsSection(Section):
    """Files with figures that a step leaves behind."""

    junit: Annotated[
        FilePattern | None,
        Field(description="JUnit XML, of one file or many: which tests failed, and how many passed."),
    ] = None
    coverage: Annotated[FilePattern | None, Field(description="Cobertura XML: the share of lines covered.")] = None


class FolderCacheSection(Section):
    """Folders that are kept from one time to the next, without a promise."""

    paths: Annotated[tuple[Folder, ...], Field(min_length=1, max_length=100, description="The folders.")]
    key: Annotated[
        tuple[KeyFile, ...],
        Field(min_length=1, max_length=100, description="The files whose content names what is kept."),
    ] = ()


class SidecarHealthSection(Section):
    """How a service beside a step proves that it can be used."""

    command: Annotated[
        Script | None, Field(description="Ends with 0 in the container; without it, the port takes connections.")
    ] = None
    within: Annotated[PositiveDuration, Field(description="A service that is not healthy after this has failed.")] = (
        _HEALTH.within
    )


class SidecarSection(Section):
    """A container that runs beside a step."""

    image: Annotated[ImageWord, Field(description="What it runs.")]
    port: Annotated[int, Field(strict=True, ge=1, le=65535, description="The port on which it listens.")]
    env: Annotated[dict[StepVariable, str], Field(default_factory=dict, description="Its environment variables.")]
    command: Annotated[Script | None, Field(description="What it runs instead of the image's own command.")] = None
    health: Annotated[SidecarHealthSection, Field(description="How it proves that it can be used.")] = (
        SidecarHealthSection()
    )


class ConcurrencySection(Section):
    """How many steps of a group run at a time on the whole server."""

    group: Annotated[GroupWord, Field(description="What the steps have in common.")]
    limit: Annotated[int, Field(strict=True, ge=1, le=LARGEST_CONCURRENCY, description="How many run at a time.")] = 1


_VALUES: dict[str, Any] = {
    "type": "array",
    "minItems": 1,
    "items": {"type": ["string", "number"]},
}
_MATRIX_SCHEMA = {
    "type": "object",
    "minProperties": 1,
    "properties": {
        "image": {**_VALUES, "description": "Images, each of which the step runs in once."},
        "exclude": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "minProperties": 1,
                "additionalProperties": {"type": ["string", "number"]},
            },
            "description": "Combinations that are left out; a part of one stands for all that have it.",
        },
    },
    "patternProperties": {"^(?!(image|exclude)$)[A-Za-z_][A-Za-z0-9_]*$": _VALUES},
}
Matrix = Annotated[
    dict[MatrixWord, Annotated[tuple[MatrixItem, ...], Field(min_length=1)]],
    Field(min_length=1),
    WithJsonSchema(_MATRIX_SCHEMA),
]


class StepSection(Section):
    """A command, of a build or of a stage."""

    name: Annotated[StepWord, Field(description="What the step is called; unique among its neighbours.")]
    run: Annotated[Script, Field(description="A script for `sh -eu`, run in the checkout.")]
    needs: Annotated[
        tuple[StepWord, ...],
        Field(description="Steps beside it that must succeed first; without any it starts at once."),
    ] = ()
    condition: Annotated[
        Expression | None,
        Field(alias="if", description="An expression (CEL); where it is false, the step is left out."),
    ] = None
    matrix: Annotated[
        Matrix | None, Field(description="Variables with their values; the step runs once for each combination.")
    ] = None
    working_directory: Annotated[
        RelativePath, Field(description="The folder below the service's in which `run` begins.")
    ] = _STEP.working_directory
    timeout: Annotated[PositiveDuration, Field(description="After this an attempt is ended.")] = _STEP.timeout
    retry: Annotated[RetrySection, Field(description="When it is attempted again.")] = RetrySection()
    allow_failure: Annotated[
        bool, Field(strict=True, description="Whether it may fail without failing what it is part of.")
    ] = _STEP.allow_failure
    env: Annotated[
        dict[StepVariable, str], Field(default_factory=dict, description="Environment variables, beside `TIDEGATE_*`.")
    ]
    image: Annotated[ImageWord | None, Field(description="The image in a container of which it runs.")] = None
    services: Annotated[
        dict[SidecarWord, SidecarSection],
        Field(default_factory=dict, max_length=MOST_SIDECARS, description="Containers that run beside it."),
    ]
    labels: Annotated[
        tuple[LabelWord, ...],
        Field(min_length=1, max_length=20, description="It runs only on agents that have all of these."),
    ] = ()
    concurrency: Annotated[ConcurrencySection | None, Field(description="How many steps of a group run at a time.")] = (
        None
    )
    reports: Annotated[ReportsSection, Field(description="Reports that it writes.")] = ReportsSection()
    tests: Annotated[
        bool, Field(strict=True, description="Whether it runs automated tests, where only its exit code tells of them.")
    ] = _STEP.tests
    failed_first: Annotated[
        Script | None,
        Field(
            description="Runs the tests named in `$TIDEGATE_FAILED_TESTS`, those that failed the last time, before "
            "`run`; only with `reports.junit`."
        ),
    ] = None


class StageStepSection(StepSection):
    """A command that a stage runs after its deployment."""

    not_yet: ClassVar[frozenset[str]] = frozenset({"secrets"})
    misplaced: ClassVar[Mapping[str, str]] = {
        "artifacts": "artifacts are made by the build's steps only: built once, promoted everywhere",
        "inputs": _ALWAYS_RUN,
        "outputs": _ALWAYS_RUN,
        "cache": _ALWAYS_RUN,
    }

    irreversible: Annotated[
        bool,
        Field(
            strict=True,
            description="Whether an older release can no longer serve once it has begun; it runs last, after "
            "verification.",
        ),
    ] = _STEP.irreversible


class HookStepSection(StepSection):
    """A command that runs after a rollback."""

    not_yet: ClassVar[frozenset[str]] = StageStepSection.not_yet
    misplaced: ClassVar[Mapping[str, str]] = {
        **StageStepSection.misplaced,
        "irreversible": "it would bind the release that is back; what cannot be undone is a step of the stage",
    }


class BuildStepSection(StepSection):
    """A command of the build."""

    not_yet: ClassVar[frozenset[str]] = frozenset()
    misplaced: ClassVar[Mapping[str, str]] = {
        "secrets": "a build step gets no environment's secrets; what needs them belongs to a stage",
        "irreversible": "a build changes nothing that serves; what cannot be undone is a step of a stage",
    }

    inputs: Annotated[
        tuple[InputPattern, ...],
        Field(
            min_length=1,
            description="The files (and `$NAME`, variables) that its result depends on; with them it is cached.",
        ),
    ] = ()
    outputs: Annotated[
        tuple[OutputPattern, ...],
        Field(min_length=1, description="The files that steps which need it find in their checkout."),
    ] = ()
    cache: Annotated[
        FolderCacheSection | None, Field(description="Folders that are kept from one time to the next.")
    ] = None
    artifacts: Annotated[
        dict[ArtifactWord, FilePattern],
        Field(
            default_factory=dict, description="Names of artifacts, each with the pattern of the one file that it is."
        ),
    ]


class SetupSection(Section):
    """What makes a checkout ready for steps: a script, or keys."""

    run: Annotated[Script, Field(description="A script for `sh -eu`, run in the checkout.")]
    inputs: Annotated[
        tuple[SetupInput, ...], Field(min_length=1, description="The files that its outcome depends on.")
    ] = ()
    outputs: Annotated[
        tuple[OutputPattern, ...],
        Field(min_length=1, description="The files that it makes; with inputs, they are cached."),
    ] = ()
    cache: Annotated[
        FolderCacheSection | None, Field(description="Folders that are kept from one time to the next.")
    ] = None

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        schema: dict[str, Any] = handler.resolve_ref_schema(handler(core))
        script = schema["properties"]["run"]
        keys = {key: schema.pop(key) for key in ("type", "properties", "required", "additionalProperties")}
        return {"description": schema["description"], "oneOf": [script, keys]}

    @model_validator(mode="before")
    @classmethod
    def _bare_script(cls, value: object) -> object:
        return value if isinstance(value, dict) else {"run": value}


class BuildSection(Section):
    """What is done once for every change."""

    not_yet: ClassVar[frozenset[str]] = frozenset({"matrix", "services", "cache", "concurrency"})

    setup: Annotated[
        SetupSection | None, Field(description="A script run once per checkout, before its first step; or its keys.")
    ] = None
    image: Annotated[ImageWord | None, Field(description="The image of the steps that name none.")] = None
    outdated: Annotated[
        OutdatedWord, Field(description="What becomes of a build when a newer commit of its branch arrives.")
    ] = _BUILD.outdated
    steps: Annotated[
        tuple[BuildStepSection, ...], Field(min_length=1, max_length=MOST_STEPS, description="The steps; at least one.")
    ]
