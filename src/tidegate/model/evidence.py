"""The evidence: what a policy reads and what a person sees at a gate, each field with its type and its meaning.

This is the only place that says what there is: the checker of policies, the reference and the fixtures of
`tidegate policy test` are made of it (`evidence_schema`). A field that is `| None` may be missing, and `missing` says
what is so then. Missing is not zero: a policy that reads a field that is missing keeps its gate shut.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Annotated

from tidegate.model.pipeline import Mode, Risk
from tidegate.model.run import StageState, Trigger
from tidegate.model.verdict import Verdict

MOST_CHANGES = 100
MOST_AUTHORS = 6
MOST_REVIEWS = 6
MOST_ARTIFACTS = 50
MOST_STAGES = 100
MOST_FIGURES = 20
MOST_REASONS = 20
MOST_INCIDENTS = 100
MOST_FAULTS = 20
LONGEST_TEXT = 200
"""Limits, so that no policy takes long. A list that would be longer is missing; a text is cut."""


@dataclass(frozen=True, slots=True)
class Doc:
    """What is said of a field: its meaning, what is so where it is missing, and how many there are at most.

    `moves` says that it changes as time goes by, whatever happens.
    """

    text: str
    missing: str | None = None
    at_most: int = 0
    moves: bool = False


@dataclass(frozen=True, slots=True)
class TestFigures:
    """What the JUnit reports of the build said together."""

    __test__ = False
    total: Annotated[int, Doc("How many tests there are.")]
    failed: Annotated[int, Doc("How many failed.")]
    skipped: Annotated[int, Doc("How many were skipped.")]


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of the code the tests run through."""

    line: Annotated[float, Doc("Percent of the lines; the lowest where several steps report.")]
    change: Annotated[
        float | None,
        Doc(
            "Percentage points more than what serves in the environment; negative is less.",
            missing="nothing with a coverage serves there",
        ),
    ] = None


@dataclass(frozen=True, slots=True)
class Scan:
    """What a scan for known vulnerabilities found."""

    critical: Annotated[int, Doc("How many are critical.")]
    high: Annotated[int, Doc("How many are high.")]
    medium: Annotated[int, Doc("How many are of medium severity.")]
    low: Annotated[int, Doc("How many are low.")]


@dataclass(frozen=True, slots=True)
class ArtifactEvidence:
    """A file that the build made."""

    name: Annotated[str, Doc("What the pipeline calls it.")]
    file: Annotated[str, Doc("Its file name.")]
    digest: Annotated[str, Doc("Its SHA-256 digest, `sha256:…`.")]
    size: Annotated[int, Doc("Its size in bytes.")]


@dataclass(frozen=True, slots=True)
class OriginEvidence:
    """Where an artifact comes from."""

    artifact: Annotated[str, Doc("The artifact's name.")]
    step: Annotated[str, Doc("The step that made it.")]
    made_from: Annotated[tuple[str, ...], Doc("The artifacts that this step was given.", at_most=MOST_ARTIFACTS)] = ()


@dataclass(frozen=True, slots=True)
class ReleaseEvidence:
    """The release at the gate."""

    label: Annotated[str, Doc("The first eight digits of its commit.")]
    commit: Annotated[str, Doc("Its commit.")]
    order: Annotated[int, Doc("Its place in the main branch: newer is larger.")]
    age: Annotated[timedelta, Doc("The time since it was built, in whole minutes.", moves=True)]
    built_at: Annotated[datetime, Doc("When it was built.")]
    tests: Annotated[TestFigures | None, Doc("The tests of its build.", missing="no tests were reported")] = None
    coverage: Annotated[Coverage | None, Doc("The coverage of its tests.", missing="no coverage was reported")] = None
    scan: Annotated[Scan | None, Doc("The scan for vulnerabilities.", missing="no scan was reported")] = None
    artifacts: Annotated[
        tuple[ArtifactEvidence, ...] | None,
        Doc(
            "The files that it consists of.",
            missing=f"it has more than {MOST_ARTIFACTS} artifacts",
            at_most=MOST_ARTIFACTS,
        ),
    ] = ()
    origins: Annotated[
        tuple[OriginEvidence, ...] | None,
        Doc("Where its artifacts come from.", missing="its origins were not recorded", at_most=MOST_ARTIFACTS),
    ] = None


@dataclass(frozen=True, slots=True)
class AuthorEvidence:
    """Somebody who made a part of a change."""

    name: Annotated[str, Doc("The name in the commit, which anybody can write.")]
    email: Annotated[str, Doc("The address in the commit.")]
    verified: Annotated[bool, Doc("Whether it is known whose account it is.")]
    account: Annotated[str | None, Doc("The account.", missing="nobody has verified who the author is")] = None


