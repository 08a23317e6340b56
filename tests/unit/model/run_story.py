"""A run whose decisions are carried out in memory; the tests say what becomes of its steps and of its rollouts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta

from tests.unit.model.builders import (
    NOON,
    PRODUCTION,
    STAGE_PRODUCTION,
    STAGE_STAGING,
    STAGING,
    a_deployment,
    a_pipeline,
    a_placement,
    a_report,
    a_run,
    a_service,
    an_environment,
    stage_runs,
    step_runs,
)

from tidegate.model.approval import Approval
from tidegate.model.decide_run import decide_run
from tidegate.model.decision import Decision
from tidegate.model.deployment import Deployment
from tidegate.model.event import Event, EventKind
from tidegate.model.gate import GateState
from tidegate.model.ids import DeploymentId, EnvironmentName, ReleaseId, StageName
from tidegate.model.lease import StepOutcome, StepReport
from tidegate.model.pipeline import Pipeline
from tidegate.model.placement import Arrangement, Part, Placement
from tidegate.model.release import Release
from tidegate.model.rollout import Cause, Rollout, RolloutState
from tidegate.model.run import Run, RunStatus, StageRun, StageState
from tidegate.model.run_draft import RunState, Site
from tidegate.model.share import WHOLE
from tidegate.model.step_run import BUILD, STATE_OF, StepRun, StepState

TURNS_AT_MOST = 20


@dataclass
class RunStory:
    """What is in the rows."""

    state: RunState
    now_: timedelta = timedelta(0)
    events: list[Event] = field(default_factory=list)
    saved: list[object] = field(default_factory=list)

    # what is to be read

    @property
    def run(self) -> Run:
        return self.state.run

    @property
    def status(self) -> RunStatus:
        return self.state.run.status

    def stage(self, name: StageName = STAGE_PRODUCTION) -> StageRun:
        return next(one for one in self.state.stages if one.name == name)

    def step(self, name: str, scope: str = BUILD) -> StepRun:
        return next(one for one in self.state.steps if (one.scope, one.name) == (scope, name))

    def rollout(self, name: StageName = STAGE_PRODUCTION) -> Rollout:
        return self.state.rollouts[name]

    def site(self, name: StageName = STAGE_PRODUCTION) -> Site:
        return self.state.sites[name]

    def said(self, kind: EventKind) -> list[str]:
        return [event.text for event in self.events if event.kind is kind]

    def why(self) -> str:
        """Why it ended, or why it waits."""
        return "; ".join(reason.text for reason in self.run.because)

    # what happens

    def settle(self) -> RunStory:
        """Decide until nothing changes any more, and check that nothing does once a decision says so of itself."""
        is_settled = False
        for _ in range(TURNS_AT_MOST):
            decision = self.decide()
            assert not (is_settled and decision.changes), f"it was settled, and then came {decision.changes}"
            is_settled = decision.is_settled
            if not decision.changes:
                assert not decision.events, f"a decision that changes nothing tells {decision.events}"
                self._waits_for_something()
                return self
        raise AssertionError(f"it never settles: {self.events[-6:]}")

    def wait(self, span: timedelta) -> RunStory:
        self.now_ += span
        return self.settle()

    def decide(self) -> Decision:
        decision = decide_run(self.state, NOON + self.now_)
        assert not decision.effects, "only placements ask for effects"
        for entity in decision.changes:
            self._save(entity)
        self.events += decision.events
        return decision

    def step_ends(
        self,
        name: str,
        outcome: StepOutcome = StepOutcome.SUCCEEDED,
        *,
        scope: str = BUILD,
        report: StepReport | None = None,
    ) -> RunStory:
        """An agent took a ready step and reports how it ended."""
        step = self.step(name, scope)
        assert step.state in (StepState.READY, StepState.RUNNING), f"no agent has {name}: it is {step.state}"
        ended = replace(
            step, state=STATE_OF[outcome], report=report or a_report(outcome, "exit 1"), ended_at=NOON + self.now_
        )
        self._save(ended)
        return self.settle()

    def step_begins(self, name: str, scope: str = BUILD) -> RunStory:
        self._save(replace(self.step(name, scope), state=StepState.RUNNING))
        return self.settle()

    def rollout_is(self, state: RolloutState, name: StageName = STAGE_PRODUCTION, **changes: object) -> RunStory:
        """The placement's decision brought the stage's rollout to this state."""
        rollout = replace(self.rollout(name), state=state, **changes)  # type: ignore[arg-type]
        self._save(rollout)
        return self.settle()

    def passes(self, name: StageName = STAGE_PRODUCTION) -> RunStory:
        """The stage's rollout passed: its deployment serves alone, and is watched."""
        rollout = self.rollout(name)
        assert rollout.new is not None
        self._serves(name, rollout.new)
        return self.rollout_is(RolloutState.WATCHING, name, step=len(rollout.plan) - 1, passed_at=NOON)

    def reaches_the_whole(self, name: StageName = STAGE_PRODUCTION) -> RunStory:
        """The stage's deployment has all of the traffic, and is judged."""
        return self.rollout_is(RolloutState.JUDGING, name, step=len(self.rollout(name).plan) - 1)

    def goes_back(self, name: StageName = STAGE_PRODUCTION, *, text: str = "12% of its requests failed") -> RunStory:
        """The stage's rollout did harm: it goes back, for cause, and is back."""
        self.begins_to_go_back(name, text=text)
        return self.rollout_is(RolloutState.ROLLED_BACK, name, ended_at=NOON + self.now_)

    def begins_to_go_back(
        self, name: StageName, *, text: str = "12% of its requests failed", for_cause: bool = True
    ) -> RunStory:
        rollout = self.rollout(name)
        assert rollout.new is not None
        if for_cause:
            bad = self.site(name).deployments[rollout.new]
            self._save(replace(bad, quarantined_at=NOON, quarantined_because=text))
        return self.rollout_is(RolloutState.RETURNING, name, cause=Cause(text, for_cause))

    def answer(self, *approvals: Approval) -> RunStory:
        self.state = replace(self.state, approvals=(*self.state.approvals, *approvals))
        return self.settle()

    def people_say(self, **changes: object) -> RunStory:
        self.state = replace(self.state, run=replace(self.run, **changes))  # type: ignore[arg-type]
        return self.settle()

    def change_site(self, name: StageName = STAGE_PRODUCTION, **changes: object) -> RunStory:
        site = replace(self.site(name), **changes)  # type: ignore[arg-type]
        self.state = replace(self.state, sites={**self.state.sites, name: site})
        return self

    def change_service(self, **changes: object) -> RunStory:
        self.state = replace(self.state, service=replace(self.state.service, **changes))  # type: ignore[arg-type]
        return self

    # how the rows take it

    def _save(self, entity: object) -> None:
        self.saved.append(entity)
        state = self.state
        match entity:
            case Run():
                self.state = replace(state, run=entity)
            case Release():
                self.state = replace(state, release=entity)
            case StageRun():
                stages = tuple(entity if one.name == entity.name else one for one in state.stages)
                self.state = replace(state, stages=stages)
            case StepRun():
                steps = tuple(entity if one.id == entity.id else one for one in state.steps)
                self.state = replace(state, steps=steps)
            case Rollout():
                self._save_rollout(entity)
            case Placement():
                for name, site in state.sites.items():
                    if site.placement.id == entity.id:
                        self.change_site(name, placement=entity)
            case Deployment():
                for name, site in state.sites.items():
                    if site.placement.id == entity.placement:
                        self.change_site(name, deployments={**site.deployments, entity.id: entity})
            case _:
                raise AssertionError(f"a run's decision changes {entity}")

    def _save_rollout(self, rollout: Rollout) -> None:
        """It owns its placement, as the engine would find it there."""
        if rollout.stage and rollout.run == self.run.id:
            self.state = replace(self.state, rollouts={**self.state.rollouts, rollout.stage: rollout})
        for name, site in self.state.sites.items():
            known = site.owner.id if site.owner else None
            if site.placement.id == rollout.placement and (known == rollout.id or not rollout.state.is_ended):
                self.change_site(name, owner=rollout)

    def _serves(self, name: StageName, deployment: DeploymentId) -> None:
        placement = self.site(name).placement
        self._save(replace(placement, arrangement=Arrangement((Part(deployment, 2, WHOLE),)), reached_at=NOON))

    def _waits_for_something(self) -> None:
        """An agent, a person or a thing that a gate names, a rollout; or it has ended."""
        steps = any(step.state in (StepState.READY, StepState.RUNNING) for step in self.state.steps)
        gates = [one.gate for one in self.state.stages if one.state is StageState.GATE and one.gate]
        rollouts = any(not one.state.is_ended for one in self.state.rollouts.values())
        named = any(gate.state is GateState.WAITING and gate.blocking for gate in gates)
        readable = self.run.pipeline is not None
        assert self.status.is_ended or steps or named or rollouts or not readable, f"{self.run} waits for nothing"


