"""Asking policies: they are checked when they are written, and asked of the evidence at a gate."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from tidegate.model.evidence_schema import moving, vocabulary
from tidegate.model.expression import Flaw
from tidegate.model.expression_check import Reading
from tidegate.model.expression_paths import Path, field_at, missing_at, part_of, written
from tidegate.model.expression_run import ExpressionFailed, answer, flaws_in
from tidegate.model.policy import UNNAMED, Policy, PolicyAnswer, PolicyResult

MOST_MICROSECONDS = 50_000
"""The work that a policy may be at most, on the largest evidence that there can be."""

MOST_SHOWN = 4
_LONGEST_SHOWN = 60
MOST_KEPT = 50
"""Inputs in a sentence and their characters, and items of a list in the record."""


def check(expression: str, stages: Collection[str] | None = None) -> tuple[Flaw, ...]:
    """Everything that is wrong with a policy, whatever the evidence. `stages` are the names of the pipeline's stages,
    None where they are not known."""
    flaws, reading = flaws_in(expression, vocabulary(stages))
    if not flaws and reading and reading.microseconds > MOST_MICROSECONDS:
        most, work = MOST_MICROSECONDS // 1000, reading.microseconds / 1000
        hint = "ask fewer things of each change"
        return (Flaw(f"this is too much work: up to {work:,.0f} ms, and the limit is {most}", hint),)
    return flaws


def ask(policy: Policy, source: str, evidence: Mapping[str, Any]) -> PolicyResult:
    """What a policy says of the evidence, which is `evidence_schema.plain`. One that cannot be asked is an error."""
    flaws, reading = _checked(policy.expression)
    if flaws or reading is None:
        text = f"{called(policy)} cannot be asked: {flaws[0].message}"
        return PolicyResult(policy.name, source, policy.expression, PolicyAnswer.ERROR, text)
    inputs = _inputs(reading, evidence)
    said, text, missing = _asked(policy, reading, evidence)
    return PolicyResult(policy.name, source, policy.expression, said, text, inputs, missing)


def moves(expression: str) -> bool:
    """Whether its answer may change as time goes by, whatever happens."""
    _, reading = _checked(expression)
    return reading is not None and any(path in moving() for path in reading.reads.read)


def called(policy: Policy) -> str:
    """How sentences call it."""
    return "the policy" if policy.name == UNNAMED else f'the policy "{policy.name}"'


@lru_cache(maxsize=512)
def _checked(expression: str) -> tuple[tuple[Flaw, ...], Reading | None]:
    return flaws_in(expression, vocabulary()) if not (bad := check(expression)) else (bad, None)


def _asked(policy: Policy, reading: Reading, evidence: Mapping[str, Any]) -> tuple[PolicyAnswer, str, str | None]:
    try:
        holds = answer(policy.expression, part_of(evidence, reading.reads.tree()))
    except ExpressionFailed as failed:
        gone = _missing(reading, evidence, failed.lacks)
        if gone is None:
            return PolicyAnswer.ERROR, f"{called(policy)} has no answer: {failed}", None
        return PolicyAnswer.MISSING, f"{called(policy)} waits: {_why_missing(gone)}", written(gone)
    values = _shown(reading, evidence)
    what = f"{called(policy)} {'holds' if holds else 'does not hold'}"
    if not holds and policy.message:
        what = f"{policy.message} ({what})"
    return PolicyAnswer(str(holds).lower()), f"{what}: {values}" if values else what, None


def _missing(reading: Reading, evidence: Mapping[str, Any], lacks: str | None) -> Path | None:
    """Which of the places that it reads is not there: the one that the evaluator stumbled over."""
    gone = [one for path in reading.reads.read if (one := missing_at(evidence, path))]
    return next((one for one in gone if one[-1] == lacks), next(iter(gone), None) if lacks is not None else None)


def _why_missing(path: Path) -> str:
    declared = field_at(vocabulary(), path)
    because = declared.missing if declared else None
    return f"{because} ({written(path)})" if because else f"{written(path)} is missing"


def _shown(reading: Reading, evidence: Mapping[str, Any]) -> str:
    """What it read, in a sentence that stays the same while nothing but time goes by."""
    lasting = [path for path in reading.reads.read if path not in moving() and not missing_at(evidence, path)]
    texts = [f"{written(path)} is {_short(value_at(evidence, path))}" for path in lasting]
    more = f", and {len(texts) - MOST_SHOWN} more" if len(texts) > MOST_SHOWN else ""
    return ", ".join(texts[:MOST_SHOWN]) + more


def _inputs(reading: Reading, evidence: Mapping[str, Any]) -> dict[str, Any]:
    places = dict.fromkeys((*reading.reads.read, *reading.reads.asked))
    return {written(path): recorded(value_at(evidence, path)) for path in places if not missing_at(evidence, path)}


def value_at(evidence: Any, path: Path) -> Any:
    """The value at a place: of a place in every item, a list of them."""
    if not path:
        return evidence
    if isinstance(evidence, list):
        return [value_at(one, path[1:]) for one in evidence]
    if path[0] == "[]":
        return [value_at(one, path[1:]) for one in evidence.values()]
    return value_at(evidence[path[0]], path[1:])


def recorded(value: Any) -> Any:
    """A value as the record keeps it: nothing but what JSON has, and of a list so many items."""
    match value:
        case datetime():
            return value.isoformat()
        case timedelta():
            return f"{value.total_seconds():.0f}s"
        case list():
            rest = [f"… and {len(value) - MOST_KEPT} more"] if len(value) > MOST_KEPT else []
            return [*map(recorded, value[:MOST_KEPT]), *rest]
        case dict():
            return {name: recorded(one) for name, one in value.items()}
    return value


def _short(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case str():
            text = f'"{value}"'
        case list():
            text = f"[{', '.join(map(_short, value[:20]))}]"
        case dict():
            text = "{" + ", ".join(f"{name}: {_short(one)}" for name, one in value.items()) + "}"
        case _:
            text = str(recorded(value))
    return text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 1] + "…"
