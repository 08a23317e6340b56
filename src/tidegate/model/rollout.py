"""A rollout: the plan by which a placement moves, and how far it is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from tidegate.model.actor import SYSTEM, Actor
from tidegate.model.batches import Pause
from tidegate.model.ids import DeploymentId, PlacementId, RolloutId, RunId, StageName
from tidegate.model.load import LoadReport, LoadResult, judge_load
from tidegate.model.pipeline import ApprovalPoint, DeployRule, SharePoint, Strategy, VerifyRule
from tidegate.model.share import WHOLE, WHOLE_PARTS, Share
from tidegate.model.verdict import Judgement


class RolloutKind(StrEnum):
    """What a rollout is for."""

    RELEASE = "release"
    ROLLBACK = "rollback"
    STOP = "stop"


class RolloutState(StrEnum):
    """How far a rollout is.

    MOVING brings the placement to the step's arrangement, JUDGING collects evidence at it, ASKING waits for people
    before the step, WATCHING passed and goes on looking, RETURNING moves back. HELD is how a rollback ends that would
    have gone below the placement's floor: nothing moved.
    """

    MOVING = "moving"
    JUDGING = "judging"
    ASKING = "asking"
    WATCHING = "watching"
    RETURNING = "returning"
    SUCCEEDED = "succeeded"
    ROLLED_BACK = "rolled_back"
    HELD = "held"

    @property
    def is_ended(self) -> bool:
        """Whether the rollout does nothing more."""
        return self in (RolloutState.SUCCEEDED, RolloutState.ROLLED_BACK, RolloutState.HELD)

    @property
    def owns_placement(self) -> bool:
        """Whether no other rollout may begin at the placement."""
        return not self.is_ended and self is not RolloutState.WATCHING


@dataclass(frozen=True, slots=True)
class RolloutStep:
    """One arrangement of a rollout. `approvals` people are asked before it begins; a judged step ends with a pass."""

    share: Share
    new_instances: int
    old_instances: int
    judged: bool = True
    at_least: timedelta = timedelta(0)
    approvals: int = 0


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a rollout goes back. For cause means that the deployment is to blame and is quarantined."""

    text: str
    for_cause: bool
    actor: Actor = SYSTEM


