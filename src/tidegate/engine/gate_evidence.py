"""Looking at a gate: the evidence as it is now, what policies say of it, and who looked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from tidegate.engine.foretold import foretold_at
from tidegate.engine.loading import Gone, load_run
from tidegate.engine.parts import Parts
from tidegate.engine.refusal import Refusal, Refused, not_found
from tidegate.model.actor import Actor, ActorKind
from tidegate.model.approval import Seen
from tidegate.model.decide_gate import decide_gate
from tidegate.model.evidence import Evidence
from tidegate.model.evidence_schema import Lack, lacks, plain
from tidegate.model.evidence_view import EvidenceView
from tidegate.model.gate import GateDecision
from tidegate.model.ids import ReleaseId, StageName, placement_id
from tidegate.model.release import Release
from tidegate.model.run import Run, StageRun, StageState
from tidegate.model.run_draft import RunDraft
from tidegate.model.run_stages import question_at
from tidegate.store import evidence_view_queries, queries, rows


@dataclass(frozen=True, slots=True)
class GateView:
    """The evidence for a stage's gate at this moment, and what the gate would decide of it."""

    run: Run
    release: Release
    stage: StageRun
    evidence: Evidence
    decision: GateDecision
    foretold: tuple[str, ...] = ()
    """What the rollout can show at last week's traffic, and what would show more."""

    @property
    def values(self) -> Mapping[str, Any]:
        """The evidence as policies read it."""
        found: Mapping[str, Any] = plain(self.evidence)
        return found

    @property
    def lacks(self) -> tuple[Lack, ...]:
        """What is missing."""
        return lacks(self.values)


def look_at_gate(parts: Parts, run_id: str, stage: str) -> GateView:
    """The evidence as the gate of a stage sees it now. Raises Refused where there is no such stage, or no release."""
    now = parts.clock.now()
    with parts.database.reading() as connection:
        run = queries.run(connection, run_id)
        if run is None:
            raise not_found("run", run_id, "tidegate runs")
        if run.release is None:
            text = f"run {run.id} has no release yet: there is no evidence before its build has ended"
            raise Refused(Refusal.CONFLICT, text, f"tidegate watch {run.id}")
        try:
            name = StageName(stage)
            state = load_run(
                connection, run, parts.environments, now, ReleaseId(parts.new_id()), shown=name, trains=parts.trains
            )
            foretold = _foretold(connection, run, name, now)
        except Gone:
            raise not_found("service", run.service) from None
    draft = RunDraft(state, now)
    if name not in draft.stages or name not in state.background or draft.release is None:
        known = ", ".join(one.name for one in state.stages)
        raise Refused(Refusal.NOT_FOUND, f"run {run.id} has no stage {stage!r}; it has {known or 'none'}")
    question = question_at(draft, draft.stages[name])
    assert question.evidence is not None
    decision = decide_gate(question, draft.now).of(run.service, run.label, question.environment)
    return GateView(run, draft.release, draft.stages[name], question.evidence, decision, foretold)


def _foretold(connection: Connection, run: Run, name: StageName, now: datetime) -> tuple[str, ...]:
    stage = next((one for one in run.pipeline.stages if one.name == name), None) if run.pipeline else None
    return foretold_at(connection, placement_id(run.service, stage.environment), stage, now) if stage else ()


def note_look(parts: Parts, run: Run, actor: Actor, what: Seen, stage: str = "") -> None:
    """Remember when a person first looked at a part of the evidence."""
    if actor.kind is not ActorKind.PERSON:
        return
    view = EvidenceView(run.id, actor.name, what, stage, parts.clock.now())
    with parts.database.reading() as connection:
        if evidence_view_queries.is_known(connection, view):
            return
    with parts.database.writing() as connection:
        if not evidence_view_queries.is_known(connection, view):
            rows.put(connection, view)


def stage_in_question(stages: tuple[StageRun, ...]) -> StageRun | None:
    """The stage whose gate a person is asked at, else the one that comes next, else the last."""
    for state in (StageState.GATE, StageState.WORKING, StageState.PENDING):
        found = next((one for one in stages if one.state is state), None)
        if found:
            return found
    return stages[-1] if stages else None
