"""The first page: services × environments, what waits for a person, and the newest runs."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from tidegate.model.break_glass import BreakGlass
from tidegate.model.environment import Environment
from tidegate.model.freeze import Freeze
from tidegate.model.ids import EnvironmentName, ReleaseId, RunId, ServiceName
from tidegate.model.incident import Incident
from tidegate.model.next_acts import next_acts
from tidegate.model.quarantine import TestQuarantine
from tidegate.model.release import Release
from tidegate.model.run import Run
from tidegate.model.service import Service
from tidegate.model.step_environment import address_of
from tidegate.store.placement_queries import PlacementRecord
from tidegate.store.run_queries import RunRecord
from tidegate.web.freeze_view import FreezePanel, freeze_panel, frozen_words
from tidegate.web.glass_view import glass_notes, runs_of
from tidegate.web.wording import Badge, Moment, Tone, badge, health_badge, moment, percent

_TESTS_NAMED = 5


@dataclass(frozen=True, slots=True)
class ShareLine:
    """A deployment that gets traffic: its label, what changed and in which run, and how much as text and as a whole
    number of percent."""

    label: str
    subject: str
    run: str | None
    share: str
    width: int


@dataclass(frozen=True, slots=True)
class PlacementCell:
    """What runs of a service in an environment; `moving` names the run that moves it."""

    environment: str
    health: Badge
    shares: tuple[ShareLine, ...]
    address: str
    moving: Badge | None
    moving_run: str | None
    stuck: str | None
    floor: str | None
    frozen: str | None = None


@dataclass(frozen=True, slots=True)
class ServiceRow:
    """A service, and a cell for each environment."""

    name: str
    notes: tuple[Badge, ...]
    cells: tuple[PlacementCell | None, ...]


@dataclass(frozen=True, slots=True)
class Attention:
    """Something that waits for a person, and where to do it."""

    title: str
    text: str
    url: str
    tone: Tone


@dataclass(frozen=True, slots=True)
class RunLine:
    """A run in a list."""

    id: str
    service: str
    label: str
    subject: str
    author: str
    status: Badge
    when: Moment | None
    why: str
    notes: tuple[Badge, ...] = ()


@dataclass(frozen=True, slots=True)
class BoardView:
    """The first page."""

    environments: tuple[str, ...]
    rows: tuple[ServiceRow, ...]
    attention: tuple[Attention, ...]
    runs: tuple[RunLine, ...]
    freezes: FreezePanel


def board_view(
    services: Sequence[Service],
    placements: Sequence[PlacementRecord],
    releases: Mapping[ReleaseId, Release],
    open_runs: Sequence[RunRecord],
    expired: Sequence[TestQuarantine],
    glass: Sequence[tuple[BreakGlass, Run]],
    newest: Sequence[Run],
    environments: Mapping[EnvironmentName, Environment],
    now: datetime,
    freezes: Sequence[Freeze] = (),
    incidents: Sequence[Incident] = (),
) -> BoardView:
    """The first page, from what was read; `releases` are those that run somewhere, `expired` quarantines of tests,
    `glass` openings by break-glass whose review is owed, `freezes` those that hold or are
    planned, `incidents` those that are open.

    Only environments in which something is placed have a column.
    """
    names = in_order([one.placement.environment for one in placements], environments)
    holding = [one for one in freezes if one.holds(now)]
    cells = {
        (one.placement.service, one.placement.environment): placement_cell(one, releases, holding) for one in placements
    }
    rows = tuple(
        ServiceRow(one.name, service_notes(one), tuple(cells.get((one.name, name)) for name in names))
        for one in services
    )
    attention = (
        *_of_incidents(incidents),
        *_of_glass(glass),
        *_of_runs(open_runs),
        *_of_services(services),
        *_of_placements(placements),
        *_of_quarantines(expired),
    )
    owed = runs_of([one for one, _ in glass])
    runs = tuple(run_line(one, now, owed) for one in newest)
    panel = freeze_panel(freezes, environments, [one.name for one in services], now)
    return BoardView(tuple(names), rows, attention, runs, panel)


def in_order(
    used: Collection[EnvironmentName], environments: Mapping[EnvironmentName, Environment]
) -> list[EnvironmentName]:
    """The environments that are used, in the order in which the configuration names them."""
    return [name for name in environments if name in used] + sorted(set(used) - set(environments))


def placement_cell(
    record: PlacementRecord, releases: Mapping[ReleaseId, Release], freezes: Sequence[Freeze]
) -> PlacementCell:
    """What runs of a service in an environment; `freezes` are those that hold."""
    placement, rollout = record.placement, record.rollout
    moves = rollout is not None and not rollout.state.is_ended
    return PlacementCell(
        environment=placement.environment,
        health=health_badge(placement.health),
        shares=tuple(_share_lines(record, releases)),
        address=address_of(placement),
        moving=badge(rollout.state) if rollout and moves else None,
        moving_run=rollout.run if rollout and moves else None,
        stuck=placement.stuck_because,
        floor=placement.floor.words if placement.floor else None,
        frozen=frozen_words(freezes, placement.service, placement.environment),
    )


def _share_lines(record: PlacementRecord, releases: Mapping[ReleaseId, Release]) -> Iterator[ShareLine]:
    for part in record.placement.arrangement.parts:
        deployment = record.deployments.get(part.deployment)
        if deployment is None or not part.share.parts:
            continue
        release = releases.get(deployment.release)
        yield ShareLine(
            label=deployment.label,
            subject=release.change.subject if release else "",
            run=release.run if release else None,
            share=percent(part.share.fraction),
            width=round(100 * part.share.fraction),
        )


def service_notes(service: Service) -> tuple[Badge, ...]:
    """What is out of the ordinary about a service, in a word each."""
    notes = []
    if service.line_stopped_because:
        notes.append(Badge("line stopped", Tone.BAD))
    if service.paused_because:
        notes.append(Badge("paused", Tone.ASKS))
    if service.trouble:
        notes.append(Badge("repository", Tone.BAD))
    return tuple(notes)


def run_line(run: Run, now: datetime, owed: Collection[RunId] = ()) -> RunLine:
    """A run in a list; `owed` are the runs of which the review of a break-glass is owed."""
    return RunLine(
        id=run.id,
        service=run.service,
        label=run.label,
        subject=run.subject,
        author=run.change.author_name,
        status=badge(run.status),
        when=moment(run.created_at, now),
        why="; ".join(reason.text for reason in run.because),
        notes=glass_notes(run.id, owed),
    )


def _of_incidents(incidents: Sequence[Incident]) -> Iterator[Attention]:
    for one in incidents:
        title = f"{one.service} in {one.environment}: an incident is open"
        yield Attention(title, one.reason, f"/incidents/{one.id}", Tone.BAD)


def _of_glass(glass: Sequence[tuple[BreakGlass, Run]]) -> Iterator[Attention]:
    for one, run in glass:
        title = f"{run.service} {run.label}: the glass was broken at {one.stage}"
        yield Attention(title, f"{one.actor.name}: {one.reason}. A review is owed", f"/runs/{run.id}", Tone.BAD)


def _of_runs(records: Sequence[RunRecord]) -> Iterator[Attention]:
    for record in records:
        acts = next_acts(record.run, record.service, record.stages, record.rollouts)
        asked = [act.text for act in acts if act.command]
        if asked:
            title = f"{record.run.service} {record.run.label}: {record.run.change.subject}"
            yield Attention(title, "; ".join(asked), f"/runs/{record.run.id}", Tone.ASKS)


def _of_services(services: Sequence[Service]) -> Iterator[Attention]:
    for service in services:
        url = f"/services/{service.name}"
        if service.line_stopped_because:
            yield Attention(f"{service.name}: the line is stopped", service.line_stopped_because, url, Tone.BAD)
        if service.paused_because:
            yield Attention(f"{service.name} is paused", service.paused_because, url, Tone.ASKS)
        if service.trouble:
            yield Attention(f"{service.name}: the repository cannot be read", service.trouble, url, Tone.BAD)


def _of_placements(placements: Sequence[PlacementRecord]) -> Iterator[Attention]:
    for record in placements:
        placement = record.placement
        if placement.stuck_because:
            title = f"{placement.service} in {placement.environment} is stuck"
            yield Attention(title, placement.stuck_because, f"/services/{placement.service}", Tone.BAD)


def _of_quarantines(expired: Sequence[TestQuarantine]) -> Iterator[Attention]:
    by_service: dict[ServiceName, list[TestQuarantine]] = {}
    for one in expired:
        by_service.setdefault(one.service, []).append(one)
    for service, of_service in by_service.items():
        tests = ", ".join(f"{one.test} (owner {one.owner})" for one in of_service[:_TESTS_NAMED])
        title = f"{service}: a quarantine of tests has expired"
        yield Attention(title, f"They count again: {tests}", f"/services/{service}", Tone.ASKS)
