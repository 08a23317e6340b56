"""A rollout on its way forward: shares, evidence, people, and the end of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from tidegate.model.actor import Actor, ActorKind
from tidegate.model.approval import Answer
from tidegate.model.convergence import Convergence, Progress, retry_install
from tidegate.model.drill import CAUSE
from tidegate.model.event import EventKind
from tidegate.model.gate_approvals import is_enough, valid_approvals
from tidegate.model.installation import InstallationState
from tidegate.model.pipeline import OnDoubt
from tidegate.model.placement import Arrangement, Part
from tidegate.model.placement_draft import PlacementDraft
from tidegate.model.quantity import format_duration
from tidegate.model.rollout import Cause, Rollout, RolloutState
from tidegate.model.rollout_return import decide_rollback
from tidegate.model.share import NONE
from tidegate.model.verdict import ONLY_SYNTHETIC, Judgement, Verdict

SUSPECTED_AT_MOST = timedelta(minutes=15)
"""So much longer a rollout is watched at most in which something looks like harm."""

BATCHES_WITHOUT_DATA = 3
"""After so many batches without data at a step the rollout says that it holds. A step is given as many, too, where the
time for verification was used up before it."""


def arrangement_of(rollout: Rollout) -> Arrangement:
    """What the placement should look like at the rollout's step."""
    step = rollout.position
    assert rollout.new is not None
    parts = [Part(rollout.new, step.new_instances, step.share)]
    if rollout.old is not None:
        parts.append(Part(rollout.old, step.old_instances, step.share.rest))
    return Arrangement(tuple(parts))


def find_harm(draft: PlacementDraft) -> Cause | None:
    """Why the new deployment must go back now, None where nothing speaks against it."""
    rollout = draft.rollout
    assert rollout is not None
    if rollout.rollback_asked:
        return rollout.rollback_asked
    if rollout.state is RolloutState.ASKING:
        for one in draft.state.approvals:
            if one.answer is Answer.REJECTED and one.point == rollout.step + 1:
                return Cause(f"rejected by {one.actor.name} {one.comment}".strip(), True, one.actor)
    judgement = draft.state.judgement
    if judgement and judgement.verdict is Verdict.FAIL:
        draft.say(EventKind.VERDICT, judgement.reason, verdict=judgement.verdict.value, blamed=judgement.blamed or "")
        return Cause(f"verification failed: {judgement.reason}{_endings(draft, rollout)}", True)
    if rollout.new and draft.state.observed and rollout.state is not RolloutState.MOVING:
        installation = draft.state.observed.get(rollout.new)
        if installation and installation.state is InstallationState.FAILED:
            return Cause(f"the new deployment failed: {installation.detail}", True)
    return None


def _endings(draft: PlacementDraft, rollout: Rollout) -> str:
    """What the target adds to a verdict: instances that ended by themselves explain most errors."""
    observed = draft.state.observed or {}
    installation = observed.get(rollout.new) if rollout.new else None
    restarts = sum(one.restarts for one in installation.instances) if installation else 0
    return f"; its instances ended by themselves {restarts} times" if restarts else ""


def advance(draft: PlacementDraft, convergence: Convergence) -> None:
    """The rollout's next step, as far as what is known allows."""
    rollout = draft.rollout
    assert rollout is not None
    if draft.state.judgement and draft.state.judgement != rollout.judgement:
        rollout = draft.update_rollout(judgement=draft.state.judgement)
    match rollout.state:
        case RolloutState.MOVING:
            _move_on(draft, rollout, convergence)
        case RolloutState.JUDGING:
            _judge(draft, rollout)
        case RolloutState.ASKING:
            _ask(draft, rollout)
        case _:
            pass


def finish_watch(draft: PlacementDraft) -> None:
    """A rollout that passed is watched until its time is over, as long as its run goes on, and longer where something
    looks like harm that came late: until that is certain, or gone."""
    rollout = draft.rollout
    if rollout is None or rollout.state is not RolloutState.WATCHING or rollout.watch_until is None:
        return
    if draft.state.run_open or draft.now < rollout.watch_until:
        return
    suspects = rollout.judgement is not None and rollout.judgement.suspects
    if suspects and draft.now < rollout.watch_until + SUSPECTED_AT_MOST:
        return
    draft.update_rollout(state=RolloutState.SUCCEEDED, ended_at=draft.now)
    draft.say(EventKind.ROLLOUT_ENDED, f"{draft.placement.environment}: the rollout succeeded and is no longer watched")


