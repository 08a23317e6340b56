"""Release trains: what is looked at, and the looking."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from tidegate.engine.pace import train_of
from tidegate.engine.parts import Parts
from tidegate.model.decide_train import decide_train
from tidegate.model.decision import Decision
from tidegate.model.gate import PLACEMENT_RULE
from tidegate.model.gate_requires import REQUIRES_RULE, unmet
from tidegate.model.gate_train import TRAIN_RULE
from tidegate.model.ids import EnvironmentName, ServiceName, placement_id
from tidegate.model.run import Run, StageRun
from tidegate.model.train import Member, TrainRun, TrainRunId
from tidegate.model.train_draft import Boarded, Ready, TrainView
from tidegate.model.train_return import return_id
from tidegate.store import cadence_queries, queries, train_queries
from tidegate.store.saving import save

_TRAIN_ALONE = {TRAIN_RULE, PLACEMENT_RULE, REQUIRES_RULE}


def travellers(connection: Connection, parts: Parts, name: str) -> tuple[ServiceName, ...]:
    """The services that travel with a train: those that it names, those whose file names it, and those aboard."""
    train = parts.trains.get(name)
    passage = train_queries.open_passage(connection, name)
    aboard = {one.service for one in passage.members} if passage else set()
    named = set(train.services) if train else set()
    return tuple(sorted(named | aboard | set(train_queries.services_naming(connection, name))))


def trains_of(connection: Connection, parts: Parts, service: str) -> set[str]:
    """The trains that a service may travel with, now or with a release that is under way."""
    found = {one.name for one in parts.trains.values() if service in one.services}
    known = queries.known_service(connection, service)
    if known and known.train:
        found.add(known.train)
    moving = train_queries.open_passages(connection)
    return found | {one.train for one in moving if one.member(ServiceName(service))}


def all_trains(connection: Connection, parts: Parts) -> set[str]:
    """The trains of the configuration, and those that are still under way."""
    return {*parts.trains, *(one.train for one in train_queries.open_passages(connection))}


@dataclass(frozen=True, slots=True)
class AtTheGate:
    """A service's newest release at the gate through which the train goes."""

    run: Run
    stage: StageRun

    @property
    def kept_out(self) -> str:
        """What else than the train its gate waits for; the train's own word where it is that alone."""
        blocking = self.stage.gate.blocking if self.stage.gate else ()
        others = [one.text for one in blocking if one.rule != TRAIN_RULE]
        return "; ".join(others or [one.text for one in blocking]) or "its gate has not been looked at yet"


def at_its_gates(
    connection: Connection, parts: Parts, train: str, environment: EnvironmentName
) -> dict[ServiceName, AtTheGate]:
    """The newest release of each service that waits to go with the train."""
    waiting = train_queries.at_gates(connection, environment)
    travelling = [AtTheGate(*one) for one in waiting if train_of(one[0], environment, parts.trains) == train]
    return {one.run.service: one for one in sorted(travelling, key=lambda one: (one.run.order, one.run.id))}


def look_at_train(parts: Parts, name: str) -> tuple[Decision, tuple[ServiceName, ...]]:
    """Decide about a train and save that, in one transaction; the decision, and the services that travel with it."""
    with parts.database.writing() as connection:
        services = lock_train(connection, parts, name)
        now = parts.clock.now()
        decision = decide_train(load_train(connection, parts, name), now)
        save(connection, decision, now, parts.new_id)
    return decision, services


def lock_train(connection: Connection, parts: Parts, name: str) -> tuple[ServiceName, ...]:
    """Let nobody else near the train, nor near the services that travel with it.

    Always in the same order; whoever locks one service only never waits for another while it has it.
    """
    services = travellers(connection, parts, name)
    for one in services:
        parts.database.lock_service(connection, one)
    parts.database.lock_service(connection, f"train {name}")
    return services


def load_train(connection: Connection, parts: Parts, name: str) -> TrainView:
    """A train with all that its decision looks at."""
    train, passage = parts.trains.get(name), train_queries.open_passage(connection, name)
    return TrainView(
        name=name,
        train=train,
        passage=passage,
        last=train_queries.last_ended(connection, name),
        ready=ready_for(connection, parts, name, train.environment) if train else (),
        boarded=_boarded(connection, passage) if passage else {},
        new=TrainRunId(parts.new_id()),
    )


def ready_for(connection: Connection, parts: Parts, name: str, environment: EnvironmentName) -> tuple[Ready, ...]:
    """The releases that nothing but the train keeps out."""
    waiting = train_queries.at_gates(connection, environment)
    travelling = (one for one in waiting if train_of(one[0], environment, parts.trains) == name)
    found = (_ready(connection, parts, run, stage) for run, stage in travelling)
    return tuple(one for one in found if one)


def _ready(connection: Connection, parts: Parts, run: Run, stage: StageRun) -> Ready | None:
    blocking = {reason.rule for reason in stage.gate.blocking} if stage.gate else set()
    if TRAIN_RULE not in blocking or not blocking <= _TRAIN_ALONE or run.release is None or run.pipeline is None:
        return None
    environment = parts.environment(stage.environment)
    floors = tuple(floor.gate for floor in environment.floors_for(run.service))
    rules = (run.pipeline.stage(stage.name).gate, *floors)
    needed = tuple(one for rule in rules for one in rule.requires)
    others = {one.service: cadence_queries.serving(connection, one.service, stage.environment) for one in needed}
    missing = unmet(needed, others, stage.environment)
    return Ready(run.service, run.id, run.release, run.label, stage.name, run.order, missing)


def _boarded(connection: Connection, passage: TrainRun) -> dict[ServiceName, Boarded]:
    found = {one.service: _outside(connection, passage, one) for one in passage.members}
    return {service: one for service, one in found.items() if one}


def _outside(connection: Connection, passage: TrainRun, member: Member) -> Boarded | None:
    run = queries.run(connection, member.run)
    stage = train_queries.stage_of(connection, member.run, member.stage)
    placement = queries.placement(connection, placement_id(member.service, passage.environment))
    if run is None or stage is None or placement is None:
        return None
    rollout = queries.rollout(connection, stage.rollout)
    previous = queries.deployment(connection, rollout.old) if rollout and rollout.old else None
    return Boarded(
        run=run,
        stage=stage,
        rollout=rollout,
        placement=placement,
        owner=queries.rollout(connection, placement.rollout),
        previous=previous,
        returns=queries.rollout(connection, return_id(passage, member.service)),
    )