@dataclass(frozen=True, slots=True)
class ReviewEvidence:
    """A person's review of a change."""

    account: Annotated[str, Doc("Whose.")]
    approved: Annotated[bool, Doc("Whether the change was approved.")]


@dataclass(frozen=True, slots=True)
class ChangeEvidence:
    """A change that comes with the release."""

    commit: Annotated[str, Doc("Its commit.")]
    subject: Annotated[str, Doc("The first line of its message.")]
    at: Annotated[datetime, Doc("When it was committed.")]
    authors: Annotated[
        tuple[AuthorEvidence, ...] | None,
        Doc(
            "Everybody who made a part of it.", missing=f"it has more than {MOST_AUTHORS} authors", at_most=MOST_AUTHORS
        ),
    ]
    reviews: Annotated[
        tuple[ReviewEvidence, ...] | None,
        Doc("Its reviews.", missing="no reviews were reported", at_most=MOST_REVIEWS),
    ] = None
    files: Annotated[int | None, Doc("How many files it changes.", missing="which files it changes is not known")] = (
        None
    )


@dataclass(frozen=True, slots=True)
class ServiceEvidence:
    """The service."""

    name: Annotated[str, Doc("Its name.")]
    risk: Annotated[Risk, Doc("What harm a bad release of it does.")]
    mode: Annotated[Mode, Doc("The mode by which this gate goes: of wish and grant the stricter one.")]
    team: Annotated[str | None, Doc("The team that owns it.", missing="the file names no team")] = None


@dataclass(frozen=True, slots=True)
class ServingEvidence:
    """The release that serves in the environment."""

    label: Annotated[str, Doc("The first eight digits of its commit.")]
    commit: Annotated[str, Doc("Its commit.")]
    order: Annotated[int, Doc("Its place in the main branch.")]


@dataclass(frozen=True, slots=True)
class EnvironmentEvidence:
    """The environment that the gate leads to."""

    name: Annotated[str, Doc("Its name.")]
    protected: Annotated[bool, Doc("Whether it is protected.")]
    frozen: Annotated[bool | None, Doc("Whether it is frozen.", missing="its gate has opened")] = None
    serving: Annotated[
        ServingEvidence | None, Doc("What of this service serves there now.", missing="nothing serves there yet")
    ] = None


@dataclass(frozen=True, slots=True)
class RunEvidence:
    """The run that brought the release to the gate."""

    id: Annotated[str, Doc("Its id.")]
    trigger: Annotated[Trigger, Doc("What began it.")]
    actor: Annotated[str, Doc("Who began it.")]
    by_person: Annotated[bool, Doc("Whether a person asked for exactly this release here.")]


@dataclass(frozen=True, slots=True)
class FigureEvidence:
    """One metric of a verification."""

    name: Annotated[str, Doc("Which.")]
    unit: Annotated[str, Doc("Its unit.")]
    verdict: Annotated[Verdict, Doc("What it says.")]
    canary: Annotated[float | None, Doc("The new deployment's.", missing="there was no data of it")] = None
    baseline: Annotated[float | None, Doc("The old deployment's.", missing="there was no baseline")] = None
    low: Annotated[
        float | None, Doc("Of usage: the new deployment's is at least this, with 95%.", missing="it is no usage")
    ] = None
    high: Annotated[
        float | None, Doc("Of usage: the new deployment's is at most this, with 95%.", missing="it is no usage")
    ] = None


@dataclass(frozen=True, slots=True)
class LoadEvidence:
    """What a stage's load check measured."""

    capacity: Annotated[float, Doc("The highest rate that the release held, in requests a second.")]
    asked: Annotated[float, Doc("The rate that it had to hold.")]
    multiple: Annotated[
        float | None,
        Doc(
            "How many times the busiest minute of the last week it held.",
            missing="nothing was asked in the last week of what the load check compares with",
        ),
    ] = None
    knee: Annotated[
        float | None,
        Doc("The rate from which on p99 leaves what it was, in requests a second.", missing="p99 never left"),
    ] = None


