"""The sections of `tidegate.yaml`, as they stand in the file: every key, its type and what it means.

Defaults are those of the model; the words below are the descriptions of the JSON Schema and of the reference.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, Field, GetJsonSchemaHandler, model_validator
from pydantic_core import CoreSchema

from tidegate.config.cadence_sections import BatchSection, CadenceSection, Requires, TrainWord
from tidegate.config.check_sections import MOST_CHECKS, CheckSection, LoadSection
from tidegate.config.gate_sections import GateSection
from tidegate.config.judge_mann_whitney import ScoreWords, check_names, comparison_rule, score_rule
from tidegate.config.judge_methods import check_words
from tidegate.config.judge_threshold import threshold_rule
from tidegate.config.metric_sections import MetricSection
from tidegate.config.rehearsal_sections import RehearsalsSection
from tidegate.config.section import Section
from tidegate.config.step_sections import MOST_STEPS, BuildSection, HookStepSection, StageStepSection
from tidegate.config.values import (
    ArtifactWord,
    Availability,
    Branch,
    CanaryShare,
    Duration,
    EnvironmentWord,
    ModeWord,
    OnAlertWord,
    OnBlindWord,
    OnDoubtWord,
    People,
    PositiveDuration,
    Rate,
    RelativePath,
    RiskWord,
    RuntimeVariable,
    Script,
    ServiceWord,
    StageReference,
    StageWord,
    StrategyWord,
    TeamWord,
    Tolerance,
    UrlPath,
    one_of,
    wrong,
)
from tidegate.model.mann_whitney import LIVE_LOOKS_EVERY, MannWhitneyRule
from tidegate.model.metric import MetricRule
from tidegate.model.pipeline import (
    Health,
    LatencyRule,
    Mode,
    Risk,
    Runtime,
    VerifyRule,
)
from tidegate.model.recording import Method

MethodWord = Annotated[Method, *one_of(Method)]

_HEALTH = Health()
_RUNTIME = Runtime("true")
_LATENCY = LatencyRule()
_VERIFY = VerifyRule()

MOST_STAGES = 100
MOST_INSTANCES = 100
"""Of one deployment: each has a port of its own."""


class HealthSection(Section):
    """The question by which an instance proves that it can serve."""

    path: Annotated[UrlPath, Field(description="Asked by HTTP GET; an answer of 200 to 299 is healthy.")] = _HEALTH.path
    within: Annotated[PositiveDuration, Field(description="An instance that is not healthy after this has failed.")] = (
        _HEALTH.within
    )


class RuntimeSection(Section):
    """How a deployment runs, wherever it is installed."""

    not_yet: ClassVar[frozenset[str]] = frozenset({"image"})

    artifact: Annotated[
        ArtifactWord | None,
        Field(description="The artifact of the build that is installed; without it, the commit's files."),
    ] = None
    prepare: Annotated[Script | None, Field(description="A script run once per deployment, in its folder.")] = None
    command: Annotated[Script, Field(description="Starts one instance, which listens on 127.0.0.1:$PORT.")]
    health: Annotated[HealthSection, Field(description="How an instance proves that it can serve.")] = HealthSection()
    instances: Annotated[int, Field(strict=True, ge=1, le=MOST_INSTANCES, description="How many copies serve.")] = (
        _RUNTIME.instances
    )
    stop_grace: Annotated[Duration, Field(description="From asking an instance to stop (SIGTERM) to ending it.")] = (
        _RUNTIME.stop_grace
    )
    env: Annotated[
        dict[RuntimeVariable, str], Field(default_factory=dict, description="Environment variables, beside PORT.")
    ]
    secrets: Annotated[
        tuple[RuntimeVariable, ...],
        Field(description="Secrets of the environment that become variables of these names."),
    ] = ()
    mixed_versions: Annotated[
        bool, Field(strict=True, description="Whether two versions may serve beside each other.")
    ] = _RUNTIME.mixed_versions


class ShareSection(Section):
    """A point of a canary: a share of the traffic, or people who are asked before the next share."""

    share: Annotated[CanaryShare | None, Field(description="The share of the traffic.")] = None
    at_least: Annotated[Duration | None, Field(description="The least time that the share is given.")] = None
    approve: Annotated[People | None, Field(description="How many people must say yes before the next share.")] = None

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        schema = handler.resolve_ref_schema(handler(core))
        keys: dict[str, Any] = schema.pop("properties")
        share = {**keys["share"]}
        closed = {"type": "object", "additionalProperties": False}
        return {
            "description": schema["description"],
            "oneOf": [
                share,
                {**closed, "properties": {"share": share, "at_least": keys["at_least"]}, "required": ["share"]},
                {**closed, "properties": {"approve": keys["approve"]}, "required": ["approve"]},
            ],
        }

    @model_validator(mode="before")
    @classmethod
    def _bare_share(cls, value: object) -> object:
        return value if isinstance(value, dict) else {"share": value}

    @model_validator(mode="after")
    def _one_of_both(self) -> ShareSection:
        if self.approve is None and self.share is None:
            raise wrong('expected a share like 5%, "share" or "approve"')
        if self.approve is not None and self.share is not None:
            raise wrong('"share" and "approve" are two points', "write {approve: 1} as an item of its own")
        if self.approve is not None and self.at_least is not None:
            raise wrong('"at_least" belongs to a share, not to an approval')
        return self


class HooksSection(Section):
    """What runs once a rollout is over."""

    misplaced: ClassVar[Mapping[str, str]] = dict.fromkeys(
        ("after_promotion", "after_deploy", "after", "promoted"),
        'what runs after the new release has all of the traffic is a step of the stage, in its "steps"',
    )

    after_rollback: Annotated[
        tuple[HookStepSection, ...],
        Field(min_length=1, max_length=MOST_STEPS, description="Commands run when all of the traffic is back."),
    ]


class DeploySection(Section):
    """How the stage deploys."""

    not_yet: ClassVar[frozenset[str]] = frozenset({"baseline"})
    misplaced: ClassVar[Mapping[str, str]] = {"blind": 'what happens while nobody judges belongs to "verify"'}

    strategy: Annotated[
        StrategyWord | None, Field(description="How the placement moves; by default from the risk and the instances.")
    ] = None
    shares: Annotated[
        tuple[ShareSection, ...] | None,
        Field(min_length=1, description="A canary's way to 100%, which is always its end; 5%, 25%, 50% by default."),
    ] = None
    keep_warm: Annotated[
        Duration | None,
        Field(description="How long the old deployment stays whole; 15m by default, 0s where strategy is rolling."),
    ] = None
    hooks: Annotated[HooksSection | None, Field(description="What runs once a rollout is over.")] = None


class TrafficSection(Section):
    """Requests that Tidegate sends itself while it verifies."""

    misplaced: ClassVar[Mapping[str, str]] = {"script": 'scripts that run meanwhile belong to "checks"'}

    path: Annotated[UrlPath, Field(description="The path that is asked for, by HTTP GET.")] = "/"
    rate: Annotated[Rate, Field(description="Requests per second, minute or hour.")]


class LatencySection(Section):
    """How much slower the new deployment may be."""

    quantiles: Annotated[
        tuple[Annotated[float, Field(strict=True, gt=0, lt=1)], ...],
        Field(min_length=1, max_length=10, description="Which quantiles are compared."),
    ] = _LATENCY.quantiles
    tolerance: Annotated[
        Tolerance, Field(description="How much slower each may be.", json_schema_extra={"default": "10%"})
    ] = _LATENCY.tolerance


class MetricsSection(Section):
    """What is compared beside the share of errors, which always is."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, MetricSection] = Field(init=False)

    by_name: ClassVar[type[Section] | None] = MetricSection

    latency: Annotated[LatencySection, Field(description="Latency, from the router.")] = LatencySection()

    def own(self) -> Mapping[str, MetricSection]:
        """The metrics of the service's own by their names, in the order of the file."""
        return self.__pydantic_extra__


