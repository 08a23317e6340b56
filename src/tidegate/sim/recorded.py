"""What an event is about, as the rows say: what an event names is always there."""

from __future__ import annotations

from sqlalchemy import Connection

from tidegate.model.event import RecordedEvent
from tidegate.model.ids import EnvironmentName, PlacementId, ServiceName, placement_id
from tidegate.model.rollout import Rollout
from tidegate.model.run import Run
from tidegate.model.service import Service
from tidegate.store import queries


def rollout_of(connection: Connection, recorded: RecordedEvent) -> Rollout:
    """The rollout that an event is about."""
    found = queries.rollout(connection, recorded.event.about["rollout"])
    assert found is not None
    return found


def run_of(connection: Connection, recorded: RecordedEvent) -> Run:
    """The run that an event is about."""
    found = queries.run(connection, recorded.event.about["run"])
    assert found is not None
    return found


def service_of(connection: Connection, recorded: RecordedEvent) -> Service:
    """The service that an event is about."""
    found = queries.known_service(connection, recorded.event.about["service"])
    assert found is not None
    return found


def environment_of(recorded: RecordedEvent) -> EnvironmentName:
    """The environment that an event is about."""
    return EnvironmentName(recorded.event.about["environment"])


def placement_of(recorded: RecordedEvent) -> PlacementId:
    """The placement that an event is about."""
    return placement_id(ServiceName(recorded.event.about["service"]), environment_of(recorded))
