"""A service's page: where it runs, its runs and releases, what is quarantined, and what stops it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from tidegate.model.deployment import Deployment
from tidegate.model.drill import Drill
from tidegate.model.environment import Environment
from tidegate.model.freeze import Freeze
from tidegate.model.ids import EnvironmentName, ReleaseId, RunId
from tidegate.model.incident import Incident
from tidegate.model.known_test import KnownTest
from tidegate.model.rehearsal import RecordedRehearsal
from tidegate.model.release import Release
from tidegate.model.run import Run
from tidegate.model.service import Service, mode_of
from tidegate.store.placement_queries import PlacementRecord
from tidegate.web.board_view import PlacementCell, RunLine, in_order, placement_cell, run_line, service_notes
from tidegate.web.drill_view import DrillLine, drill_lines
from tidegate.web.freeze_view import FreezePanel, freeze_panel
from tidegate.web.incident_view import IncidentLine, incident_line
from tidegate.web.rehearsal_view import RehearsalLine, rehearsal_lines
from tidegate.web.tests_view import TestRow, expired_in_words, rows_of_tests
from tidegate.web.wording import Badge, Moment, moment, percent


@dataclass(frozen=True, slots=True)
class QuarantineLine:
    """A deployment that nothing automatic brings back."""

    label: str
    because: str
    when: Moment | None


@dataclass(frozen=True, slots=True)
class WayBack:
    """A deployment to which a person can return; `release` is what the form sends."""

    release: str
    text: str


@dataclass(frozen=True, slots=True)
class PlacementCard:
    """A placement on the service's page."""

    cell: PlacementCell
    ways_back: tuple[WayBack, ...]
    quarantined: tuple[QuarantineLine, ...]


@dataclass(frozen=True, slots=True)
class ReleaseLine:
    """A release in a list."""

    id: str
    label: str
    subject: str
    author: str
    run: str
    evidence: str
    when: Moment | None


@dataclass(frozen=True, slots=True)
class ServiceView:
    """A service's page; `mode_because` says which mode is effective in protected environments, and why."""

    name: str
    repository: str
    branch: str
    mode_because: str
    notes: tuple[Badge, ...]
    trouble: str | None
    paused: str | None
    line_stopped: str | None
    placements: tuple[PlacementCard, ...]
    runs: tuple[RunLine, ...]
    releases: tuple[ReleaseLine, ...]
    tests: tuple[TestRow, ...]
    freezes: FreezePanel
    incidents: tuple[IncidentLine, ...]
    drills: tuple[DrillLine, ...]
    rehearsals: tuple[RehearsalLine, ...]
    rehearsed_next: tuple[str, ...]
    """What is said of rehearsals that begin by themselves; nothing where the file asks for none."""

    expired: tuple[str, ...]
    """What is said of quarantines of tests that have expired."""


@dataclass(frozen=True, slots=True)
class PlacementHistory:
    """A placement, all that was ever deployed there, the newest first, and the releases that run there."""

    record: PlacementRecord
    deployments: tuple[Deployment, ...]
    releases: Mapping[ReleaseId, Release]
    freezes: tuple[Freeze, ...] = ()
    """All that hold, anywhere."""


def service_view(
    service: Service,
    placements: Sequence[PlacementHistory],
    runs: Sequence[Run],
    releases: Sequence[Release],
    tests: Sequence[KnownTest],
    environments: Mapping[EnvironmentName, Environment],
    now: datetime,
    owed: Collection[RunId] = (),
    freezes: Sequence[Freeze] = (),
    incidents: Sequence[Incident] = (),
    drills: Sequence[Drill] = (),
    rehearsals: Sequence[RecordedRehearsal] = (),
    rehearsed_next: Sequence[str] = (),
) -> ServiceView:
    """A service's page, from what was read; `owed` are the runs of which the review of a break-glass is owed, `freezes`
    those that concern it and hold or are planned, `incidents`, `drills` and `rehearsals` its newest, `rehearsed_next`
    what is said of those to come."""
    cards = {one.record.placement.environment: _card(one, now) for one in placements}
    words = str(mode_of(service).because)
    return ServiceView(
        name=service.name,
        repository=service.repository if service.path == "." else f"{service.repository}, folder {service.path}",
        branch=service.branch or "",
        mode_because=words[:1].upper() + words[1:],
        notes=service_notes(service),
        trouble=service.trouble,
        paused=service.paused_because,
        line_stopped=service.line_stopped_because,
        placements=tuple(cards[name] for name in in_order(list(cards), environments)),
        runs=tuple(run_line(one, now, owed) for one in runs),
        releases=tuple(release_line(one, now) for one in releases),
        tests=rows_of_tests(tests, now),
        freezes=freeze_panel(freezes, environments, (), now),
        incidents=tuple(incident_line(one, now) for one in incidents),
        drills=drill_lines(drills, now),
        rehearsals=rehearsal_lines(rehearsals, now),
        rehearsed_next=tuple(rehearsed_next),
        expired=tuple(expired_in_words(one) for one in tests if one.is_expired(now)),
    )


def release_line(release: Release, now: datetime) -> ReleaseLine:
    """A release in a list."""
    return ReleaseLine(
        id=release.id,
        label=release.label,
        subject=release.change.subject,
        author=release.change.author_name,
        run=release.run,
        evidence=evidence_text(release),
        when=moment(release.created_at, now),
    )


def evidence_text(release: Release) -> str:
    """What the build reported of tests and coverage, in a few words."""
    said = []
    if release.tests:
        tests = release.tests
        passed = tests.total - tests.failed - tests.skipped
        said.append(f"{passed} of {tests.total} tests passed" if tests.total else "The test report names no test")
        if tests.skipped:
            said.append(f"{tests.skipped} skipped")
    if release.line_coverage is not None:
        said.append(f"{percent(release.line_coverage / 100)} of lines covered")
    return ", ".join(said) or "No reports"


def _card(history: PlacementHistory, now: datetime) -> PlacementCard:
    record = history.record
    serving = record.placement.serving
    good = [one for one in history.deployments if one.id != serving and one.served_at and not one.is_quarantined]
    return PlacementCard(
        cell=placement_cell(record, history.releases, history.freezes),
        ways_back=tuple(WayBack(one.release, f"{one.label}{' (proven)' if one.proven_at else ''}") for one in good[:20])
        if serving
        else (),
        quarantined=tuple(
            QuarantineLine(one.label, one.quarantined_because or "", moment(one.quarantined_at, now))
            for one in history.deployments
            if one.is_quarantined
        ),
    )
