"""Gathering the evidence for a gate from what is recorded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tidegate.model import evidence as parts
from tidegate.model.change import Author, Change
from tidegate.model.drill import Drill
from tidegate.model.environment import Environment
from tidegate.model.error_budget import budget_left
from tidegate.model.evidence import Evidence
from tidegate.model.ids import StageName
from tidegate.model.incident import COUNTED_FOR, Incident
from tidegate.model.known_people import KnownPeople
from tidegate.model.pipeline import Mode
from tidegate.model.rehearsal import RecordedRehearsal
from tidegate.model.release import Release
from tidegate.model.release_risk import release_risk
from tidegate.model.rollout import Rollout
from tidegate.model.run import Run, StageRun
from tidegate.model.service import Service
from tidegate.model.verdict import Judgement


@dataclass(frozen=True, slots=True)
class EvidenceSources:
    """What the evidence for one gate is gathered from.

    `serving` is the release that serves there, None where nothing does or it is not known any more; `brings` are the
    changes since it, the newest first. `stages` are those that the release went through, also in an earlier run, and
    `rollouts` theirs. `frozen` is None where freezes are not known. `incidents` are the newest ones there,
    `drill` is the service's last one that went well, and so is `rehearsal`.
    """

    run: Run
    release: Release
    service: Service
    mode: Mode
    environment: Environment
    serving: Release | None = None
    brings: Sequence[Change] = ()
    stages: Sequence[StageRun] = ()
    rollouts: Mapping[StageName, Rollout] = field(default_factory=dict)
    people: KnownPeople = KnownPeople()
    rollbacks_in_a_row: int = 0
    frozen: bool | None = None
    counted: tuple[int, int] | None = None
    availability: float | None = None
    incidents: Sequence[Incident] = ()
    drill: Drill | None = None
    rehearsal: RecordedRehearsal | None = None


def gather(sources: EvidenceSources, now: datetime) -> Evidence:
    """The evidence as it is in the minute of `now`."""
    minute = now.replace(second=0, microsecond=0)
    release = _release(sources, minute)
    brings = sources.brings or (sources.release.change,)
    changes = None if len(brings) > parts.MOST_CHANGES else tuple(_change(sources, one) for one in brings)
    stages = {str(one.name): _stage(one, sources.rollouts.get(one.name)) for one in sources.stages[: parts.MOST_STAGES]}
    before = tuple(one for one in stages.values() if one.state.is_ended)
    return Evidence(
        now=minute,
        release=release,
        change=_change(sources, sources.release.change),
        changes=changes,
        service=parts.ServiceEvidence(
            sources.service.name, sources.release.pipeline.risk, sources.mode, sources.release.pipeline.team
        ),
        environment=_environment(sources),
        run=parts.RunEvidence(sources.run.id, sources.run.trigger, sources.run.actor.name, sources.run.by_person),
        stages=stages,
        error_budget=_error_budget(sources),
        risk=release_risk(sources.release.pipeline.risk, release, changes, before, sources.rollbacks_in_a_row),
        incidents=_incidents(sources, minute),
        drill=_drill(sources.drill, minute),
        rehearsal=_rehearsal(sources.rehearsal, minute),
    )


def _error_budget(sources: EvidenceSources) -> parts.ErrorBudget | None:
    if sources.availability is None or sources.counted is None:
        return None
    requests, errors = sources.counted
    left = budget_left(sources.availability, requests, errors)
    return None if left is None else parts.ErrorBudget(round(left, 1), requests)


def _release(sources: EvidenceSources, minute: datetime) -> parts.ReleaseEvidence:
    release = sources.release
    tests = release.tests
    many = len(release.artifacts) > parts.MOST_ARTIFACTS
    return parts.ReleaseEvidence(
        label=release.label,
        commit=release.change.commit,
        order=release.order,
        age=_whole_minutes(minute - release.created_at),
        built_at=release.created_at,
        tests=parts.TestFigures(tests.total, tests.failed, tests.skipped) if tests else None,
        coverage=_coverage(release, sources.serving),
        artifacts=None
        if many
        else tuple(parts.ArtifactEvidence(one.name, one.file, one.digest, one.size) for one in release.artifacts),
        origins=tuple(
            parts.OriginEvidence(one.artifact, one.step, tuple(one.made_from)[: parts.MOST_ARTIFACTS])
            for one in release.origins
        )
        if release.origins and not many
        else None,
    )


def _coverage(release: Release, serving: Release | None) -> parts.Coverage | None:
    line = release.line_coverage
    if line is None:
        return None
    before = serving.line_coverage if serving else None
    return parts.Coverage(line, None if before is None else round(line - before, 2))


def _change(sources: EvidenceSources, change: Change) -> parts.ChangeEvidence:
    is_own = change.commit == sources.run.change.commit
    known = dict.fromkeys(one for author in change.authors for one in _behind(author, sources.people))
    return parts.ChangeEvidence(
        commit=change.commit,
        subject=change.subject,
        at=change.at,
        authors=tuple(known) if len(known) <= parts.MOST_AUTHORS else None,
        files=len(sources.run.changed) if is_own and sources.run.changed is not None else None,
    )


def _behind(author: Author, people: KnownPeople) -> Iterator[parts.AuthorEvidence]:
    """One for each account that stands behind the commit: who signed it may be another than whom it names."""
    accounts = sorted(people.accounts_behind(author))
    for account in accounts:
        yield parts.AuthorEvidence(author.name, author.email, verified=True, account=account)
    if not accounts:
        yield parts.AuthorEvidence(author.name, author.email, verified=False)


def _environment(sources: EvidenceSources) -> parts.EnvironmentEvidence:
    serving = sources.serving
    return parts.EnvironmentEvidence(
        name=sources.environment.name,
        protected=sources.environment.protected,
        frozen=sources.frozen,
        serving=parts.ServingEvidence(serving.label, serving.change.commit, serving.order) if serving else None,
    )


def _stage(stage: StageRun, rollout: Rollout | None) -> parts.StageEvidence:
    judgement = rollout.judgement if rollout else None
    took = stage.ended_at - stage.began_at if stage.ended_at and stage.began_at else None
    return parts.StageEvidence(
        state=stage.state,
        environment=stage.environment,
        verdict=judgement.verdict if judgement else None,
        figures=tuple(_figures(judgement)) if judgement else None,
        load=_load(rollout) if rollout else None,
        seconds=took.total_seconds() if took is not None else None,
    )


def _load(rollout: Rollout) -> parts.LoadEvidence | None:
    result = rollout.load_result
    return parts.LoadEvidence(result.capacity, result.asked, result.multiple, result.knee) if result else None


def _figures(judgement: Judgement) -> Iterable[parts.FigureEvidence]:
    for one in judgement.metrics[: parts.MOST_FIGURES]:
        yield parts.FigureEvidence(one.name, one.unit, one.verdict, one.canary, one.baseline, one.low, one.high)


def _incidents(sources: EvidenceSources, minute: datetime) -> tuple[parts.IncidentEvidence, ...] | None:
    counted = [one for one in sources.incidents if one.is_open or one.opened_at >= minute - COUNTED_FOR]
    if len(counted) > parts.MOST_INCIDENTS:
        return None
    return tuple(parts.IncidentEvidence(one.opened_at, one.is_open, one.reason) for one in counted)


def _drill(drill: Drill | None, minute: datetime) -> parts.DrillEvidence | None:
    if drill is None or drill.ended_at is None:
        return None
    age = _whole_minutes(minute - drill.ended_at)
    return parts.DrillEvidence(drill.environment, drill.ended_at, age, drill.seconds)


def _rehearsal(played: RecordedRehearsal | None, minute: datetime) -> parts.RehearsalEvidence | None:
    if played is None:
        return None
    rehearsal, age = played.rehearsal, _whole_minutes(minute - played.over_at)
    faults = tuple(one.fault.value for one in rehearsal.outcomes)
    return parts.RehearsalEvidence(rehearsal.environment, played.over_at, age, rehearsal.commit, faults, played.by.name)


def _whole_minutes(span: timedelta) -> timedelta:
    return timedelta(minutes=max(0, span // timedelta(minutes=1)))
