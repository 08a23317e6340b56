"""The evidence at a gate: what its policies read, and what a person should see before answering."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import Path

from tidegate.api.answers import Answer
from tidegate.api.fields import RunPath
from tidegate.api.idempotency import ActRoute
from tidegate.api.routing import noun_router
from tidegate.api.security import Parts, Reader
from tidegate.engine.gate_evidence import look_at_gate, note_look
from tidegate.model.approval import Seen
from tidegate.model.ask_policy import recorded
from tidegate.model.policy import PolicyAnswer

router = noun_router("runs", prefix="/runs", route_class=ActRoute)

StagePath = Annotated[str, Path(min_length=1, max_length=100, description="A stage's name")]


class LackAnswer(Answer):
    """A place of the evidence that has no value, and what is so there."""

    place: str
    because: str


class PolicyResultAnswer(Answer):
    """What a policy says now. `inputs` are what it read, by place; `missing` is the place that was not there."""

    name: str
    source: str
    expression: str
    answer: PolicyAnswer
    text: str
    inputs: dict[str, Any]
    missing: str | None


class EvidenceAnswer(Answer):
    """The evidence as the gate of a stage sees it at `at`.

    `evidence` has the fields of the reference; what is missing is not in it, and named in `missing`. `policy_alone` is
    what policy alone would decide where a person is asked, empty where it decides itself.
    """

    run: str
    service: str
    release: str
    commit: str
    stage: str
    environment: str
    at: datetime
    evidence: dict[str, Any]
    missing: list[LackAnswer]
    policies: list[PolicyResultAnswer]
    policy_alone: str
    foretold: list[str]
    """What the rollout can show at last week's traffic, and what would show more where that is little."""


@router.get("/{run}/stages/{stage}/evidence")
def show_evidence(parts: Parts, who: Reader, run: RunPath, stage: StagePath) -> EvidenceAnswer:
    """The evidence as the gate of a stage sees it now. That a person looked at it is recorded."""
    engine = parts.engine.parts
    view = look_at_gate(engine, run.lower(), stage)
    note_look(engine, view.run, who.actor, Seen.EVIDENCE, view.stage.name)
    return EvidenceAnswer(
        run=view.run.id,
        service=view.run.service,
        release=view.release.id,
        commit=view.release.change.commit,
        stage=view.stage.name,
        environment=view.stage.environment,
        at=view.evidence.now,
        evidence=recorded(view.values),
        missing=[LackAnswer.model_validate(one) for one in view.lacks],
        policies=[PolicyResultAnswer.model_validate(one) for one in view.decision.policies],
        policy_alone=view.decision.policy_alone,
        foretold=list(view.foretold),
    )
