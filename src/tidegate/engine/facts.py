"""Facts: what the figures and the target say at the moment of a decision; read outside of any transaction."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection

from tidegate.engine.history import NOTHING_KNOWN, History
from tidegate.engine.parts import Parts
from tidegate.judge.judge import Case, Judge
from tidegate.metrics.source import SourceFailed
from tidegate.model.batches import cut_batches, labelled
from tidegate.model.dead_man import Fallback
from tidegate.model.figures import Snapshot
from tidegate.model.ids import DeploymentId, Generation, RolloutId
from tidegate.model.installation import Installation
from tidegate.model.metric import series_of
from tidegate.model.metric_judgement import with_metrics
from tidegate.model.placement import Placement
from tidegate.model.placement_draft import PlacementState
from tidegate.model.rollout import Rollout, RolloutState
from tidegate.model.rollout_blind import is_news, last_judged_step, on_fresh_figures
from tidegate.model.share import NONE
from tidegate.model.verdict import Judgement, Verdict
from tidegate.store import metric_queries, queries
from tidegate.targets.target import TargetAway

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Facts:
    """What was read for one generation and rollout of a placement; none of it counts once these have moved on."""

    generation: Generation | None = None
    rollout: RolloutId | None = None
    snapshots: tuple[Snapshot, ...] = ()
    failed: str | None = None
    observed: Mapping[DeploymentId, Installation] = field(default_factory=dict)
    fell_back: Fallback | None = None
    """What the dead man did since the placement was last decided about; the snapshots are then from before that."""

    def fits(self, state: PlacementState) -> bool:
        """Whether they were read for what the placement still is."""
        return self.generation == state.placement.generation and self.rollout == state.placement.rollout


NO_FACTS = Facts()


def read_fallback(parts: Parts, placement: Placement) -> Fallback | None:
    """What the dead man did, where nothing was decided about it yet."""
    try:
        fell_back = parts.dead_man.fell_back(placement.id)
    except OSError as error:
        log.error("%s", error)
        return None
    return fell_back if is_news(fell_back, placement.generation) else None


def read_facts(parts: Parts, placement: Placement, rollout: Rollout | None, fell_back: Fallback | None = None) -> Facts:
    """Ask the source for counters and the target for instances; a source that fails is a fact too.

    Where the traffic fell back, what counts is what was counted until then: after that there was another split.
    """
    observed: dict[DeploymentId, Installation] = {}
    for part in placement.arrangement.parts:
        if part.instances:
            try:
                observed[part.deployment] = parts.target.observe(part.deployment)
            except TargetAway:
                continue
    snapshots, failed = fell_back.counted if fell_back else (), None
    if fell_back is None and rollout and not rollout.state.is_ended and placement.reached_at is not None:
        wanted = [one for one in (rollout.new, rollout.old) if one]
        try:
            counters = parts.metrics.counters(placement.id, wanted)
            snapshots = (Snapshot(parts.clock.now(), placement.generation, counters),)
        except SourceFailed as error:
            failed = str(error)
    return Facts(placement.generation, placement.rollout, snapshots, failed, observed, fell_back)


def judge_rollout(
    connection: Connection, judge: Judge, state: PlacementState, facts: Facts, history: History | None = None
) -> Judgement | None:
    """Keep the snapshot and judge all batches of the rollout so far; None where nothing is to be judged."""
    rollout = state.rollout
    if rollout is None or rollout.state.is_ended or rollout.state is RolloutState.RETURNING or rollout.new is None:
        return None
    step = last_judged_step(rollout) if facts.fell_back else rollout.step
    for snapshot in facts.snapshots:
        queries.add_snapshot(connection, rollout.id, step, snapshot)
    if rollout.verify is None or not rollout.plan:
        return None
    if facts.failed:
        return Judgement(Verdict.NO_DATA, f"the figures could not be read: {facts.failed}")
    taken = labelled(queries.snapshots(connection, rollout.id), rollout.loaded)
    batches = cut_batches(taken, rollout.new, rollout.old)
    expects_baseline = rollout.old is not None and rollout.plan[step].share.rest > NONE
    rules = rollout.verify.metrics
    known = history.of(connection, rollout) if history else NOTHING_KNOWN
    metrics = series_of(rules, metric_queries.readings(connection, rollout.id), known.batches) if rules else ()
    case = Case(batches, step, rollout.verify, expects_baseline, metrics, known.batches, known.usual)
    judgement = judge.judge(case)
    judgement = with_metrics(judgement, metrics, step, expects_baseline=expects_baseline)
    return on_fresh_figures(judgement, batches, rollout)