@dataclass(frozen=True, slots=True)
class StageEvidence:
    """How a stage stands with this release."""

    state: Annotated[StageState, Doc("How far it is.")]
    environment: Annotated[str, Doc("Where it leads.")]
    verdict: Annotated[Verdict | None, Doc("What its verification says.", missing="nothing was verified there")] = None
    figures: Annotated[
        tuple[FigureEvidence, ...] | None,
        Doc("What its verification compared.", missing="nothing was verified there", at_most=MOST_FIGURES),
    ] = None
    load: Annotated[
        LoadEvidence | None, Doc("What its load check measured.", missing="no load check was made there")
    ] = None
    seconds: Annotated[float | None, Doc("How long it took.", missing="the stage has not ended")] = None


@dataclass(frozen=True, slots=True)
class IncidentEvidence:
    """An incident of the service in the environment."""

    opened_at: Annotated[datetime, Doc("When it began.")]
    is_open: Annotated[bool, Doc("Whether it has not ended.")]
    because: Annotated[str, Doc("What it is about.")]


@dataclass(frozen=True, slots=True)
class DrillEvidence:
    """A rollback that was practised."""

    environment: Annotated[str, Doc("Where.")]
    at: Annotated[datetime, Doc("When it was over.")]
    age: Annotated[timedelta, Doc("The time since then, in whole minutes.", moves=True)]
    seconds: Annotated[
        float | None, Doc("How long it took until all traffic was back.", missing="its time was not measured")
    ] = None


@dataclass(frozen=True, slots=True)
class RehearsalEvidence:
    """A rehearsal in which every fault was found and ended on a known release."""

    environment: Annotated[str, Doc("Where its faults were.")]
    at: Annotated[datetime, Doc("When it was over.")]
    age: Annotated[timedelta, Doc("The time since then, in whole minutes.", moves=True)]
    commit: Annotated[str, Doc("The commit that was rehearsed.")]
    faults: Annotated[tuple[str, ...], Doc("Which faults were put in, by their names.", at_most=MOST_FAULTS)]
    by: Annotated[str, Doc('Who played it; of those that the server began, "the rehearsal schedule".')]


@dataclass(frozen=True, slots=True)
class ErrorBudget:
    """What is left of the failures that the service's objective allows."""

    left: Annotated[float, Doc("Percent of it; negative where more was used.", moves=True)]
    requests: Annotated[int, Doc("How many requests were counted in the last 30 days.", moves=True)]


@dataclass(frozen=True, slots=True)
class RiskEvidence:
    """How risky the release looks."""

    score: Annotated[int, Doc("From 0 to 100.")]
    reasons: Annotated[tuple[str, ...], Doc("What adds to it, in words.", at_most=MOST_REASONS)] = ()


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that there is to read."""

    now: Annotated[
        datetime, Doc('The present minute, in UTC; `now.getHours("Europe/London")` is the hour elsewhere.', moves=True)
    ]
    release: Annotated[ReleaseEvidence, Doc("The release at the gate.")]
    change: Annotated[ChangeEvidence, Doc("The change that the release was built of.")]
    service: Annotated[ServiceEvidence, Doc("The service.")]
    environment: Annotated[EnvironmentEvidence, Doc("The environment that the gate leads to.")]
    run: Annotated[RunEvidence, Doc("The run.")]
    risk: Annotated[RiskEvidence, Doc("How risky the release looks, from what is known.")]
    changes: Annotated[
        tuple[ChangeEvidence, ...] | None,
        Doc(
            "Every change since the release that serves in the environment, the newest first.",
            missing=f"more than {MOST_CHANGES} changes come with it",
            at_most=MOST_CHANGES,
        ),
    ] = ()
    stages: Annotated[
        Mapping[str, StageEvidence], Doc("The stages that this release goes through, by name.", at_most=MOST_STAGES)
    ] = field(default_factory=dict)
    incidents: Annotated[
        tuple[IncidentEvidence, ...] | None,
        Doc(
            "The service's incidents there, the newest first: those of the last 30 days, and one that is open.",
            missing=f"there were more than {MOST_INCIDENTS} incidents",
            at_most=MOST_INCIDENTS,
        ),
    ] = None
    drill: Annotated[
        DrillEvidence | None,
        Doc("The service's last drill that went well, in any environment.", missing="no drill of it went well yet"),
    ] = None
    rehearsal: Annotated[
        RehearsalEvidence | None,
        Doc("The service's last rehearsal that went well.", missing="no rehearsal of it went well yet"),
    ] = None
    error_budget: Annotated[
        ErrorBudget | None,
        Doc(
            "The service's error budget there.", missing="the file names no objective there, or no request was counted"
        ),
    ] = None
    flags: Annotated[
        tuple[str, ...] | None,
        Doc("The feature flags that the changes touch.", missing="flags are not known here", at_most=MOST_CHANGES),
    ] = None
