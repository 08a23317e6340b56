"""The rule of a gate that asks an HTTP address: it opens on a yes for exactly this release, and on nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from urllib.parse import urlsplit

from tidegate.model.external import ExternalQuestion, ExternalRule, QuestionState
from tidegate.model.gate import Closing, RuleVerdict, closes, opens, waits
from tidegate.model.gate_question import GateQuestion
from tidegate.model.local_time import say_when

RULE = "external answer"


def external_answers(question: GateQuestion, now: datetime) -> Iterator[RuleVerdict]:
    """What each address that is asked has said."""
    for rules in question.rules:
        if rules.external:
            asked = [one for one in question.external if one.source == rules.source]
            latest = max(asked, key=lambda one: (one.asked_at, one.id), default=None)
            yield _verdict(rules.external, latest, question, now)


def _verdict(rule: ExternalRule, asked: ExternalQuestion | None, question: GateQuestion, now: datetime) -> RuleVerdict:
    whom = urlsplit(rule.url).netloc
    again = f"tidegate gate ask {question.run}"
    if asked is None:
        return waits(RULE, f"{whom} is asked")
    said = f": {asked.reason}" if asked.reason else ""
    until = say_when(asked.expires_at, "UTC")
    trouble = f"; it could not be asked: {asked.detail}" if asked.detail else ""
    match asked.state:
        case QuestionState.APPROVED:
            return opens(RULE, f"{whom} approved{said}")
        case QuestionState.REJECTED:
            return closes(RULE, f"{whom} rejected{said}", Closing.REJECTED, f"tidegate retry {question.run}")
        case QuestionState.EXPIRED:
            return waits(RULE, f"{whom} did not answer until {until}{trouble}", again)
    if now >= asked.expires_at:
        return waits(RULE, f"{whom} did not answer until {until}{trouble}", again)
    if asked.state is QuestionState.ASKED:
        return waits(RULE, f"{whom} was asked, and may answer until {until}", look_again_at=asked.expires_at)
    return waits(RULE, f"{whom} is asked, and may answer until {until}{trouble}", look_again_at=asked.expires_at)
