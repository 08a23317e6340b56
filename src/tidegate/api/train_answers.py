"""Release trains as the API tells them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from tidegate.api.answers import Answer
from tidegate.engine.trains import AtTheGate
from tidegate.model.train import MemberState, Train, TrainRun, TrainState
from tidegate.model.train_draft import Ready


class MemberAnswer(Answer):
    """A release aboard; `because` says why it stands as it does."""

    service: str
    run: str
    release: str
    label: str
    stage: str
    state: MemberState
    because: str


class PassageAnswer(Answer):
    """One passage of a train: it collects, leaves with its `members`, and arrives or comes back whole."""

    id: str
    train: str
    environment: str
    state: TrainState
    opened_at: datetime
    leaves_at: datetime | None
    held_by: str | None
    departed_at: datetime | None
    ended_at: datetime | None
    because: str
    members: tuple[MemberAnswer, ...]
    after: dict[str, tuple[str, ...]]


class ReadyAnswer(Answer):
    """A release that would be aboard if the train left now."""

    service: str
    run: str
    release: str
    label: str


class KeptOutAnswer(Answer):
    """A release at the gate of the train's environment that could not leave with it now, and why."""

    service: str
    run: str
    label: str
    because: str


class TrainAnswer(Answer):
    """A train: `leaves` is its schedule, null where a person sends it; `passage` is the one that has not ended."""

    name: str
    environment: str
    services: tuple[str, ...]
    after: dict[str, tuple[str, ...]]
    leaves: str | None
    passage: PassageAnswer | None


class TrainDetail(TrainAnswer):
    """A train, what would be aboard if it left now and what would not, and its last passages, the newest first."""

    ready: list[ReadyAnswer]
    kept_out: list[KeptOutAnswer]
    passages: list[PassageAnswer]


def train_answer(train: Train, services: Sequence[str], passage: TrainRun | None) -> TrainAnswer:
    """The train as a list shows it."""
    return TrainAnswer.model_validate(_fields(train, services, passage))


def train_detail(
    train: Train,
    services: Sequence[str],
    passage: TrainRun | None,
    ready: Sequence[Ready],
    waiting: Iterable[AtTheGate],
    passages: Sequence[TrainRun],
) -> TrainDetail:
    """The train, which of the releases that wait at the gate are ready for it, and its last passages."""
    going = {one.run for one in ready} | {one.run for one in (passage.members if passage else ())}
    kept_out = [_kept_out(one) for one in waiting if one.run.id not in going]
    told = {"passages": [passage_answer(one) for one in passages], "ready": [_ready(one) for one in ready]}
    return TrainDetail.model_validate({**_fields(train, services, passage), **told, "kept_out": kept_out})


def passage_answer(passage: TrainRun) -> PassageAnswer:
    """One passage."""
    return PassageAnswer.model_validate(passage)


def _ready(one: Ready) -> ReadyAnswer:
    return ReadyAnswer(service=one.service, run=one.run, release=one.release, label=one.label)


def _kept_out(one: AtTheGate) -> KeptOutAnswer:
    return KeptOutAnswer(service=one.run.service, run=one.run.id, label=one.run.label, because=one.kept_out)


def _fields(train: Train, services: Sequence[str], passage: TrainRun | None) -> dict[str, object]:
    return {
        "name": train.name,
        "environment": train.environment,
        "services": tuple(services),
        "after": dict(train.after),
        "leaves": str(train.leaves) if train.leaves else None,
        "passage": passage_answer(passage) if passage else None,
    }
