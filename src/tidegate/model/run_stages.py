"""A run's stages: gate, work, and what their rollouts came to."""

from __future__ import annotations

from dataclasses import asdict, replace
from functools import partial

from tidegate.model.actor import POLICY
from tidegate.model.approval import Approval
from tidegate.model.ask_outside import ask_outside, expire_questions, questions_at
from tidegate.model.break_glass import BreakGlass
from tidegate.model.decide_gate import decide_gate
from tidegate.model.deployment import Deployment
from tidegate.model.drill import drill_plan
from tidegate.model.environment import Environment
from tidegate.model.event import EventKind
from tidegate.model.foundation import missing_foundation
from tidegate.model.gate import Closing, GateDecision, GateState
from tidegate.model.gate_question import GateQuestion
from tidegate.model.ids import EnvironmentName, RolloutId, StageName
from tidegate.model.pipeline import ApprovalPoint
from tidegate.model.pipeline import Stage as StageDefinition
from tidegate.model.placement import Placement
from tidegate.model.rollout import Cause, Rollout, RolloutState
from tidegate.model.rollout_begin import Opening, begin_release, deployment_for, end_of_watch
from tidegate.model.run import Run, StageRun, StageState
from tidegate.model.run_draft import RunDraft, Site
from tidegate.model.service import EffectiveMode, Service, effective_mode
from tidegate.model.stage_evidence import evidence_at
from tidegate.model.stage_floor import awaits_final_step, set_floor, steps_in_turn
from tidegate.model.stage_proof import ask_rollback, prove
from tidegate.model.step_condition import is_wanted
from tidegate.model.step_progress import Outcome, advance_steps, first_failure, outcome_of
from tidegate.model.step_run import StepRun, StepState

_CLOSED = {
    Closing.REJECTED: StageState.REJECTED,
    Closing.SUPERSEDED: StageState.SUPERSEDED,
    Closing.UPSTREAM: StageState.CANCELLED,
    Closing.QUARANTINED: StageState.FAILED,
}


def advance_stage(draft: RunDraft, name: StageName) -> None:
    """Bring one stage as far as what is known allows."""
    may_ask = _needs_passed(draft, name) or _broken_glass(draft, name) is not None
    if draft.stages[name].state is StageState.PENDING and may_ask:
        draft.update_stage(name, state=StageState.GATE, began_at=draft.now)
    if draft.stages[name].state is StageState.GATE:
        _ask_gate(draft, name)
    if draft.stages[name].state is StageState.WORKING:
        _work(draft, name)
    if draft.stages[name].state is StageState.PASSED:
        _watch(draft, name)


def _needs_passed(draft: RunDraft, name: StageName) -> bool:
    return all(
        draft.stages[need].state is StageState.PASSED for need in draft.definition(name).needs if need in draft.stages
    )


def _ask_gate(draft: RunDraft, name: StageName) -> None:
    stage = draft.stages[name]
    expire_questions(draft, stage)
    question = question_at(draft, stage)
    decision = decide_gate(question, draft.now)
    if decision.state is GateState.WAITING and ask_outside(draft, stage, question.rules):
        decision = decide_gate(question_at(draft, stage), draft.now)
    decision = decision.of(draft.run.service, draft.run.label, stage.environment)
    if decision.look_again_at:
        draft.wakes.append(decision.look_again_at)
    if stage.gate is None or decision.because != stage.gate.because or decision.state is not stage.gate.state:
        _record(draft, stage, decision)
    draft.update_stage(name, gate=decision)
    if decision.state is GateState.OPEN:
        draft.update_stage(name, state=StageState.WORKING, opened_by=decision.opened_by)
        _begin(draft, name, decision)
    elif decision.closing:
        because = "; ".join(reason.text for reason in decision.blocking)
        draft.update_stage(name, state=_CLOSED[decision.closing], because=because, ended_at=draft.now)
        _stop_steps(draft, name)


def _record(draft: RunDraft, stage: StageRun, decision: GateDecision) -> None:
    reasons = decision.because if decision.state is GateState.OPEN else decision.blocking
    draft.say(
        EventKind.GATE_DECIDED,
        f"the gate to {stage.name} is {decision.state.value}: "
        + (decision.opened_by or "; ".join(str(reason) for reason in reasons)),
        POLICY,
        stage=stage.name,
        environment=stage.environment,
        state=decision.state.value,
        because=[f"{reason.rule}: {reason.text}" for reason in decision.because],
        blocking=[reason.rule for reason in decision.blocking],
        policies=[asdict(one) for one in decision.policies],
        policy_alone=decision.policy_alone,
        **_brought(draft, stage, decision),
    )


