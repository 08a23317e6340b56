"""What the pages read, each page at one moment of the database."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Connection

from tidegate.engine import waiting
from tidegate.engine.parts import Parts
from tidegate.engine.refusal import not_found
from tidegate.engine.rehearsal_schedule import occurrences
from tidegate.engine.rehearsals import rehearsals
from tidegate.engine.trains import all_trains, at_its_gates, ready_for, travellers
from tidegate.model.decide_train import choose_aboard
from tidegate.model.environment import Environment
from tidegate.model.freeze import Freeze
from tidegate.model.ids import EnvironmentName, ReleaseId, placement_id
from tidegate.model.release import Release
from tidegate.store import (
    drill_queries,
    events,
    gate_queries,
    incident_queries,
    outcome_queries,
    placement_queries,
    queries,
    run_queries,
    time_queries,
    train_queries,
)
from tidegate.web.board_view import BoardView, board_view
from tidegate.web.glass_view import runs_of
from tidegate.web.queue_view import QueueView, queue_view
from tidegate.web.run_view import RunSources, RunView, run_view
from tidegate.web.service_view import PlacementHistory, ServiceView, service_view
from tidegate.web.train_view import TrainCard, TrainSources, train_card

_NEWEST_RUNS = 12
_RELEASES = 15
_EVENTS_AT_MOST = 2000
_PASSAGES = 8
_INCIDENTS = 10
_REHEARSALS = 5
_DRILLS = 20


def read_board(connection: Connection, environments: Mapping[EnvironmentName, Environment], now: datetime) -> BoardView:
    """The first page."""
    services = queries.services(connection)
    open_runs = [one for service in services for one in run_queries.open_of_service(connection, service.name)]
    newest = queries.newest_runs(connection, limit=_NEWEST_RUNS)
    placements = placement_queries.records(connection)
    running = {name: one for record in placements for name, one in _running(connection, record).items()}
    expired = [one for one in outcome_queries.quarantines(connection) if not one.holds(now)]
    owed = ((one, queries.run(connection, one.run)) for one in gate_queries.unreviewed_glass(connection))
    glass = [(one, run) for one, run in owed if run]
    return board_view(
        services,
        placements,
        running,
        open_runs,
        expired,
        glass,
        newest,
        environments,
        now,
        _freezes(connection, environments, now),
        incident_queries.incidents(connection, open_only=True),
    )


def _freezes(
    connection: Connection, environments: Mapping[EnvironmentName, Environment], now: datetime
) -> tuple[Freeze, ...]:
    """The freezes that hold or are planned, of people and of the server's configuration."""
    configured = (freeze for one in environments.values() for freeze in one.freezes)
    return tuple(one for one in (*time_queries.freezes(connection, now), *configured) if not one.is_over(now))


def read_service(connection: Connection, name: str, parts: Parts) -> ServiceView:
    """A service's page. Raises Refused."""
    environments, now = parts.environments, parts.clock.now()
    service = queries.service(connection, name)
    if service is None:
        raise not_found("service", name)
    known = tuple(one for one in _freezes(connection, environments, now) if one.service in (None, name))
    holding = tuple(one for one in known if one.holds(now))
    histories = [
        PlacementHistory(
            one, queries.deployments_of_placement(connection, one.placement.id), _running(connection, one), holding
        )
        for one in placement_queries.records(connection, name)
    ]
    runs = queries.newest_runs(connection, name, limit=_NEWEST_RUNS)
    releases = queries.releases(connection, name, _RELEASES)
    tests = outcome_queries.known_tests(connection, name)
    owed = runs_of(gate_queries.unreviewed_glass(connection))
    drills = drill_queries.drills(connection, name, limit=_DRILLS)
    incidents = incident_queries.incidents(connection, name, limit=_INCIDENTS)
    played = rehearsals(connection, name, limit=_REHEARSALS)
    scheduled = [one.in_words(now) for one in occurrences(connection, parts, name)]
    return service_view(
        service, histories, runs, releases, tests, environments, now, owed, known, incidents, drills, played, scheduled
    )


def read_run(connection: Connection, run_id: str, now: datetime) -> RunView:
    """A run's page. Raises Refused."""
    record = run_queries.record_of(connection, run_id)
    if record is None:
        raise not_found("run", run_id)
    placements = {
        stage.environment: found
        for stage in record.stages
        if (found := placement_queries.record_of(connection, placement_id(record.run.service, stage.environment)))
    }
    sources = RunSources(
        record=record,
        placements=placements,
        releases=queries.releases(connection, record.run.service) if record.release else (),
        snapshots={one.id: queries.snapshots(connection, one.id) for one in record.rollouts},
        events=events.of_run(connection, run_id, limit=_EVENTS_AT_MOST),
        glass=gate_queries.broken_glass(connection, run_id),
        incidents=incident_queries.about(connection, {one.new for one in record.rollouts if one.new}),
    )
    return run_view(sources, now)


def read_queue(connection: Connection, now: datetime) -> QueueView:
    """The queue's page."""
    return queue_view(waiting.read_queue(connection, now), now)


def read_trains(connection: Connection, parts: Parts) -> tuple[TrainCard, ...]:
    """The page of release trains: those of the configuration in its order, then others that are still under way."""
    now = parts.clock.now()
    names = (*parts.trains, *sorted(all_trains(connection, parts) - set(parts.trains)))
    return tuple(train_card(_train(connection, parts, name), now) for name in names)


def _train(connection: Connection, parts: Parts, name: str) -> TrainSources:
    train = parts.trains.get(name)
    ready = ready_for(connection, parts, name, train.environment) if train else ()
    return TrainSources(
        name=name,
        train=train,
        services=travellers(connection, parts, name),
        passage=train_queries.open_passage(connection, name),
        aboard=choose_aboard(ready, train.after) if train else (),
        waiting=at_its_gates(connection, parts, name, train.environment) if train else {},
        known={one.name for one in queries.services(connection)},
        passages=train_queries.passages(connection, name, _PASSAGES),
    )


def _running(connection: Connection, record: placement_queries.PlacementRecord) -> dict[ReleaseId, Release]:
    named = {one.release for one in record.deployments.values()}
    return {name: found for name in named if (found := queries.release(connection, name))}