@dataclass(frozen=True, slots=True)
class Rollout:
    """The move of a placement from `old` to `new`; None is the empty placement.

    `gate` names the stage whose opened gate allows it, None for a rollback, whose record is the rollout itself.
    """

    id: RolloutId
    placement: PlacementId
    kind: RolloutKind
    new: DeploymentId | None
    old: DeploymentId | None
    began_at: datetime
    strategy: Strategy
    plan: tuple[RolloutStep, ...]
    verify: VerifyRule | None = None
    keep_warm: timedelta = timedelta(0)
    run: RunId | None = None
    stage: StageName | None = None
    opened_by: str = ""
    state: RolloutState = RolloutState.MOVING
    step: int = 0
    step_since: datetime | None = None
    judged_for: timedelta = timedelta(0)
    """How long earlier steps were judged, in all."""

    measure_at: datetime | None = None
    needs_steps: bool = False
    steps_passed: bool = False
    """Whether the stage's steps have succeeded, and the last round of each check."""

    lacks: str | None = None
    """Why a check or the load check that is waited for says nothing."""

    load_due_at: datetime | None = None
    """Since when nothing but the load check is waited for, None where there is none, or something else is."""

    load: LoadReport | None = None
    """What the load check measured."""

    held: bool = False
    promote_step: int | None = None
    promoted_by: str | None = None
    drill: bool = False
    """Whether it only practises the way back: it goes back as soon as its deployment serves."""

    rollback_asked: Cause | None = None
    cause: Cause | None = None
    held_at_floor: Cause | None = None
    """Why it should have gone back where that would have been below the placement's floor; the first cause counts."""

    decided_at: datetime | None = None
    routed_at: datetime | None = None
    holds_because: str | None = None
    judgement: Judgement | None = None
    passed_at: datetime | None = None
    watch_until: datetime | None = None
    ended_at: datetime | None = None

    def keeps_busy(self, now: datetime) -> bool:
        """Whether it moves, or is watched for as long as the file says: another use of the place would end the watch,
        or spoil what it sees."""
        watched = self.state is RolloutState.WATCHING and self.watch_until is not None and now < self.watch_until
        return self.state.owns_placement or watched

    @property
    def was_taken_back(self) -> bool:
        """Whether it is over, and ended with another deployment than it, or the one before it, had brought."""
        back = self.state is RolloutState.ROLLED_BACK and self.kind is not RolloutKind.STOP
        return back and self.ended_at is not None and not self.drill

    @property
    def taken_back(self) -> DeploymentId | None:
        """The deployment that a rollback took away."""
        return self.old if self.kind is RolloutKind.ROLLBACK else self.new

    @property
    def came_back(self) -> DeploymentId | None:
        """The deployment that serves after a rollback, None where nothing does."""
        return self.new if self.kind is RolloutKind.ROLLBACK else self.old

    @property
    def position(self) -> RolloutStep:
        """The step that it is at."""
        return self.plan[self.step]

    @property
    def growing_steps(self) -> frozenset[int]:
        """The steps with which the new deployment gets instances."""
        before = (0, *(step.new_instances for step in self.plan))
        return frozenset(index for index, step in enumerate(self.plan) if step.new_instances > before[index])

    @property
    def needs_load(self) -> bool:
        """Whether it ends with a load check."""
        return self.verify is not None and self.verify.load is not None

    @property
    def load_result(self) -> LoadResult | None:
        """What its load check says, None before it does."""
        rule = self.verify.load.load if self.verify and self.verify.load else None
        return judge_load(rule, self.load) if rule and self.load else None

    @property
    def loaded(self) -> Pause | None:
        """The time in which the load check's requests come, None before it begins."""
        if self.load_due_at is None:
            return None
        over = self.load.ended_at if self.load else None
        return Pause(self.load_due_at, over or self.decided_at or self.passed_at)

    @property
    def is_under_load(self) -> bool:
        """Whether the load check's requests come now, or soon."""
        return self.loaded is not None and self.loaded.end is None

    @property
    def has_passed(self) -> bool:
        """Whether the new deployment has all of the traffic, and stays as far as is known."""
        return self.state in (RolloutState.WATCHING, RolloutState.SUCCEEDED)

    @property
    def is_last_step(self) -> bool:
        """Whether the new deployment has all of the traffic at this step."""
        return self.step == len(self.plan) - 1


def plan_rollout(rule: DeployRule, instances: int, verify: VerifyRule | None, *, old: int) -> tuple[RolloutStep, ...]:
    """The steps from `old` instances of the old deployment (0 where nothing serves) to `instances` of the new one.

    The last is always the whole. People who are to be asked before the first share are asked at the gate.
    """
    soak = verify.soak if verify else timedelta(0)
    whole = RolloutStep(WHOLE, instances, old, verify is not None, soak)
    if not old or rule.strategy is Strategy.BLUE_GREEN:
        return (whole,)
    if rule.strategy is Strategy.ROLLING:
        return _rolling_steps(instances, old, whole)
    return _canary_steps(rule, instances, old, whole)


def _rolling_steps(instances: int, old: int, whole: RolloutStep) -> tuple[RolloutStep, ...]:
    partial = tuple(
        RolloutStep(Share(WHOLE_PARTS * count // instances), count, _left(instances, old, count), judged=False)
        for count in range(1, instances)
    )
    return (*partial, RolloutStep(WHOLE, instances, 0, whole.judged, whole.at_least))


def _left(instances: int, old: int, count: int) -> int:
    """How many of the old instances stay beside `count` new ones: rounded up, so that they carry what is left."""
    return -(-old * (instances - count) // instances)


def _canary_steps(rule: DeployRule, instances: int, old: int, whole: RolloutStep) -> tuple[RolloutStep, ...]:
    steps: list[RolloutStep] = []
    asked = 0
    for point in (*rule.shares, SharePoint(WHOLE, whole.at_least)):
        match point:
            case ApprovalPoint(count):
                asked = max(asked, count) if steps else 0
            case SharePoint(share, _) if steps and share <= steps[-1].share:
                continue
            case SharePoint(share, at_least):
                count = instances if share == WHOLE else share.of(instances)
                steps.append(RolloutStep(share, count, old, True, at_least, asked))
                asked = 0
    return tuple(steps)