def a_run_story(
    pipeline: Pipeline | None = None, *, by_person: bool = False, order: int = 2, serves: bool = True
) -> RunStory:
    """A run that has just been created; in each environment an older release serves, unless nothing does."""
    pipeline = pipeline or a_pipeline()
    steps = step_runs(*pipeline.build.steps)
    for stage in pipeline.stages:
        steps += step_runs(*stage.all_steps, scope=stage.name)
    sites = {STAGE_STAGING: a_site(STAGING, serves=serves), STAGE_PRODUCTION: a_site(PRODUCTION, serves=serves)}
    return RunStory(
        RunState(
            run=a_run(pipeline, by_person=by_person, order=order),
            service=a_service(),
            stages=stage_runs(pipeline),
            steps=steps,
            release=None,
            rollouts={},
            sites=sites,
            approvals=(),
            new_release=ReleaseId("01RELEASE"),
        )
    )


def a_site(environment: EnvironmentName, *, serves: bool = True) -> Site:
    """Where an older release serves (its order is 1), and nothing else goes on."""
    old = DeploymentId(f"{environment}-old-aaaaaaaa")
    placement = a_placement(*([Part(old, 2, WHOLE)] if serves else []), environment=environment)
    placement = replace(placement, highest_order=1 if serves else 0)
    served = replace(a_deployment(installed=2, order=1), id=old, placement=placement.id, release=ReleaseId("old"))
    known: Mapping[DeploymentId, Deployment] = {old: served} if serves else {}
    return Site(an_environment(environment), placement, None, known)
