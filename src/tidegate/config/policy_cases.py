"""The file of cases for `tidegate policy test`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import Field, PlainValidator, WithJsonSchema, model_validator

from tidegate.config import document as documents
from tidegate.config import explain
from tidegate.config.document import Document, Path, Plain
from tidegate.config.expression_problems import problem_of_flaw
from tidegate.config.lookup import Item, get, items
from tidegate.config.problem import Problem, did_you_mean, quoted_list
from tidegate.config.section import Section
from tidegate.config.step_values import Expression
from tidegate.config.tidegate_yaml import FILE
from tidegate.config.values import RelativePath, Script, StageReference, wrong
from tidegate.model import ask_policy
from tidegate.model.evidence_schema import vocabulary
from tidegate.model.expression_types import Choices, ListOf, MapOf, Record, Scalar, Type, described
from tidegate.model.pipeline import Pipeline
from tidegate.model.policy import UNNAMED, Policy, PolicyAnswer
from tidegate.model.policy_case import Expected, PolicyCase
from tidegate.model.quantity import parse_duration

MOST_CASES = 500


def _expected(value: object) -> Expected:
    if isinstance(value, bool):
        return Expected(PolicyAnswer(str(value).lower()))
    if value == PolicyAnswer.ERROR.value:
        return Expected(PolicyAnswer.ERROR)
    if isinstance(value, str) and value.startswith("missing:") and value.partition(":")[2].strip():
        return Expected(PolicyAnswer.MISSING, value.partition(":")[2].strip())
    raise wrong("expected true, false, error, or what is missing", 'write "missing: release.scan"')


def _evidence(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise wrong("expected evidence by name", "write {release: {tests: {failed: 0}}}")
    return value


class CaseSection(Section):
    """A case: evidence, and what the policy should say of it."""

    name: Annotated[Script, Field(description="What the case is about.")]
    policy: Annotated[Expression | None, Field(description="The policy, written out.")] = None
    stage: Annotated[StageReference | None, Field(description="All policies of this stage of the pipeline.")] = None
    evidence: Annotated[
        dict[str, Any],
        PlainValidator(_evidence),
        WithJsonSchema({"type": "object"}),
        Field(default_factory=dict, description="What there is; all else is missing."),
    ]
    expect: Annotated[
        Expected,
        PlainValidator(_expected),
        WithJsonSchema({"anyOf": [{"type": "boolean"}, {"type": "string", "examples": ["missing: release.scan"]}]}),
        Field(description="true, false, error, or `missing: PLACE`."),
    ]

    @model_validator(mode="after")
    def _one_of_both(self) -> CaseSection:
        if (self.policy is None) == (self.stage is None):
            raise wrong('a case has either a "policy" or a "stage"', "write one of them")
        return self


class CasesSection(Section):
    """The file of cases."""

    pipeline: Annotated[RelativePath, Field(description="The file whose stages are meant; seen from this file.")] = FILE
    cases: Annotated[tuple[CaseSection, ...], Field(min_length=1, max_length=MOST_CASES, description="The cases.")]


def load(text: str, file: str, pipeline: Callable[[str], Pipeline]) -> tuple[PolicyCase, ...]:
    """Read the cases; `pipeline` reads the file that they name, where one of them names a stage.

    Raises ConfigError with everything that is wrong, and what `pipeline` raises.
    """
    read = documents.read(text, file)
    section = explain.validate(read, CasesSection, _contradictions(read))
    stages = pipeline(section.pipeline) if any(one.stage for one in section.cases) else None
    if stages:
        explain.validate(read, CasesSection, _unknown_stages(read, section, stages))
    return tuple(_case(read, index, one, stages) for index, one in enumerate(section.cases))


def _case(read: Document, index: int, section: CaseSection, pipeline: Pipeline | None) -> PolicyCase:
    if section.stage is not None and pipeline is not None:
        policies = pipeline.stage(section.stage).gate.policies
    else:
        policies = (Policy(UNNAMED, section.policy or ""),)
    evidence = {name: _value(value, vocabulary().names[name].type) for name, value in section.evidence.items()}
    line = read.node(("cases", index)).position.line
    return PolicyCase(section.name, policies, evidence, section.expect, line)


def _contradictions(read: Document) -> Iterator[Problem]:
    for case in items(read.plain(), ("cases",)):
        expression = get(case.keys, "policy", str)
        for flaw in ask_policy.check(expression) if expression is not None else ():
            yield problem_of_flaw(read, (*case.path, "policy"), flaw)
        evidence = case.keys.get("evidence")
        if isinstance(evidence, dict):
            yield from _unfit(read, (*case.path, "evidence"), evidence, Record("the evidence", vocabulary().names))


def _unknown_stages(read: Document, section: CasesSection, pipeline: Pipeline) -> Iterator[Problem]:
    known = {str(one.name): one for one in pipeline.stages}
    for case in items(read.plain(), ("cases",)):
        yield from _stage(read, case, known, section.pipeline)


def _stage(read: Document, case: Item, known: Mapping[str, Any], file: str) -> Iterator[Problem]:
    name = get(case.keys, "stage", str)
    if name is None:
        return
    path: Path = (*case.path, "stage")
    if name not in known:
        hint = did_you_mean(name, known) or f"there are {quoted_list(known) or 'none'}"
        yield read.problem(path, f'{file} has no stage "{name}"', hint)
    elif not known[name].gate.policies:
        yield read.problem(path, f'the stage "{name}" of {file} has no policy', "name a stage that has one")


def _unfit(read: Document, path: Path, value: Plain, kind: Type) -> Iterator[Problem]:
    """What there is no such evidence of, and values of other types."""
    match kind, value:
        case Record(called, fields), dict():
            for name, inner in value.items():
                if name in fields:
                    yield from _unfit(read, (*path, name), inner, fields[name].type)
                else:
                    hint = did_you_mean(name, fields) or f"known here: {quoted_list(fields)}"
                    yield read.problem((*path, name), f'{called} has no "{name}"', hint, on_key=True)
        case MapOf(of), dict():
            for name, inner in value.items():
                yield from _unfit(read, (*path, name), inner, of)
        case ListOf(item, at_most), list():
            if len(value) > at_most:
                yield read.problem(path, f"there are at most {at_most} of these")
            for index, inner in enumerate(value):
                if item is not None:
                    yield from _unfit(read, (*path, index), inner, item)
        case _:
            yield from _unfit_value(read, path, value, kind)


def _unfit_value(read: Document, path: Path, value: Plain, kind: Type) -> Iterator[Problem]:
    match kind:
        case Record() | MapOf():
            yield read.problem(path, "expected keys with values")
        case ListOf():
            yield read.problem(path, "expected a list")
        case Choices(words):
            if value not in words:
                yield read.problem(path, f'it is never "{value}"', f"it is one of {quoted_list(words)}")
        case Scalar():
            if not _fits(value, kind):
                examples = {Scalar.MOMENT: "2026-07-01T09:00:00Z", Scalar.SPAN: "36h"}
                hint = f"write {examples[kind]}" if kind in examples else None
                yield read.problem(path, f"expected {described(kind)}", hint)


def _fits(value: Plain, kind: Scalar) -> bool:
    if isinstance(value, bool):
        return kind is Scalar.TRUTH
    try:
        _value(value, kind)
    except (ValueError, OverflowError):
        return False
    kinds = {Scalar.WHOLE: int, Scalar.NUMBER: int | float}
    return isinstance(value, kinds.get(kind, str)) and kind is not Scalar.TRUTH


def _value(value: Any, kind: Type) -> Any:
    """The value as evidence has it. Raises ValueError where a text is no moment or no duration."""
    match kind, value:
        case Record(_, fields), dict():
            return {name: _value(inner, fields[name].type) for name, inner in value.items()}
        case MapOf(of), dict():
            return {name: _value(inner, of) for name, inner in value.items()}
        case ListOf(item), list():
            return [_value(inner, item) if item else inner for inner in value]
        case Scalar.MOMENT, str():
            moment = datetime.fromisoformat(value)
            return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
        case Scalar.SPAN, str():
            return parse_duration(value)
        case Scalar.NUMBER, int():
            return float(value)
    return value
