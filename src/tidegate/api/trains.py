"""Release trains: what they collect, when they leave, and how they arrived."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path

from tidegate.api.fields import NAME, Body, TextField
from tidegate.api.idempotency import ActRoute
from tidegate.api.routing import noun_router
from tidegate.api.security import Operator, Parts, Reader
from tidegate.api.train_answers import (
    PassageAnswer,
    TrainAnswer,
    TrainDetail,
    passage_answer,
    train_answer,
    train_detail,
)
from tidegate.engine.refusal import not_found
from tidegate.engine.trains import at_its_gates, ready_for, travellers
from tidegate.model.decide_train import choose_aboard
from tidegate.security.permission import Permission
from tidegate.store import train_queries

router = noun_router("trains", prefix="/trains", route_class=ActRoute)

TrainPath = Annotated[str, Path(alias="name", pattern=NAME, description="A train's name")]


class HoldRequest(Body):
    """Why the train is not to leave; it is recorded."""

    reason: TextField = ""


@router.get("")
def list_trains(parts: Parts, _: Reader) -> list[TrainAnswer]:
    """The release trains of the server's configuration."""
    known = parts.engine.parts
    with known.database.reading() as connection:
        return [
            train_answer(one, travellers(connection, known, one.name), train_queries.open_passage(connection, one.name))
            for one in known.trains.values()
        ]


@router.get("/{name}")
def show_train(parts: Parts, _: Reader, name: TrainPath) -> TrainDetail:
    """A train, what would be aboard if it left now, and its last passages."""
    known = parts.engine.parts
    train = known.trains.get(name)
    if train is None:
        raise not_found("train", name, "tidegate train list")
    with known.database.reading() as connection:
        ready = choose_aboard(ready_for(connection, known, name, train.environment), train.after)
        services = travellers(connection, known, name)
        passage = train_queries.open_passage(connection, name)
        waiting = at_its_gates(connection, known, name, train.environment).values()
        return train_detail(train, services, passage, ready, waiting, train_queries.passages(connection, name))


@router.post("/{name}/depart", status_code=202)
def depart(parts: Parts, who: Operator, name: TrainPath) -> PassageAnswer:
    """Let the train leave now with what is ready."""
    parts.authority.check_train(who, Permission.OPERATE, name)
    return passage_answer(parts.trains.depart(name, who.actor))


@router.post("/{name}/hold")
def hold_train(parts: Parts, who: Operator, name: TrainPath, body: HoldRequest | None = None) -> PassageAnswer:
    """Let the train not leave until somebody says so."""
    parts.authority.check_train(who, Permission.OPERATE, name)
    return passage_answer(parts.trains.hold(name, who.actor, body.reason if body else ""))


@router.post("/{name}/resume")
def resume_train(parts: Parts, who: Operator, name: TrainPath) -> PassageAnswer:
    """Let a held train leave again; a departure that it missed is made up for at once."""
    parts.authority.check_train(who, Permission.OPERATE, name)
    return passage_answer(parts.trains.resume(name, who.actor))


@router.post("/{name}/cancel", status_code=202)
def cancel_train(parts: Parts, who: Operator, name: TrainPath) -> PassageAnswer:
    """Leave out the next departure; of a train under way, take back what was deployed by it."""
    parts.authority.check_train(who, Permission.OPERATE, name)
    return passage_answer(parts.trains.cancel(name, who.actor))