class ObjectiveSection(Section):
    """What must hold whatever the baseline does."""

    not_yet: ClassVar[frozenset[str]] = frozenset({"latency"})

    availability: Annotated[Availability | None, Field(description="The share of requests that must succeed.")] = None


class VerifySection(ScoreWords):
    """How the new deployment is verified."""

    not_yet: ClassVar[frozenset[str]] = frozenset({"alpha", "leak", "history"})
    misplaced: ClassVar[Mapping[str, str]] = dict.fromkeys(
        ("usage", "adoption"), 'the use of a feature is a metric with "usage: true", in "metrics"'
    )

    soak: Annotated[Duration, Field(description="It is watched at least this long.")] = _VERIFY.soak
    at_most: Annotated[
        PositiveDuration | None,
        Field(
            description="Verification takes no longer than this; 30m by default, or twice the soak where that is more."
        ),
    ] = None
    watch: Annotated[Duration, Field(description="How long it is watched after 100%.")] = _VERIFY.watch
    traffic: Annotated[TrafficSection | None, Field(description="Synthetic requests, where there are no users.")] = None
    checks: Annotated[
        tuple[CheckSection, ...],
        Field(min_length=1, max_length=MOST_CHECKS, description="Scripts that run again and again meanwhile."),
    ] = ()
    load: Annotated[LoadSection | None, Field(description="A load check, with which it ends.")] = None
    metrics: Annotated[MetricsSection, Field(description="What is compared.")] = MetricsSection()
    objective: Annotated[ObjectiveSection, Field(description="What must hold in any case.")] = ObjectiveSection()
    undecided: Annotated[
        OnDoubtWord, Field(description="What happens when time is up and the evidence says neither.")
    ] = _VERIFY.undecided
    no_data: Annotated[OnDoubtWord, Field(description="What happens when there was no data.")] = _VERIFY.no_data
    alerts: Annotated[
        OnAlertWord,
        Field(description="What an alert does that comes in meanwhile; an incident is opened in any case."),
    ] = _VERIFY.alerts
    blind: Annotated[
        OnBlindWord | None,
        Field(
            description="What becomes of a share while nobody judges it, because the server is down; for a canary, "
            "baseline by default, or hold at a share that people said yes to."
        ),
    ] = None
    blind_after: Annotated[PositiveDuration, Field(description="After how long without a judgement that happens.")] = (
        _VERIFY.blind_after
    )
    method: Annotated[
        MethodWord, Field(description="How metrics of the service's own are judged; errors and latency always are.")
    ] = _VERIFY.method

    @model_validator(mode="after")
    def _words_of_the_method(self) -> VerifySection:
        own = self.metrics.own()
        check_words(self.method, self, own)
        if self.method is not Method.SEQUENTIAL and not own:
            message = f'the method "{self.method}" judges metrics of the service\'s own, and there are none'
            raise wrong(message, 'name some in "metrics", or remove "method"')
        if self.method is Method.MANN_WHITNEY:
            check_names(self, list(own))
            self.score()
        return self

    def score(self) -> MannWhitneyRule:
        """How the metrics make a score; while a rollout goes on, there is a look now and then."""
        judged = [one for one in self.rules() if not one.comparison.muted]
        made = score_rule(self, {one.name: one.comparison.groups for one in judged})
        return replace(made, every=made.every or LIVE_LOOKS_EVERY)

    def rules(self) -> tuple[MetricRule, ...]:
        """The metrics of the service's own, in the order of the file."""
        return tuple(self._rule(name, section) for name, section in self.metrics.own().items())

    def _rule(self, name: str, section: MetricSection) -> MetricRule:
        worse = section.worse if "worse" in section.model_fields_set else None
        return replace(
            section.rule(name),
            comparison=comparison_rule(name, section.kind, worse, section.weight, section.quantile, section, self),
            threshold=threshold_rule(section, None, section.quantile),
        )


