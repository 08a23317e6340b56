"""The decision about a train: when it leaves and with what, whose turn it is, and whether it comes back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from tidegate.model.actor import SYSTEM
from tidegate.model.decision import Decision
from tidegate.model.event import EventKind
from tidegate.model.ids import ServiceName
from tidegate.model.local_time import UnknownZone
from tidegate.model.run import StageState
from tidegate.model.train import Member, MemberState, Train, TrainRun, TrainState
from tidegate.model.train_draft import Boarded, Ready, TrainDraft, TrainView
from tidegate.model.train_return import bring_back

_BAD = (
    StageState.FAILED,
    StageState.ROLLED_BACK,
    StageState.CANCELLED,
    StageState.REJECTED,
    StageState.SUPERSEDED,
)


def decide_train(view: TrainView, now: datetime) -> Decision:
    """Decide what a train does now.

    It collects until it leaves; then each release aboard is called when those before it have passed; when one fails,
    all stop, and what was deployed is taken back in reverse order.
    """
    if view.passage is None:
        return _open(view, view.train, now) if view.train else Decision()
    draft = TrainDraft(view, now, view.passage)
    match view.passage.state:
        case TrainState.COLLECTING:
            _collect(draft)
        case TrainState.MOVING:
            _move(draft)
        case TrainState.RETURNING:
            bring_back(draft)
        case TrainState.ARRIVED | TrainState.RETURNED | TrainState.CANCELLED:
            pass
    return draft.decision()


def choose_aboard(
    ready: tuple[Ready, ...], after: Mapping[ServiceName, tuple[ServiceName, ...]] | None = None
) -> tuple[Ready, ...]:
    """The newest ready release of each service. One that requires what does not serve yet is aboard only where the
    services in question are, and their turn is before its own."""
    newest: dict[ServiceName, Ready] = {}
    for one in sorted(ready, key=lambda one: (one.order, one.run)):
        newest[one.service] = one
    while True:
        kept = {
            name: one
            for name, one in newest.items()
            if all(other in newest and _is_before(other, name, after or {}) for other in one.unmet)
        }
        if len(kept) == len(newest):
            return tuple(sorted(kept.values(), key=lambda one: one.service))
        newest = kept


def _is_before(one: ServiceName, other: ServiceName, after: Mapping[ServiceName, tuple[ServiceName, ...]]) -> bool:
    """Whether `one` must have passed before the turn of `other` comes."""
    seen: set[ServiceName] = set()
    rest = list(after.get(other, ()))
    while rest:
        at = rest.pop()
        if at == one:
            return True
        if at not in seen:
            seen.add(at)
            rest += after.get(at, ())
    return False


def _open(view: TrainView, train: Train, now: datetime) -> Decision:
    """A new passage begins to collect. A departure that was cancelled before its time does not come again."""
    before = view.last.leaves_at if view.last and view.last.leaves_at else now
    leaves_at = _next_departure(train, max(before, now))
    plan = str(train.leaves) if train.leaves else ""
    passage = TrainRun(view.new, view.name, train.environment, TrainState.COLLECTING, now, leaves_at, plan)
    draft = TrainDraft(view, now, passage)
    draft.wake_at = leaves_at
    draft.say(EventKind.TRAIN_COLLECTS, f"the train {view.name} collects and leaves {_when(leaves_at)}")
    return draft.decision()


def _collect(draft: TrainDraft) -> None:
    passage, train = draft.passage, draft.view.train
    if train is None:
        _end(draft, TrainState.CANCELLED, "the server's configuration has it no more")
        return
    if passage.cancel_asked_by:
        _end(draft, TrainState.CANCELLED, f"cancelled by {passage.cancel_asked_by.name}")
        return
    plan = str(train.leaves) if train.leaves else ""
    if plan != passage.plan or train.environment != passage.environment:
        passage = draft.update(plan=plan, leaves_at=_next_departure(train, draft.now), environment=train.environment)
    is_time = passage.leaves_at is not None and passage.leaves_at <= draft.now
    if passage.held_by or not (passage.depart_asked_by or is_time):
        draft.wake_at = None if passage.held_by else passage.leaves_at
        return
    _depart(draft, train)


def _depart(draft: TrainDraft, train: Train) -> None:
    who = draft.passage.depart_asked_by
    aboard = choose_aboard(draft.view.ready, train.after)
    if not aboard:
        leaves_at = _next_departure(train, draft.now)
        draft.update(depart_asked_by=None, leaves_at=leaves_at)
        draft.wake_at = leaves_at
        draft.say(EventKind.TRAIN_EMPTY, f"nothing was ready for the train {train.name}; it leaves {_when(leaves_at)}")
        return
    members = tuple(Member(one.service, one.run, one.release, one.label, one.stage) for one in aboard)
    draft.update(state=TrainState.MOVING, members=members, after=dict(train.after), departed_at=draft.now)
    names = ", ".join(f"{one.service} {one.label}" for one in members)
    by = f", sent by {who.name}" if who else ""
    draft.say(EventKind.TRAIN_DEPARTED, f"the train {train.name} leaves with {names}{by}", None, who or SYSTEM)
    for one in members:
        draft.say(EventKind.TRAIN_ABOARD, f"{one.service} {one.label} is aboard the train {train.name}", one)


def _move(draft: TrainDraft) -> None:
    for member in draft.passage.members:
        _follow(draft, member, draft.view.boarded.get(member.service))
    failed = [one for one in draft.passage.members if one.state is MemberState.FAILED]
    cancelled = draft.passage.cancel_asked_by
    if failed or cancelled:
        because = "; ".join(f"{one.service} {one.label} failed: {one.because}" for one in failed)
        because = because or f"cancelled by {cancelled.name if cancelled else ''}"
        draft.update(state=TrainState.RETURNING, because=because)
        draft.say(EventKind.TRAIN_STOPPED, f"the train {draft.passage.train} stops and comes back: {because}")
        return
    for member in draft.passage.members:
        ready = all(one.state is MemberState.PASSED for one in draft.passage.before(member.service))
        if member.state is MemberState.ABOARD and ready:
            draft.set_member(member.service, MemberState.CALLED)
            text = f"it is the turn of {member.service} {member.label} on the train {draft.passage.train}"
            draft.say(EventKind.TRAIN_CALLED, text, member)
    if all(one.state is MemberState.PASSED for one in draft.passage.members):
        _end(draft, TrainState.ARRIVED, f"all {len(draft.passage.members)} passed")


def _follow(draft: TrainDraft, member: Member, boarded: Boarded | None) -> None:
    """Keep what became of a release aboard."""
    if boarded is None:
        draft.set_member(member.service, MemberState.FAILED, "its run is gone")
        return
    stage, rollout = boarded.stage, boarded.rollout
    if rollout and (rollout.cause or rollout.rollback_asked or rollout.held_at_floor):
        cause = rollout.cause or rollout.rollback_asked or rollout.held_at_floor
        draft.set_member(member.service, MemberState.FAILED, cause.text if cause else "")
    elif stage.state in _BAD:
        draft.set_member(member.service, MemberState.FAILED, stage.because or stage.state.value)
    elif boarded.run.status.is_ended and stage.state is not StageState.PASSED:
        draft.set_member(member.service, MemberState.FAILED, f"its run is {boarded.run.status.value}")
    elif stage.state is StageState.PASSED and member.state is not MemberState.PASSED:
        draft.set_member(member.service, MemberState.PASSED)


def _end(draft: TrainDraft, state: TrainState, because: str) -> None:
    draft.update(state=state, because=because, ended_at=draft.now)
    draft.say(EventKind.TRAIN_ENDED, f"the train {draft.passage.train} is {state.value}: {because}")


def _next_departure(train: Train, after: datetime) -> datetime | None:
    """A time zone that this machine knows no more is told when the configuration is read; here it never leaves."""
    try:
        return train.next_departure(after)
    except UnknownZone:
        return None


def _when(leaves_at: datetime | None) -> str:
    return f"at {leaves_at:%Y-%m-%d %H:%M %Z}" if leaves_at else "when somebody says so"
