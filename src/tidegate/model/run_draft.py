"""The working copy in which the decision about a run is put together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from operator import attrgetter

from tidegate.model.actor import SYSTEM, Actor
from tidegate.model.approval import Approval
from tidegate.model.background import Background
from tidegate.model.break_glass import BreakGlass
from tidegate.model.change import Change
from tidegate.model.decision import Decision, Entity
from tidegate.model.deployment import Deployment
from tidegate.model.environment import Environment
from tidegate.model.event import Event, EventKind
from tidegate.model.external import ExternalQuestion
from tidegate.model.freeze import Freeze
from tidegate.model.ids import DeploymentId, EnvironmentName, ReleaseId, StageName, StepRunId
from tidegate.model.known_people import KnownPeople
from tidegate.model.pace import Pace
from tidegate.model.pipeline import Stage
from tidegate.model.placement import Placement
from tidegate.model.release import Release
from tidegate.model.rollout import Rollout
from tidegate.model.run import Run, StageRun
from tidegate.model.service import Service
from tidegate.model.step_cache import CachedResult
from tidegate.model.step_run import StepRun, StepState


@dataclass(frozen=True, slots=True)
class Site:
    """What a run finds where one of its stages leads: the placement, what owns it, and who else waits there.

    `deployments` are all that the placement ever had for this run's release, and the one that serves.
    """

    environment: Environment
    placement: Placement
    owner: Rollout | None
    deployments: Mapping[DeploymentId, Deployment]
    newer_waiting: str | None = None
    older_ready: str | None = None
    """An older run that nothing but the placement itself keeps out."""

    final_step_of: str | None = None
    """Another run whose rollout has passed here, and which has yet to begin what cannot be undone."""

    incident: str | None = None
    """Why an incident is open here, where the run is a drill."""

    freezes: tuple[Freeze, ...] = ()
    """Those that people set, and that concern this service there."""

    brings: tuple[Change, ...] = ()
    """The changes between what serves there and this release, where a rule of the gate asks for their authors."""

    pace: Pace = Pace()
    """What limits the service's releases here in time, and what its gate requires of others."""

    passed_in: frozenset[EnvironmentName] = frozenset()
    """The environments in which a stage passed with the same artifacts, where the server asks for some."""


@dataclass(frozen=True, slots=True)
class RunState:
    """All that a decision about a run looks at; `new_release` is the id that a release would get."""

    run: Run
    service: Service
    stages: tuple[StageRun, ...]
    steps: tuple[StepRun, ...]
    release: Release | None
    rollouts: Mapping[StageName, Rollout]
    sites: Mapping[StageName, Site]
    approvals: tuple[Approval, ...]
    new_release: ReleaseId
    cached: Mapping[StepRunId, CachedResult | None] = field(default_factory=dict)
    """For each step of the build whose key is known: what the cache has of it."""

    background: Mapping[StageName, Background] = field(default_factory=dict)
    """For each stage at whose gate policies are asked: what they read beside the rest."""

    people: KnownPeople = KnownPeople()
    broken_glass: tuple[BreakGlass, ...] = ()
    questions: tuple[ExternalQuestion, ...] = ()
    """All that gates of this run asked outside."""

    new_nonce: str = ""
    """What a question that is asked now would be known by."""

    latest_recorded: datetime | None = None
    """The latest time of which the server has recorded something."""


@dataclass
class RunDraft:
    """A run's state as it is being decided."""

    state: RunState
    now: datetime
    run: Run = field(init=False)
    release: Release | None = field(init=False)
    stages: dict[StageName, StageRun] = field(init=False)
    steps: dict[str, StepRun] = field(init=False)
    others: dict[str, Entity] = field(default_factory=dict)
    """Rollouts, placements and deployments that the run changes, by id."""

    events: list[Event] = field(default_factory=list)
    wakes: list[datetime] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.run = self.state.run
        self.release = self.state.release
        self.stages = {stage.name: stage for stage in self.state.stages}
        self.steps = {step.id: step for step in self.state.steps}

    def scope(self, scope: str) -> tuple[StepRun, ...]:
        """The steps of a scope, in the order of the file."""
        return tuple(sorted((one for one in self.steps.values() if one.scope == scope), key=attrgetter("position")))

    def rollout(self, stage: StageName) -> Rollout | None:
        """The rollout that the stage began in its present attempt."""
        wanted = self.stages[stage].rollout
        known = self.state.rollouts.get(stage)
        if wanted is None:
            return None
        changed = self.others.get(wanted)
        if isinstance(changed, Rollout):
            return changed
        return known if known and known.id == wanted else None

    def definition(self, stage: StageName) -> Stage:
        """The stage as the pipeline defines it."""
        assert self.run.pipeline is not None
        return self.run.pipeline.stage(stage)

    def update_stage(self, name: StageName, **changes: object) -> StageRun:
        """Replace fields of a stage run."""
        self.stages[name] = replace(self.stages[name], **changes)  # type: ignore[arg-type]
        return self.stages[name]

    def save_steps(self, advanced: Iterable[StepRun]) -> None:
        """Keep how steps stand now, and record those that became ready, or ended without having begun."""
        for step in advanced:
            before, self.steps[step.id] = self.steps[step.id], step
            if step.state is before.state:
                continue
            if step.step.repeat and step.attempt > 1:
                continue  # each round tells when it begins and how it ends, which is enough
            if step.state is StepState.READY:
                self._say_of_step(EventKind.STEP_READY, step, "is ready")
            elif step.state is StepState.LEFT_OUT:
                self._say_of_step(EventKind.STEP_ENDED, step, "is left out: its `if` says so")
            elif step.state is StepState.FAILED:
                self._say_of_step(EventKind.STEP_ENDED, step, step.ending)
            elif step.cached_from:
                words = f"is taken from run {step.cached_from.run}: nothing that it depends on has changed"
                self._say_of_step(EventKind.STEP_ENDED, step, words)

    def _say_of_step(self, kind: EventKind, step: StepRun, words: str) -> None:
        text = f"{step.scope}: {step.name} {words}"
        self.say(kind, text, scope=step.scope, step=step.name, attempt=step.attempt)

    def say(self, kind: EventKind, text: str, actor: Actor = SYSTEM, **data: object) -> None:
        """Record an event about the run."""
        about = {"service": str(self.run.service), "run": str(self.run.id), "commit": str(self.run.change.commit)}
        if self.release:
            about["release"] = self.release.id
        for key in ("environment", "stage", "scope", "step", "rollout", "deployment"):
            named = data.pop(key, None)
            if named is not None:
                about[key] = str(named)
        self.events.append(Event(kind, text, about, actor, data))

    def decision(self) -> Decision:
        """What is to be saved."""
        wake_at = min(self.wakes, default=None)
        self.run = replace(self.run, wake_at=wake_at)
        changes: list[Entity] = []
        if self.run != self.state.run:
            changes.append(self.run)
        if self.release is not None and self.release != self.state.release:
            changes.append(self.release)
        old_stages = {one.name: one for one in self.state.stages}
        changes += [one for one in self.stages.values() if _differs(one, old_stages.get(one.name))]
        old_steps = {one.id: one for one in self.state.steps}
        changes += [one for one in self.steps.values() if _differs(one, old_steps.get(one.id))]
        changes += self.others.values()
        return Decision(tuple(changes), tuple(self.events), (), wake_at)


def _differs(one: StageRun | StepRun, old: StageRun | StepRun | None) -> bool:
    """Most are the very same, which is seen without looking at their fields."""
    return one is not old and one != old
