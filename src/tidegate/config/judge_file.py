"""The file of `tidegate judge`: JSON, at the edge.

Such a file may hold thousands of rollouts, so it is read by a JSON parser and not as the configuration is; a mistake
in it has its place by keys and indexes instead of line and column.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails, from_json

from tidegate.config import json_schema as schemas
from tidegate.config.judge_mann_whitney import EffectSizeSection, OutliersSection
from tidegate.config.judge_sections import SECTIONS_BY_KIND, RecordingSection, RolloutsSection, ToleranceSection
from tidegate.config.judge_threshold import LimitSection
from tidegate.config.problem import did_you_mean, quoted_list
from tidegate.config.section import Section, known_keys
from tidegate.config.values import WRONG
from tidegate.model.recording import MetricKind, Recording

LARGEST_FILE = 2 * 1024**3
"""Bytes."""

_MOST_SAID = 20
"""Problems; a mistake of a program is made in every batch."""

_EXPECTED = {
    "model_type": "keys with values",
    "model_attributes_type": "keys with values",
    "tuple_type": "a list",
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a number that is not infinite",
}


class JudgeFileError(Exception):
    """A judge file that cannot be used; `problems` are sentences with places and remedies."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class JudgeFile:
    """The rollouts of a file; `is_one` where it holds a recording, and no list of rollouts."""

    rollouts: tuple[Recording, ...]
    is_one: bool


def load(raw: bytes, file: str) -> JudgeFile:
    """Read a judge file; `file` is what messages call it. Raises JudgeFileError with what is wrong."""
    try:
        plain = from_json(raw, allow_inf_nan=True)
    except ValueError as error:
        raise JudgeFileError((f"{file} is not JSON: {error}",)) from None
    if not isinstance(plain, dict):
        words = 'expected {"method": …, "metrics": […]}, or {"rollouts": […]} with many of those'
        raise JudgeFileError((f"{file}: {words}",))
    is_one = "rollouts" not in plain
    kind: type[RecordingSection | RolloutsSection] = RecordingSection if is_one else RolloutsSection
    try:
        section = TypeAdapter(kind).validate_python(plain)
    except ValidationError as error:
        details = [one for one in error.errors(include_url=False) if not _is_noise(one)]
        problems = [f"{file}: {_problem(one)}" for one in details[:_MOST_SAID]]
        if len(details) > _MOST_SAID:
            problems.append(f"{file}: and {len(details) - _MOST_SAID} more problems; repair these first")
        raise JudgeFileError(tuple(problems)) from None
    sections = (section,) if isinstance(section, RecordingSection) else section.rollouts
    return JudgeFile(tuple(one.recording() for one in sections), is_one)


def json_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of the file."""
    made = TypeAdapter(RecordingSection | RolloutsSection).json_schema()
    return {"$schema": schemas.DIALECT, **made, "title": "tidegate judge"}


def _problem(detail: ErrorDetails) -> str:
    place, kind, context = _place(detail["loc"]), detail["type"], detail.get("ctx", {})
    said = f"{place}: " if place else ""
    if kind == WRONG:
        return f"{said}{context['message']} ({context['hint']})"
    if kind == "missing":
        inner = _place(detail["loc"][:-1])
        return f'{inner + ": " if inner else ""}"{detail["loc"][-1]}" is missing'
    if kind == "extra_forbidden":
        word = str(detail["loc"][-1])
        known = _known_around(detail["loc"][:-1])
        near = did_you_mean(word, known) or f"known here: {quoted_list(known)}"
        return f'{said}unknown key "{word}" ({near})'
    if kind == "union_tag_not_found":
        return f'{said}"kind" is missing (write one of {quoted_list(MetricKind)})'
    if kind == "union_tag_invalid":
        return f'{said}there is no kind "{context["tag"]}" (write one of {quoted_list(MetricKind)})'
    if kind == "too_short":
        return f"{said}it is empty (write {context['min_length']} at least)"
    if kind in _EXPECTED:
        return f"{said}expected {_EXPECTED[kind]}, found {_found(detail['input'])}"
    return f"{said}{detail['msg'][:1].lower()}{detail['msg'][1:]}, found {_found(detail['input'])}"


def _place(loc: tuple[int | str, ...]) -> str:
    """`rollouts[3].metrics[0].batches[17].canary`; without the words that pydantic puts between."""
    words = ""
    for part in loc:
        if isinstance(part, int):
            words += f"[{part}]"
        elif part not in _KINDS and part.replace("_", "").isalnum() and part not in _BETWEEN:
            words += f".{part}"
    return words.removeprefix(".")


_KINDS = frozenset(MetricKind)
_BETWEEN = ("ToleranceSection", "float")


def _known_around(loc: tuple[int | str, ...]) -> list[str]:
    """The keys of the section at a place."""
    here: type[Section] = RolloutsSection if loc[:1] == ("rollouts",) else RecordingSection
    for part in loc:
        if isinstance(part, str):
            here = _BELOW.get((here, part), here)
    return known_keys(here)


_WITH_METHODS: tuple[type[Section], ...] = (RecordingSection, *(one for one, _, _ in SECTIONS_BY_KIND.values()))
_OF_METHODS: dict[str, type[Section]] = {
    "effect_size": EffectSizeSection,
    "outliers": OutliersSection,
    "limit": LimitSection,
    "within": LimitSection,
}
_BELOW: dict[tuple[type[Section], str], type[Section]] = {
    (RolloutsSection, "rollouts"): RecordingSection,
    **{(RecordingSection, kind.value): metric for kind, (metric, _, _) in (SECTIONS_BY_KIND.items())},
    **{(metric, word): batch for metric, batch, _ in SECTIONS_BY_KIND.values() for word in ("batches", "history")},
    **{(batch, word): side for _, batch, side in SECTIONS_BY_KIND.values() for word in ("canary", "baseline")},
    **{(metric, "ToleranceSection"): ToleranceSection for metric, _, _ in SECTIONS_BY_KIND.values()},
    **{(around, word): inner for around in _WITH_METHODS for word, inner in _OF_METHODS.items()},
}


def _is_noise(detail: ErrorDetails) -> bool:
    """What pydantic says beside the mistake: of the other form of a tolerance, and of a list whose items are wrong."""
    last, found = detail["loc"][-1:], detail["input"]
    if last == ("float",):
        return isinstance(found, dict)
    if last == ("ToleranceSection",):
        return not isinstance(found, dict)
    return detail["type"] == "too_short" and isinstance(found, list) and bool(found)


def _found(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:79]}…"