def _move_on(draft: PlacementDraft, rollout: Rollout, convergence: Convergence) -> None:
    if convergence.progress is Progress.FAILED:
        if convergence.failed == rollout.new:
            decide_rollback(draft, Cause(f"it could not be installed: {convergence.detail}", True))
        elif convergence.failed:
            retry_install(draft, convergence.failed, convergence.detail)
        return
    if convergence.progress is not Progress.REACHED:
        return
    rollout = draft.update_rollout(
        state=RolloutState.JUDGING, step_since=draft.placement.reached_at, measure_at=draft.now, judgement=None
    )
    assert rollout.new is not None
    new = draft.deployments[rollout.new]
    if new.served_at is None:
        draft.update_deployment(new.id, served_at=draft.now)
    draft.say(
        EventKind.ROLLOUT_SHARES,
        f"{rollout.position.share} of {draft.placement.id} goes to {new.label}",
        share=rollout.position.share.fraction,
        step=rollout.step,
    )
    _judge(draft, rollout)


def _judge(draft: PlacementDraft, rollout: Rollout) -> None:
    assert rollout.step_since is not None
    if rollout.drill:
        decide_rollback(draft, Cause(CAUSE, for_cause=False))
        return
    step = rollout.position
    earliest = rollout.step_since + step.at_least
    promoted = rollout.promote_step == rollout.step
    if not promoted:
        if draft.now < earliest:
            draft.wake(earliest)
            return
        if step.judged and not _evidence_is_in(draft, rollout):
            return
        waits = rollout.is_last_step and rollout.needs_steps and not rollout.steps_passed
        if waits and not _goes_on_without(draft, rollout):
            return
    if rollout.held:
        return
    if not promoted and rollout.is_last_step and rollout.needs_load and not _load_is_over(draft, rollout):
        return
    if step.judged and not promoted:
        _say_doubt(draft, rollout)
    judged_for = rollout.judged_for + (draft.now - rollout.step_since)
    rollout = draft.update_rollout(judged_for=judged_for, holds_because=None)
    if rollout.is_last_step:
        _pass(draft, rollout)
    elif rollout.plan[rollout.step + 1].approvals:
        rollout = draft.update_rollout(state=RolloutState.ASKING)
        asked = rollout.plan[rollout.step + 1].approvals
        draft.say(EventKind.ROLLOUT_HOLDS, f"waits for {asked} approval{'' if asked == 1 else 's'}", approvals=asked)
        _ask(draft, rollout)
    else:
        _next_step(draft, rollout)


def _evidence_is_in(draft: PlacementDraft, rollout: Rollout) -> bool:
    """Whether the step's verification ends it; says so once where it holds instead."""
    judgement = rollout.judgement
    if judgement and judgement.verdict is Verdict.PASS:
        return True
    assert rollout.step_since is not None and rollout.verify is not None
    here = draft.now - rollout.step_since
    no_data = judgement is None or judgement.verdict is Verdict.NO_DATA
    first_figures = min(draft.state.batch * BATCHES_WITHOUT_DATA, rollout.verify.at_most)
    left = max(rollout.verify.at_most - rollout.judged_for, first_figures) - here
    over = left <= timedelta(0)
    if not over:
        draft.wake(draft.now + left)
    if not no_data and rollout.holds_because and not over:
        rollout = draft.update_rollout(holds_because=None)
    assert rollout.verify is not None
    answer = rollout.verify.no_data if no_data else rollout.verify.undecided
    if over and answer is OnDoubt.PROMOTE:
        return True
    reason = _doubt(judgement)
    if over and answer is OnDoubt.ROLLBACK:
        decide_rollback(draft, Cause(f"no answer within {format_duration(rollout.verify.at_most)}: {reason}", False))
    elif over or (no_data and here >= draft.state.batch * BATCHES_WITHOUT_DATA):
        _hold(draft, rollout, reason)
    return False