class StageSection(Section):
    """gate → work (deploy, steps) → verify."""

    not_yet: ClassVar[frozenset[str]] = frozenset(
        {"template", "with", "requires", "after", "schedule", "if", "matrix", "allow_failure"}
    )

    name: Annotated[StageWord, Field(description="What the stage is called; unique.")]
    environment: Annotated[EnvironmentWord, Field(description="Where it deploys; the server knows which there are.")]
    needs: Annotated[
        tuple[StageReference, ...] | None,
        Field(description="Stages that must pass first; without it, the stage before it in the file."),
    ] = None
    gate: Annotated[GateSection, Field(description="The condition at its entrance.")] = GateSection()
    deploy: Annotated[DeploySection, Field(description="How it deploys.")] = DeploySection()
    steps: Annotated[
        tuple[StageStepSection, ...], Field(max_length=MOST_STEPS, description="Commands run after the deployment.")
    ] = ()
    verify: Annotated[VerifySection | None, Field(description="How the new deployment is verified.")] = None


class PipelineSection(Section):
    """A service's pipeline: the whole of `tidegate.yaml`."""

    not_yet: ClassVar[frozenset[str]] = frozenset({"template", "with", "schedule", "flags"})
    misplaced: ClassVar[Mapping[str, str]] = {
        "environments": "environments live in the server's own configuration, tidegate-server.yaml",
        "steps": 'steps belong to "build" or to a stage',
    }

    service: Annotated[ServiceWord, Field(description="What is deployed independently.")]
    team: Annotated[TeamWord | None, Field(description="Who owns it.")] = None
    risk: Annotated[RiskWord, Field(description="What harm a bad release does.")] = Risk.STANDARD
    mode: Annotated[
        ModeWord, Field(description="Who opens the gate to a protected environment: a person, or policy.")
    ] = Mode.DELIVERY
    branch: Annotated[
        Branch | None, Field(description="The main branch; by default, the one that the repository names so.")
    ] = None
    path: Annotated[RelativePath, Field(description="The service's folder in a repository that holds several.")] = "."
    build: Annotated[BuildSection, Field(description="What is done once for every change.")]
    runtime: Annotated[
        RuntimeSection | None, Field(description="How a deployment runs; without it, stages only run their steps.")
    ] = None
    requires: Requires = Field(default_factory=dict)
    cadence: Annotated[
        CadenceSection | None,
        Field(description="When releases go on to the first protected environment; every change is built at once."),
    ] = None
    batch: Annotated[
        BatchSection | None, Field(description="How releases are collected before the first protected environment.")
    ] = None
    train: Annotated[
        TrainWord | None, Field(description="The release train of the server that its releases leave with.")
    ] = None
    rehearsals: Annotated[
        RehearsalsSection | None, Field(description="When the server rehearses the release that serves, by itself.")
    ] = None
    stages: Annotated[
        tuple[StageSection, ...], Field(max_length=MOST_STAGES, description="The way of a release, in order.")
    ] = ()
