"""The page of release trains: what each carries, when it leaves, what keeps others out, and what happened last."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from tidegate.engine.trains import AtTheGate
from tidegate.model.ids import ServiceName
from tidegate.model.train import Member, MemberState, Train, TrainRun, TrainState
from tidegate.model.train_draft import Ready
from tidegate.web.wording import Badge, Moment, Tone, moment

_TRAINS = {
    TrainState.COLLECTING: Badge("collecting", Tone.QUIET),
    TrainState.MOVING: Badge("under way", Tone.BUSY),
    TrainState.RETURNING: Badge("stopped, coming back", Tone.BAD),
    TrainState.ARRIVED: Badge("arrived", Tone.GOOD),
    TrainState.RETURNED: Badge("stopped and rolled back", Tone.BAD),
    TrainState.CANCELLED: Badge("cancelled", Tone.QUIET),
}
_ABOARD = {
    MemberState.ABOARD: Badge("aboard", Tone.QUIET),
    MemberState.CALLED: Badge("its turn", Tone.BUSY),
    MemberState.PASSED: Badge("passed", Tone.GOOD),
    MemberState.FAILED: Badge("failed", Tone.BAD),
    MemberState.RETURNING: Badge("going back", Tone.BAD),
    MemberState.RETURNED: Badge("rolled back", Tone.BAD),
    MemberState.HELD: Badge("cannot go back", Tone.BAD),
    MemberState.LEFT: Badge("not begun", Tone.QUIET),
}


@dataclass(frozen=True, slots=True)
class TrainSources:
    """What the page is made of, of one train: `train` is None where the configuration has it no more, `aboard` would
    leave with it now, `waiting` is the newest release of each service at the gate, `known` are the services that were
    added, `passages` the newest first."""

    name: str
    train: Train | None
    services: tuple[ServiceName, ...]
    passage: TrainRun | None
    aboard: Collection[Ready]
    waiting: Mapping[ServiceName, AtTheGate]
    known: Collection[ServiceName]
    passages: Sequence[TrainRun]


@dataclass(frozen=True, slots=True)
class Carried:
    """A service of a train: whom it waits for, its release, and how that stands; `why` says what keeps it out."""

    service: str
    after: str
    label: str
    run: str | None
    state: Badge
    why: str
    is_known: bool = True
    """Whether it has a page."""


@dataclass(frozen=True, slots=True)
class PassageLine:
    """A passage that has ended."""

    id: str
    state: Badge
    because: str
    when: Moment | None
    members: tuple[Carried, ...]


@dataclass(frozen=True, slots=True)
class TrainCard:
    """A train on the page. `may_…` say which acts there are something to do for."""

    name: str
    environment: str
    state: Badge
    because: str
    plan: str
    leaves: str
    departed: Moment | None
    held_by: str | None
    services: tuple[Carried, ...]
    passages: tuple[PassageLine, ...]
    may_depart: bool
    may_hold: bool
    may_cancel: bool
    under_way: bool


def train_card(sources: TrainSources, now: datetime) -> TrainCard:
    """A train, from what was read."""
    passage, train = sources.passage, sources.train
    collects = passage is not None and passage.state is TrainState.COLLECTING
    held_by = passage.held_by if passage else None
    return TrainCard(
        name=sources.name,
        environment=str(train.environment if train else passage.environment if passage else ""),
        state=_TRAINS[passage.state] if passage else Badge("not collecting yet", Tone.QUIET),
        because=passage.because if passage else "",
        plan=str(train.leaves) if train and train.leaves else "",
        leaves=_leaves(passage) if collects and not held_by else "",
        departed=moment(passage.departed_at, now) if passage else None,
        held_by=held_by,
        services=tuple(_carried(sources)),
        passages=tuple(_ended(one, now) for one in sources.passages if one.state.is_ended),
        may_depart=bool(collects and not held_by and sources.aboard),
        may_hold=bool(collects and not held_by),
        may_cancel=passage is not None and passage.state in (TrainState.COLLECTING, TrainState.MOVING),
        under_way=passage is not None and not collects,
    )


def _leaves(passage: TrainRun | None) -> str:
    if passage is None or passage.leaves_at is None:
        return "leaves when somebody says so"
    return f"leaves at {passage.leaves_at:%Y-%m-%d %H:%M %Z}"


def _carried(sources: TrainSources) -> Iterator[Carried]:
    """Each service of the train, in the order in which their turns come."""
    passage, train = sources.passage, sources.train
    members = {one.service: one for one in passage.members} if passage else {}
    after = passage.after if passage and members else train.after if train else {}
    ready = {one.service: one for one in sources.aboard}
    for service in _in_turn(sources.services, after):
        waits = ", ".join(after.get(service, ()))
        if service in members:
            yield _member(members[service], waits)
        elif service in ready and not members:
            one = ready[service]
            yield Carried(service, waits, one.label, one.run, Badge("ready", Tone.GOOD), "")
        elif service in sources.waiting:
            at = sources.waiting[service]
            out = Badge("not aboard" if members else "kept out", Tone.ASKS)
            yield Carried(service, waits, at.run.label, at.run.id, out, at.kept_out)
        elif service in sources.known:
            yield Carried(service, waits, "", None, Badge("nothing waits", Tone.QUIET), "")
        else:
            yield Carried(
                service, waits, "", None, Badge("not added", Tone.ASKS), "the server knows no such service", False
            )


def _in_turn(
    services: Sequence[ServiceName], after: Mapping[ServiceName, tuple[ServiceName, ...]]
) -> tuple[ServiceName, ...]:
    """Those before others first; the configuration has no circles, and what is left of one would come last."""
    placed: list[ServiceName] = []
    rest = list(services)
    while rest:
        free = [one for one in rest if not any(before in rest for before in after.get(one, ()))] or rest
        placed += free
        rest = [one for one in rest if one not in free]
    return tuple(placed)


def _member(member: Member, waits: str) -> Carried:
    return Carried(member.service, waits, member.label, member.run, _ABOARD[member.state], member.because)


def _ended(passage: TrainRun, now: datetime) -> PassageLine:
    by_service = {one.service: one for one in passage.members}
    turns = _in_turn(tuple(by_service), passage.after)
    members = tuple(_member(by_service[one], ", ".join(passage.after.get(one, ()))) for one in turns)
    return PassageLine(passage.id, _TRAINS[passage.state], passage.because, moment(passage.ended_at, now), members)