def _say_doubt(draft: PlacementDraft, rollout: Rollout) -> None:
    """Put down that a step ends without an answer, where it does: the file says so."""
    judgement = rollout.judgement
    assert rollout.verify is not None
    if judgement and judgement.verdict is Verdict.PASS:
        return
    key = "no_data" if judgement is None or judgement.verdict is Verdict.NO_DATA else "undecided"
    at_most = format_duration(rollout.verify.at_most)
    text = f"goes on without an answer after {at_most}, as the file says ({key}: promote): {_doubt(judgement)}"
    draft.say(EventKind.ROLLOUT_STEP, text)


def _load_is_over(draft: PlacementDraft, rollout: Rollout) -> bool:
    """Whether the load check, which begins when all else is in, keeps the rollout no longer."""
    if rollout.load is not None:
        return True
    if rollout.load_due_at is None:
        draft.update_rollout(load_due_at=draft.now)
        return False
    return _goes_on_without(draft, rollout)


def _goes_on_without(draft: PlacementDraft, rollout: Rollout) -> bool:
    """What the file says for no data, where a check that is waited for says nothing until the time is up; it holds
    meanwhile."""
    assert rollout.verify is not None or rollout.lacks is None
    if rollout.lacks is None or rollout.verify is None:
        if rollout.holds_because:
            draft.update_rollout(holds_because=None)
        return False
    assert rollout.step_since is not None
    left = max(rollout.verify.at_most - rollout.judged_for, timedelta(0)) - (draft.now - rollout.step_since)
    if left > timedelta(0):
        draft.wake(draft.now + left)
    elif rollout.verify.no_data is OnDoubt.PROMOTE:
        return True
    elif rollout.verify.no_data is OnDoubt.ROLLBACK:
        at_most = format_duration(rollout.verify.at_most)
        decide_rollback(draft, Cause(f"no answer within {at_most}: {rollout.lacks}", False))
        return False
    _hold(draft, rollout, rollout.lacks)
    return False


def _doubt(judgement: Judgement | None) -> str:
    return judgement.reason if judgement else "no figures were read yet"


def _hold(draft: PlacementDraft, rollout: Rollout, reason: str) -> None:
    if rollout.holds_because is None:
        run = rollout.run or ""
        draft.say(
            EventKind.ROLLOUT_HOLDS,
            f"holds: {reason}; to go on: tidegate promote {run}; to go back: tidegate cancel {run}",
        )
    draft.update_rollout(holds_because=reason)


def _ask(draft: PlacementDraft, rollout: Rollout) -> None:
    following = rollout.step + 1
    answers = [one for one in draft.state.approvals if one.point == following]
    rule = draft.state.gate.asking(rollout.plan[following].approvals)
    given = valid_approvals(answers, rule, draft.now, draft.state.voters)
    if is_enough(given, rule, draft.state.voters) and not rollout.held:
        names = ", ".join(one.actor.name for one in given)
        draft.say(EventKind.ROLLOUT_STEP, f"{rollout.plan[following].share} approved by {names}", given[-1].actor)
        _next_step(draft, rollout)


def _next_step(draft: PlacementDraft, rollout: Rollout) -> None:
    rollout = draft.update_rollout(
        state=RolloutState.MOVING, step=rollout.step + 1, step_since=None, judgement=None, holds_because=None
    )
    draft.move(arrangement_of(rollout))


def _pass(draft: PlacementDraft, rollout: Rollout) -> None:
    assert rollout.new is not None
    watch = rollout.verify.watch if rollout.verify else timedelta(0)
    draft.update_rollout(state=RolloutState.WATCHING, passed_at=draft.now, watch_until=draft.now + watch)
    draft.update_deployment(rollout.new, proven_at=draft.now, warm_until=None)
    draft.placement = replace(draft.placement, rollbacks_in_a_row=0)
    for part in draft.placement.arrangement.parts:
        if part.share == NONE and part.instances:
            draft.update_deployment(part.deployment, warm_until=draft.now + rollout.keep_warm)
    known = rollout.judgement
    by = f", {ONLY_SYNTHETIC}" if known and known.verdict is Verdict.PASS and known.only_synthetic else ""
    text = f"{draft.deployments[rollout.new].label} passed in {draft.placement.environment}{by}"
    draft.say(EventKind.ROLLOUT_PASSED, text, actor=_promoter(rollout))


def _promoter(rollout: Rollout) -> Actor:
    if rollout.promote_step == rollout.step and rollout.promoted_by:
        return Actor(ActorKind.PERSON, rollout.promoted_by)
    return Actor(ActorKind.SYSTEM, "tidegate")
