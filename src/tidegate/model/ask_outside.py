"""The questions that a stage's gate puts to HTTP addresses: which are to be asked, and which have waited too long."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from urllib.parse import urlsplit

from tidegate.model.actor import POLICY
from tidegate.model.event import EventKind
from tidegate.model.external import ExternalQuestion, QuestionState
from tidegate.model.gate_rules import GateRules
from tidegate.model.ids import ReleaseId
from tidegate.model.run import Run, StageRun
from tidegate.model.run_draft import RunDraft


def questions_at(draft: RunDraft, stage: StageRun) -> tuple[ExternalQuestion, ...]:
    """What was asked in this attempt of the stage about exactly this release, as it stands in the draft."""
    known = {one.id: one for one in draft.state.questions}
    known |= {one.id: one for one in draft.others.values() if isinstance(one, ExternalQuestion)}
    release = draft.release.id if draft.release else None
    return tuple(one for one in known.values() if is_about(one, stage) and one.release == release)


def is_about(question: ExternalQuestion, stage: StageRun) -> bool:
    """Whether the question is one of this attempt of the stage."""
    return (question.run, question.stage, question.attempt) == (stage.run, stage.name, stage.attempt)


def ask_outside(draft: RunDraft, stage: StageRun, rules: Iterable[GateRules]) -> bool:
    """Ask whom these rules name and nobody has asked yet; whether there was anybody."""
    known = questions_at(draft, stage)
    asked = {one.source for one in known}
    missing = [one for one in rules if one.external and one.source not in asked]
    if draft.release is None:
        return False
    for number, one in enumerate(missing, len(known)):
        new = question_for(draft.run, stage, draft.release.id, one, number, draft.state.new_nonce, draft.now)
        draft.others[new.id] = new
        draft.say(EventKind.GATE_ASKED, f"{stage.name}: {whom(new)} is asked", POLICY, **about(new))
    return bool(missing)


def expire_questions(draft: RunDraft, stage: StageRun) -> None:
    """An answer that comes after its time is none, whatever the clock shows then."""
    for one in questions_at(draft, stage):
        if one.state.is_open and one.expires_at <= draft.now:
            draft.others[one.id] = replace(one, state=QuestionState.EXPIRED, leased_until=None)
            draft.say(EventKind.GATE_UNANSWERED, f"{stage.name}: {whom(one)} did not answer", POLICY, **about(one))


def question_for(
    run: Run, stage: StageRun, release: ReleaseId, rules: GateRules, number: int, nonce: str, now: datetime
) -> ExternalQuestion:
    """The question of these rules about the release at the stage, where `number` were asked in this attempt before.

    Its id says what it is about, so that one question is never two.
    """
    rule = rules.external
    assert rule is not None
    return ExternalQuestion(
        id=f"{run.id}-{stage.position}-{stage.attempt}-{number}",
        run=run.id,
        stage=stage.name,
        attempt=stage.attempt,
        source=rules.source,
        release=release,
        service=run.service,
        environment=stage.environment,
        url=rule.url,
        secret=rule.secret,
        nonce=f"{nonce}-{number}",
        asked_at=now,
        expires_at=now + rule.timeout,
        due_at=now,
    )


def whom(question: ExternalQuestion) -> str:
    """The host that is asked: the rest of an address may hold what is nobody else's business."""
    return urlsplit(question.url).netloc


def about(question: ExternalQuestion) -> dict[str, object]:
    """What an event about the question is about, and its id."""
    return {"stage": question.stage, "environment": question.environment, "question": question.id}