def _brought(draft: RunDraft, stage: StageRun, decision: GateDecision) -> dict[str, object]:
    """Every change that an opened gate lets in together, where releases are collected."""
    site = draft.state.sites[stage.name]
    if decision.state is not GateState.OPEN or not site.pace.limits:
        return {}
    return {"brings": [{"commit": str(one.commit), "subject": one.subject} for one in site.brings]}


def question_at(draft: RunDraft, stage: StageRun) -> GateQuestion:
    """What the gate of a stage is asked."""
    site = draft.state.sites[stage.name]
    run, service, definition = draft.run, draft.state.service, draft.definition(stage.name)
    known = _known_deployment(draft, site)
    floors = site.environment.floors_for(service.name)
    mode = mode_at(run, service, definition, site.environment)
    return GateQuestion(
        run=run.id,
        order=run.order,
        environment=stage.environment,
        protected=site.environment.protected,
        mode=mode,
        rules=(definition.gate, *(floor.gate for floor in floors)),
        approvals=_words_at(draft, stage),
        people=draft.state.people,
        authors=tuple(author for change in site.brings for author in change.authors),
        triggered_by=run.actor.name if run.by_person else None,
        by_person=run.by_person,
        is_drill=run.is_drill,
        incident=site.incident,
        break_glass=_broken_glass(draft, stage.name),
        held_by=run.held_by,
        paused_because=service.paused_because,
        line_stopped_because=service.line_stopped_because,
        upstream_failed=_upstream_failure(draft, stage),
        newer_waiting=site.newer_waiting,
        floor=site.placement.floor if definition.deploy else None,
        newest_order=site.placement.highest_order if definition.deploy and not _serves(site, known) else 0,
        quarantined_because=known.quarantined_because if known else None,
        busy_with=_busy(draft, site),
        freezes=(*site.environment.freezes_for(service.name), *site.freezes),
        calendars=site.environment.calendars,
        external=questions_at(draft, stage),
        latest_recorded=draft.state.latest_recorded,
        must_have_passed=tuple(dict.fromkeys(one for floor in floors for one in floor.must_have_passed)),
        passed_in=site.passed_in | _passed_now(draft),
        evidence=evidence_at(draft, stage.name, mode.mode),
        stage=stage.name,
        pace=replace(site.pace, serves=_serves(site, known)),
        before_first_share=_before_first_share(definition, site),
    )


def _passed_now(draft: RunDraft) -> frozenset[EnvironmentName]:
    """Where this very run's stages have passed, also in the decision that is being made."""
    return frozenset(one.environment for one in draft.stages.values() if one.state is StageState.PASSED)


def mode_at(run: Run, service: Service, stage: StageDefinition, environment: Environment) -> EffectiveMode:
    """The mode by which the stage's gate goes."""
    assert run.pipeline is not None
    return effective_mode(
        run.pipeline.mode,
        service.grant,
        environment.protected,
        lacks=missing_foundation(run.pipeline, stage.name),
        forbidden_by=environment.forbids_deployment(service.name),
        demoted_because=service.demoted_because,
    )


def _words_at(draft: RunDraft, stage: StageRun) -> list[Approval]:
    """What people said of exactly this release at the gate."""
    release = draft.release.id if draft.release else None
    here = (one for one in draft.state.approvals if one.stage == stage.name and one.point == 0)
    return [one for one in here if one.release == release]


def _broken_glass(draft: RunDraft, name: StageName) -> BreakGlass | None:
    """The break-glass for exactly this release here, in this attempt."""
    release = draft.release.id if draft.release else None
    here = (name, release, draft.stages[name].attempt)
    found = (one for one in draft.state.broken_glass if (one.stage, one.release, one.attempt) == here)
    return next(found, None)


