"""Loading what a gate sees of a service's pace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from sqlalchemy import Connection

from tidegate.model.cadence import Batch, Cadence, Collected
from tidegate.model.environment import Environment
from tidegate.model.gate_rules import GateRules
from tidegate.model.ids import EnvironmentName
from tidegate.model.pace import Pace
from tidegate.model.placement import Placement
from tidegate.model.run import Run, Trigger
from tidegate.model.train import Train, TrainSign, sign_for
from tidegate.store import cadence_queries, train_queries

NO_TRAINS: Mapping[str, Train] = MappingProxyType({})


def pace_at(
    connection: Connection,
    run: Run,
    placement: Placement,
    rules: Sequence[GateRules],
    environments: Mapping[EnvironmentName, Environment],
    trains: Mapping[str, Train],
) -> Pace:
    """What limits the run's release at the gate to a placement in time, and what it requires of other services."""
    assert run.pipeline is not None
    is_limited = placement.environment == _first_protected(run, environments)
    batch: Batch | None = run.pipeline.batch if is_limited else None
    required = {one.service for rule in rules for one in rule.requires}
    return Pace(
        cadence=run.pipeline.cadence if is_limited else Cadence(),
        batch=batch,
        collected=cadence_queries.collected(connection, placement, run.order) if batch else Collected(),
        others={one: cadence_queries.serving(connection, one, placement.environment) for one in sorted(required)},
        train=_train(connection, run, placement.environment, trains),
        asked_by=run.actor.name if run.trigger is not Trigger.PUSH and run.by_person else None,
    )


def train_of(run: Run, environment: EnvironmentName, trains: Mapping[str, Train]) -> str | None:
    """The train with which the run's release goes to an environment: the one of its file, or one that names it.

    What only comes and goes, in a drill, travels with none.
    """
    if run.is_drill:
        return None
    named = run.pipeline.train if run.pipeline else None
    if named is not None and (named not in trains or trains[named].environment == environment):
        return named
    travels = (one for one in trains.values() if run.service in one.services and one.environment == environment)
    return next((one.name for one in travels), None)


def _first_protected(run: Run, environments: Mapping[EnvironmentName, Environment]) -> EnvironmentName | None:
    """The first environment on the way of the run's service that is protected; one that is not known counts as such."""
    assert run.pipeline is not None
    names = (stage.environment for stage in run.pipeline.stages)
    return next((one for one in names if one not in environments or environments[one].protected), None)


def _train(
    connection: Connection, run: Run, environment: EnvironmentName, trains: Mapping[str, Train]
) -> TrainSign | None:
    name = train_of(run, environment, trains) or _aboard(connection, run, environment)
    if name is None:
        return None
    return sign_for(name, trains.get(name), train_queries.open_passage(connection, name), run.id)


def _aboard(connection: Connection, run: Run, environment: EnvironmentName) -> str | None:
    """The train that left with the run's release, also where the configuration has it no more."""
    under_way = (one for one in train_queries.open_passages(connection) if one.environment == environment)
    return next((one.train for one in under_way if any(member.run == run.id for member in one.members)), None)
