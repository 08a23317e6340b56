"""The rules about a service's pace that hold at a gate; those of which nothing is said are not listed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from tidegate.model.cadence import CadenceKind
from tidegate.model.gate import RuleVerdict
from tidegate.model.gate_cadence import batch, cadence
from tidegate.model.gate_question import GateQuestion
from tidegate.model.gate_requires import requires
from tidegate.model.gate_train import train


def pace(question: GateQuestion, now: datetime) -> Iterator[RuleVerdict]:
    """What cadence, batch, train and the required services say."""
    seen = question.pace
    requirements = tuple(dict.fromkeys(one for rules in question.rules for one in rules.requires))
    if requirements:
        yield requires(requirements, seen.others, question.environment)
    if seen.serves:
        return
    if seen.cadence.kind is not CadenceKind.CONTINUOUS:
        yield cadence(question, now)
    if seen.batch:
        yield batch(seen.batch, seen.collected, seen.asked_by, now)
    if seen.train:
        yield train(seen.train)