def _busy(draft: RunDraft, site: Site) -> str | None:
    """What has the placement: its owner, another stage of this run that began just now, or an older run's turn."""
    began = draft.others.get(site.placement.id)
    if isinstance(began, Placement):
        return f"{site.placement.id} is moving: this run has just begun there"
    owner = site.owner
    if owner is not None and owner.state.owns_placement:
        what = f"run {owner.run}" if owner.run else f"a {owner.kind.value}"
        return f"{site.placement.id} is moving: {what} is {owner.state.value} there"
    if site.final_step_of:
        return f"run {site.final_step_of} has passed there, and has yet to begin what cannot be undone"
    if site.older_ready:
        return f"{site.older_ready} passed every other rule here before, so it goes first"
    return None


def _before_first_share(definition: StageDefinition, site: Site) -> int:
    """How many people a canary asks before its first share: they are asked where everything else is, at the gate."""
    if definition.deploy is None or site.placement.serving is None or not definition.deploy.shares:
        return 0
    first = definition.deploy.shares[0]
    return first.count if isinstance(first, ApprovalPoint) else 0


def _serves(site: Site, known: Deployment | None) -> bool:
    return known is not None and known.id == site.placement.serving


def _known_deployment(draft: RunDraft, site: Site) -> Deployment | None:
    if draft.release is None or draft.release.pipeline.runtime is None:
        return None
    return site.deployments.get(deployment_for(draft.release, site.placement))


def _upstream_failure(draft: RunDraft, stage: StageRun) -> str | None:
    for need in draft.definition(stage.name).needs:
        if need not in draft.stages:
            continue
        rollout = draft.rollout(need)
        if rollout and rollout.cause:
            return f"{need} went back: {rollout.cause.text}"
        if rollout and rollout.held_at_floor:
            return f"{need} should have gone back and cannot: {rollout.held_at_floor.text}"
        known = _known_deployment(draft, draft.state.sites[need])
        if known and known.quarantined_because:
            return f"{need} went back: {known.quarantined_because}"
    return None


def _begin(draft: RunDraft, name: StageName, decision: GateDecision) -> None:
    stage, definition, site = draft.stages[name], draft.definition(name), draft.state.sites[name]
    draft.say(EventKind.STAGE_BEGAN, f"{name} begins: {decision.opened_by}", stage=name, environment=stage.environment)
    if definition.deploy is None or draft.release is None:
        return
    known = _known_deployment(draft, site)
    if _serves(site, known):
        return
    if known and known.is_quarantined:
        text = f"{known.label} is no longer quarantined: a person asked for it"
        draft.say(EventKind.DEPLOYMENT_RELEASED, text, deployment=known.id, stage=name, environment=stage.environment)
    old = site.deployments[site.placement.serving] if site.placement.serving else None
    rollout = RolloutId(f"{draft.run.id}-{name}-{stage.attempt}")
    opening = Opening(rollout, definition, decision.opened_by, draft.now)
    beginning = begin_release(opening, draft.release, site.placement, known, old)
    began = replace(beginning.rollout, run=draft.run.id, held=draft.run.held_by is not None)
    placement = beginning.placement
    if draft.run.is_drill:
        plan = drill_plan(began.plan, protected=site.environment.protected)
        began = replace(began, plan=plan, drill=True)
        # to practise with a release is not to deploy it: its own run may still bring it here
        placement = replace(placement, highest_order=site.placement.highest_order)
    draft.others |= {began.id: began, beginning.deployment.id: beginning.deployment, placement.id: placement}
    if site.owner and site.owner.state is RolloutState.WATCHING:
        ended = replace(site.owner, state=RolloutState.SUCCEEDED, ended_at=draft.now)
        draft.others[ended.id] = ended
        draft.events.append(end_of_watch(site.placement, ended))
    draft.update_stage(name, rollout=began.id)
    draft.say(
        EventKind.ROLLOUT_BEGAN,
        f"{draft.release.label} begins to roll out to {stage.environment} ({began.strategy.value})",
        stage=name,
        environment=stage.environment,
        deployment=beginning.deployment.id,
        rollout=began.id,
    )


