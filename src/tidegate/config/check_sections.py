"""The sections of `tidegate.yaml` about checks: scripts that run while a deployment is verified, and the load check."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, ClassVar

from pydantic import Field

from tidegate.config.section import Section
from tidegate.config.step_values import ImageWord, LabelWord
from tidegate.config.values import (
    EnvironmentWord,
    LoadRate,
    PositiveDuration,
    RelativePath,
    Script,
    StepVariable,
    StepWord,
    UrlPath,
)
from tidegate.model.ids import EnvironmentName, StepName
from tidegate.model.load import LoadRule
from tidegate.model.pipeline import Repeat, Retry, Step

MOST_CHECKS = 20
LARGEST_MULTIPLE = 100
MOST_FAILURES = 100

LOAD_CHECK = StepName("load check")
"""What the step is called that sends a load check's requests."""

_REPEAT = Repeat()
_LOAD = LoadRule(EnvironmentName("production"), 1.0)
_NO_RETRY = Retry(1)
_ROUND_TIMEOUT = timedelta(seconds=30)
_BESIDE_RAMP = timedelta(minutes=5)
"""What a load check takes beside its ramp: the checkout, the start of the tool, the last answers."""


class CheckSection(Section):
    """A script that runs again and again while the new deployment has all of the traffic and is verified."""

    misplaced: ClassVar[dict[str, str]] = {
        "needs": "checks wait for nothing: what belongs in an order is a step of the stage",
        "retry": '"failures" says how many rounds in a row must fail',
    }

    name: Annotated[StepWord, Field(description="What the check is called; unique among the stage's steps.")]
    run: Annotated[Script, Field(description="A script for `sh -eu`, run in the checkout; it ends with 0, or fails.")]
    every: Annotated[PositiveDuration, Field(description="From the beginning of a round to that of the next.")] = (
        _REPEAT.every
    )
    timeout: Annotated[PositiveDuration, Field(description="A round that takes longer has failed.")] = _ROUND_TIMEOUT
    failures: Annotated[
        int,
        Field(strict=True, ge=1, le=MOST_FAILURES, description="So many rounds in a row that failed are harm."),
    ] = _REPEAT.failures
    working_directory: Annotated[
        RelativePath, Field(description="The folder below the service's in which `run` begins.")
    ] = "."
    env: Annotated[
        dict[StepVariable, str], Field(default_factory=dict, description="Environment variables, beside `TIDEGATE_*`.")
    ]
    image: Annotated[ImageWord | None, Field(description="The image in a container of which it runs.")] = None
    labels: Annotated[
        tuple[LabelWord, ...],
        Field(min_length=1, max_length=20, description="It runs only on agents that have all of these."),
    ] = ()

    def step(self) -> Step:
        """The check as agents perform it."""
        return Step(
            name=self.name,
            run=self.run,
            timeout=self.timeout,
            retry=_NO_RETRY,
            env=dict(self.env),
            working_directory=self.working_directory,
            image=self.image,
            labels=tuple(self.labels),
            repeat=Repeat(self.every, self.failures),
        )


class LoadSection(Section):
    """A ramp of requests with which verification ends: the service has to hold so much."""

    path: Annotated[UrlPath, Field(description="The path that is asked for, by HTTP GET.")] = _LOAD.path
    multiple: Annotated[
        float,
        Field(
            strict=True,
            gt=0,
            le=LARGEST_MULTIPLE,
            description="How many times the busiest minute of the last week has to be held.",
        ),
    ] = _LOAD.multiple
    of: Annotated[
        EnvironmentWord | None,
        Field(description="The environment whose busiest minute counts; by default that of the file's last stage."),
    ] = None
    at_least: Annotated[
        LoadRate, Field(description="The rate that has to be held in any case, however few requests there were.")
    ]
    ramp: Annotated[PositiveDuration, Field(description="How long the requests come, in eight steps.")] = _LOAD.ramp
    labels: Annotated[
        tuple[LabelWord, ...],
        Field(min_length=1, max_length=20, description="They come from an agent that has all of these."),
    ] = ()
    protected: Annotated[
        bool,
        Field(strict=True, description="Whether they may come to a protected environment, beside the users' requests."),
    ] = _LOAD.protected

    def step(self, last: EnvironmentName) -> Step:
        """The load check as agents perform it, in a file whose last stage leads to that environment."""
        rule = LoadRule(
            of=self.of or last,
            at_least=self.at_least,
            path=self.path,
            multiple=self.multiple,
            ramp=self.ramp,
            protected=self.protected,
        )
        return Step(
            name=LOAD_CHECK,
            run=f"# requests to {rule.path} by Locust, in steps for {self.ramp.total_seconds():g} s",
            timeout=self.ramp + _BESIDE_RAMP,
            retry=_NO_RETRY,
            labels=tuple(self.labels),
            load=rule,
        )
