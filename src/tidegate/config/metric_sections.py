"""The sections about metrics of a service's own, and where the server finds their sources."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, ClassVar
from urllib.parse import urlsplit

from pydantic import ConfigDict, Field, PlainValidator, model_validator

from tidegate.config.external_sections import HttpUrl
from tidegate.config.judge_methods import MethodMetricWords
from tidegate.config.section import Section
from tidegate.config.sign_in_sections import FileInData
from tidegate.config.values import (
    Duration,
    PositiveDuration,
    RuntimeVariable,
    Tolerance,
    describe,
    matching,
    one_of,
    schema_with,
    wrong,
)
from tidegate.model.environment import PrometheusSettings
from tidegate.model.metric import MetricRule, SourceName
from tidegate.model.provider_person import is_loopback
from tidegate.model.recording import MetricKind, Worse

MOST_METRICS = 20
"""Of one stage: each is asked about both deployments again and again."""

USAGE_DROP = 0.20
"""The drop of usage that fails where the file says nothing else."""

LONGEST_QUERY = 10_000
_MOST_WORDS = 100

METRIC_NAME = "[A-Za-z][A-Za-z0-9_. -]{0,62}"


class PerName(StrEnum):
    """What a rate's counts are counts of."""

    REQUESTS = "requests"


_RULE = MetricRule("", SourceName.PROMETHEUS)

MetricWord = Annotated[
    str,
    PlainValidator(matching(METRIC_NAME, 'the name of a metric: letters, digits and "_. -", at most 63 characters')),
    schema_with(METRIC_NAME, "orders"),
]
SourceWord = Annotated[SourceName, *one_of(SourceName, "datadog", "cloudwatch", "newrelic", "graphite", "influxdb")]
KindWord = Annotated[MetricKind, *one_of(MetricKind)]
PerWord = Annotated[PerName, *one_of(PerName)]
WorseWord = Annotated[Worse, *one_of(Worse)]
Query = Annotated[str, Field(strict=True, min_length=1, max_length=LONGEST_QUERY)]


def _word_of_a_command(value: object) -> str:
    if not isinstance(value, str):
        raise wrong(f"expected a word of a command, found {describe(value)}", f'write it in quotes: "{value}"')
    if "\0" in value or len(value) > LONGEST_QUERY:
        raise wrong(f"a word of a command has no null character, and at most {LONGEST_QUERY} others")
    return value


CommandPart = Annotated[str, PlainValidator(_word_of_a_command), schema_with(r"[\s\S]*", "./ci/orders.sh")]


class MetricSection(MethodMetricWords):
    """A metric of the service's own, from a source beside the router."""

    misplaced: ClassVar[Mapping[str, str]] = {
        "address": "the server's configuration says where Prometheus is: metrics: {prometheus: {url: …}}",
        "url": "the server's configuration says where Prometheus is: metrics: {prometheus: {url: …}}",
        "run": 'write the words of the command one by one, as "command": no shell reads them',
    }

    # that it is missing is said by `metric_consistency`, which knows what else the key may have been meant for
    model_config = ConfigDict(json_schema_extra={"required": ["source"]})

    source: Annotated[SourceWord | None, Field(description="Who is asked.")] = None
    query: Annotated[
        Query | None,
        Field(
            description="The question to Prometheus; `$deployment`, `$service`, `$environment` and `$window` stand "
            "for what is asked about."
        ),
    ] = None
    command: Annotated[
        tuple[CommandPart, ...] | None,
        Field(
            min_length=1,
            max_length=_MOST_WORDS,
            description="The words of a command that prints figures as JSON; no shell reads them.",
        ),
    ] = None
    secrets: Annotated[
        tuple[RuntimeVariable, ...],
        Field(max_length=_MOST_WORDS, description="Secrets of the service that the command gets as variables."),
    ] = ()
    kind: Annotated[
        KindWord, Field(description="rate: counts among requests; histogram: a distribution; values: of a time.")
    ] = _RULE.kind
    per: Annotated[
        PerWord | None,
        Field(description="What a rate's counts are counts of; the router's requests without it."),
    ] = None
    total: Annotated[
        Query | None, Field(description="A query for what a rate's counts are counts of, in the place of `per`.")
    ] = None
    worse: Annotated[WorseWord, Field(description="In which direction it is harm.")] = _RULE.worse
    tolerance: Annotated[
        Tolerance, Field(description="How much worse it may be.", json_schema_extra={"default": "10%"})
    ] = _RULE.tolerance
    weight: Annotated[
        float | None,
        Field(strict=True, gt=0, le=100, description="Its part of the evidence, relative to the other metrics."),
    ] = None
    gate: Annotated[
        float | None,
        Field(
            strict=True,
            ge=1,
            le=1000,
            description="How many times worse it must be to fail, however certain the difference is.",
        ),
    ] = None
    usage: Annotated[
        bool,
        Field(
            strict=True,
            description="Whether it counts the use of a feature: a drop by `tolerance` (20%) fails, and what the old "
            "deployment does not have is told, not judged.",
        ),
    ] = _RULE.usage
    window: Annotated[
        PositiveDuration,
        Field(description="Figures are read over this time; at least twice the interval at which they are collected."),
    ] = _RULE.window
    delay: Annotated[Duration, Field(description="How long after a window its figures are there.")] = _RULE.delay

    def rule(self, name: str) -> MetricRule:
        """As the engine uses it."""
        assert self.source is not None
        return MetricRule(
            name=name,
            source=self.source,
            query=self.query or "",
            total=self.total,
            command=self.command or (),
            secrets=self.secrets,
            kind=self.kind,
            worse=Worse.DOWN if self.usage else self.worse,
            tolerance=USAGE_DROP if self.usage and "tolerance" not in self.model_fields_set else self.tolerance,
            weight=self.weight,
            gate=self.gate,
            critical=bool(self.critical),
            usage=self.usage,
            window=self.window,
            delay=self.delay,
        )


class PrometheusSection(Section):
    """Where Prometheus answers."""

    misplaced: ClassVar[Mapping[str, str]] = {
        "token": "secrets never stand in this file: put it into one of its own (mode 0600) in the data folder, and "
        'name that with "token_file"',
    }

    url: Annotated[HttpUrl, Field(description="The address before `/api/v1`.")]
    token_file: Annotated[
        FileInData | None, Field(description="A file in the data folder with the token that is sent along.")
    ] = None

    @model_validator(mode="after")
    def _no_token_in_the_clear(self) -> PrometheusSection:
        parts = urlsplit(self.url)
        if parts.query:
            raise wrong(
                "the address of Prometheus has no question mark", "write it like https://prometheus.example.com"
            )
        if self.token_file and parts.scheme != "https" and not is_loopback(parts.hostname):
            raise wrong("a token is not sent without encryption", "give an https:// address")
        return self

    def settings(self) -> PrometheusSettings:
        """As the server uses it."""
        return PrometheusSettings(self.url, self.token_file)


class SourcesSection(Section):
    """Where the figures of services' own metrics come from."""

    not_yet: ClassVar[frozenset[str]] = frozenset({"datadog", "cloudwatch", "newrelic"})

    prometheus: Annotated[
        PrometheusSection | None, Field(description="A Prometheus server, or what answers its HTTP API.")
    ] = None