def _work(draft: RunDraft, name: StageName) -> None:
    stage = draft.stages[name]
    rollout = draft.rollout(name)
    if rollout and rollout.state is RolloutState.ROLLED_BACK:
        because = rollout.cause.text if rollout.cause else "rolled back"
        state = StageState.CANCELLED if rollout.drill else StageState.ROLLED_BACK
        draft.update_stage(name, state=state, because=because, ended_at=draft.now)
        _stop_steps(draft, name)
        draft.say(EventKind.STAGE_ENDED, f"{name} is rolled back", stage=name)
        return
    if rollout and rollout.state is RolloutState.RETURNING:
        _stop_steps(draft, name)
        return
    steps = _advance_steps(draft, name, rollout)
    if rollout is None:
        _end_by_steps(draft, stage, steps)
        return
    if steps is Outcome.FAILED and not rollout.state.is_ended and not rollout.held_at_floor:
        ask_rollback(draft, rollout, Cause(_why_failed(draft, name), for_cause=True))
        return
    if rollout.is_last_step and rollout.state is RolloutState.JUDGING:
        rollout = prove(draft, name, rollout, steps is Outcome.SUCCEEDED)
    if rollout.has_passed:
        _end_after_rollout(draft, stage, rollout, steps)


def _end_after_rollout(draft: RunDraft, stage: StageRun, rollout: Rollout, steps: Outcome) -> None:
    if rollout.held_at_floor and steps is not Outcome.OPEN:
        _stop_steps(draft, stage.name)
        _fail(draft, stage, f"it should have gone back and cannot: {rollout.held_at_floor.text}")
        return
    if rollout.rollback_asked and awaits_final_step(draft.scope(stage.name), rollout):
        return  # it goes back, or is held: whichever it is comes first
    _stop_checks(draft, stage.name)
    if not any(one.step.irreversible for one in draft.scope(stage.name)):
        _stop_steps(draft, stage.name)  # a person ended the last share before they had
        steps = Outcome.SUCCEEDED
    _end_by_steps(draft, stage, steps)


def _advance_steps(draft: RunDraft, name: StageName, rollout: Rollout | None) -> Outcome:
    """A stage's steps begin when its deployment has all of the traffic, or at once where it deploys nothing; what
    cannot be undone when it has passed."""
    steps = steps_in_turn(_work_of(draft, name), rollout)
    if not steps:
        return Outcome.SUCCEEDED
    begun = any(step.state is not StepState.WAITING for step in steps)
    there = rollout is None or rollout.has_passed or (rollout.is_last_step and rollout.state is RolloutState.JUDGING)
    if begun or there:
        steps = advance_steps(steps, draft.now, is_wanted=partial(is_wanted, draft.run))
        draft.save_steps(steps)
        set_floor(draft, name, steps)
    return outcome_of(steps)


def _work_of(draft: RunDraft, name: StageName) -> tuple[StepRun, ...]:
    return tuple(one for one in draft.scope(name) if one.step.is_work)


def _stop_checks(draft: RunDraft, name: StageName) -> None:
    checks = [one for one in draft.scope(name) if not one.step.is_work]
    draft.save_steps(advance_steps(checks, draft.now, cancel=True))


def _stop_steps(draft: RunDraft, name: StageName) -> None:
    draft.save_steps(advance_steps(draft.scope(name), draft.now, cancel=True))


def _end_by_steps(draft: RunDraft, stage: StageRun, steps: Outcome) -> None:
    if steps is not Outcome.OPEN:
        _stop_checks(draft, stage.name)
    if steps is Outcome.SUCCEEDED:
        draft.update_stage(stage.name, state=StageState.PASSED, ended_at=draft.now)
        draft.say(EventKind.STAGE_ENDED, f"{stage.name} passed", stage=stage.name)
    elif steps is Outcome.FAILED:
        _fail(draft, stage, _why_failed(draft, stage.name))


def _why_failed(draft: RunDraft, name: StageName) -> str:
    failed = first_failure(_work_of(draft, name))
    return f"step {failed.name} {failed.state.words}" if failed else "its steps did not run"


def _fail(draft: RunDraft, stage: StageRun, because: str) -> None:
    draft.update_stage(stage.name, state=StageState.FAILED, because=because, ended_at=draft.now)
    draft.say(EventKind.STAGE_ENDED, f"{stage.name} failed: {because}", stage=stage.name)


def _watch(draft: RunDraft, name: StageName) -> None:
    rollout = draft.rollout(name)
    if rollout and rollout.cause:
        draft.update_stage(name, state=StageState.ROLLED_BACK, because=rollout.cause.text)
        draft.say(EventKind.STAGE_ENDED, f"{name} is rolled back", stage=name)
