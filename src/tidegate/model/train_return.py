"""A train on its way back: what was deployed by it returns to what served before, in reverse order."""

from __future__ import annotations

from dataclasses import replace

from tidegate.model.actor import SYSTEM
from tidegate.model.event import Event, EventKind
from tidegate.model.ids import RolloutId, ServiceName
from tidegate.model.reason import Reason
from tidegate.model.rollout import Cause, Rollout, RolloutState
from tidegate.model.rollout_begin import begin_return, end_of_watch
from tidegate.model.rollout_floor import forbids
from tidegate.model.run import RunStatus, StageState
from tidegate.model.train import Member, MemberState, TrainRun, TrainState
from tidegate.model.train_draft import Boarded, TrainDraft

_NOT_BEGUN = (StageState.PENDING, StageState.GATE)


def return_id(passage: TrainRun, service: ServiceName) -> RolloutId:
    """The rollout by which a train takes back what had ended already: the same at every look."""
    return RolloutId(f"{passage.id}-{service}-back")


def bring_back(draft: TrainDraft) -> None:
    """Take back what can be taken back now: a release only when all whose turn came after it are back.

    What never began stays at its gate, and may leave with the next train.
    """
    for member in draft.passage.members:
        boarded = draft.view.boarded.get(member.service)
        if not member.state.is_back and (boarded is None or boarded.stage.state in _NOT_BEGUN):
            draft.set_member(member.service, MemberState.LEFT, "its turn never came")
    turned = True
    while turned:
        turned = False
        for member in draft.passage.members:
            behind_is_back = all(one.state.is_back for one in draft.passage.behind(member.service))
            if not member.state.is_back and behind_is_back:
                _take_back(draft, member, draft.view.boarded[member.service])
                after = draft.passage.member(member.service)
                turned = turned or (after is not None and after.state.is_back)
    if all(one.state.is_back for one in draft.passage.members):
        draft.update(state=TrainState.RETURNED, ended_at=draft.now)
        text = f"the train {draft.passage.train} is back: {draft.passage.because}"
        draft.say(EventKind.TRAIN_ENDED, text)


def _take_back(draft: TrainDraft, member: Member, boarded: Boarded) -> None:
    rollout = boarded.rollout
    if rollout is None:
        _is_back(draft, member, "it moved nothing there")
    elif rollout.state is RolloutState.ROLLED_BACK:
        _is_back(draft, member, rollout.cause.text if rollout.cause else "rolled back")
    elif rollout.held_at_floor or (boarded.returns and boarded.returns.held_at_floor):
        _stays(draft, member)
    elif boarded.returns is not None:
        if boarded.returns.state.is_ended:
            _is_back(draft, member, "rolled back")
    elif not rollout.state.is_ended:
        _ask_back(draft, member, rollout)
    elif boarded.placement.serving != rollout.new:
        _is_back(draft, member, "something else serves there since")
    elif boarded.owner is None or not boarded.owner.state.owns_placement:
        _begin_back(draft, member, boarded, rollout)


def _is_back(draft: TrainDraft, member: Member, because: str) -> None:
    draft.set_member(member.service, MemberState.RETURNED, member.because or because)
    draft.say(EventKind.TRAIN_RETURNED, f"{member.service} {member.label} is back: {because}", member)


def _stays(draft: TrainDraft, member: Member) -> None:
    draft.set_member(member.service, MemberState.HELD, member.because)
    text = f"{member.service} {member.label} cannot go back and stays: nothing older can serve there"
    draft.say(EventKind.TRAIN_RETURNED, text, member)


def _ask_back(draft: TrainDraft, member: Member, rollout: Rollout) -> None:
    if rollout.rollback_asked is None and rollout.state is not RolloutState.RETURNING:
        draft.changes.append(replace(rollout, rollback_asked=_cause(draft.passage)))
        text = f"{member.service} {member.label} comes back with the train {draft.passage.train}"
        draft.say(EventKind.TRAIN_COMES_BACK, text, member, rollout=str(rollout.id))
    if member.state is not MemberState.RETURNING:
        draft.set_member(member.service, MemberState.RETURNING, member.because)


def _begin_back(draft: TrainDraft, member: Member, boarded: Boarded, rollout: Rollout) -> None:
    """Its rollout has ended: a new one takes it back, and what was told of it as passed is told otherwise."""
    cause = _cause(draft.passage)
    new = return_id(draft.passage, member.service)
    if boarded.owner and not boarded.owner.state.is_ended:
        ended = replace(boarded.owner, state=RolloutState.SUCCEEDED, ended_at=draft.now)
        draft.changes.append(ended)
        draft.events.append(end_of_watch(boarded.placement, ended))
    began, placement = begin_return(new, boarded.placement, boarded.previous, cause, draft.now)
    draft.changes += [began, placement]
    about = {"service": str(member.service), "environment": str(placement.environment), "rollout": str(new)}
    about |= {"train": draft.passage.train, "passage": str(draft.passage.id)}
    what = f"goes back to {boarded.previous.label}" if boarded.previous else "is stopped"
    draft.events.append(Event(EventKind.ROLLOUT_BEGAN, f"{placement.id} {what}: {cause.text}", about, SYSTEM))
    draft.set_member(member.service, MemberState.RETURNING, member.because)
    if not forbids(boarded.placement.floor, boarded.previous):
        _tell_of_its_run(draft, member, boarded, cause)


def _tell_of_its_run(draft: TrainDraft, member: Member, boarded: Boarded, cause: Cause) -> None:
    draft.say(EventKind.STAGE_ENDED, f"{member.stage} is rolled back", member)
    draft.changes.append(replace(boarded.stage, state=StageState.ROLLED_BACK, because=cause.text))
    if boarded.run.status is RunStatus.SUCCEEDED:
        because = (Reason("train", f"{member.stage}: {cause.text}"),)
        draft.changes.append(replace(boarded.run, status=RunStatus.ROLLED_BACK, because=because, ended_at=draft.now))
        text = f"{boarded.run.label} {RunStatus.ROLLED_BACK.value}: {member.stage}: {cause.text}"
        said = Event(EventKind.RUN_ENDED, text, _about_run(member), SYSTEM, {"status": RunStatus.ROLLED_BACK.value})
        draft.events.append(said)


def _about_run(member: Member) -> dict[str, str]:
    return {"service": str(member.service), "run": str(member.run), "release": str(member.release)}


def _cause(passage: TrainRun) -> Cause:
    """Nothing of this is the release's own fault: only what failed itself is quarantined."""
    by = passage.cancel_asked_by
    return Cause(f"the train {passage.train} comes back: {passage.because}", for_cause=False, actor=by or SYSTEM)
