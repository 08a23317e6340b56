"""The typed values of a configuration: what a text in a file must look like, and what it becomes."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from datetime import timedelta
from enum import StrEnum
from pathlib import PurePosixPath
from typing import Annotated, TypeVar

from pydantic import Field, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from tidegate.config.problem import did_you_mean, quoted_list
from tidegate.model.alert import OnAlert
from tidegate.model.ids import EnvironmentName, ServiceName, StageName, StepName
from tidegate.model.pipeline import Mode, OnBlind, OnDoubt, RetryCause, Risk, Strategy
from tidegate.model.quantity import parse_duration, parse_percentage, parse_rate, parse_size
from tidegate.model.share import Share

LONGEST_DURATION = timedelta(days=366)
LONGEST_NAME = 100
"""Characters of a step's name."""

FASTEST_SYNTHETIC_TRAFFIC = 1000
"""Requests per second; more than that is a load test."""

FASTEST_LOAD = 20_000
"""Requests per second that one agent is asked for; it can send some thousands."""

WRONG = "wrong"
"""The error type of everything that `wrong` makes."""

_T = TypeVar("_T")
_Word = TypeVar("_Word", bound=StrEnum)


def wrong(message: str, hint: str | None = None) -> PydanticCustomError:
    """The error to raise in a validator."""
    return PydanticCustomError(WRONG, "{message}", {"message": message, "hint": hint})


def describe(value: object) -> str:
    """What a value of a file is, for a message."""
    match value:
        case None:
            return "nothing"
        case bool():
            return f"the word {str(value).lower()}, which YAML reads as yes or no"
        case int() | float():
            return f"the number {value}"
        case str():
            return f'the text "{value}"'
        case list():
            return "a list"
        case _:
            return "keys with values"


def _parsed(parse: Callable[[str], _T], what: str) -> Callable[[object], _T]:
    """A validator that reads a text, or a bare number as its text so that the message can say what is missing."""

    def validate(value: object) -> _T:
        text = str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value
        if not isinstance(text, str):
            raise wrong(f"expected {what}, found {describe(value)}")
        try:
            return parse(text)
        except OverflowError:
            raise wrong(f"{text!r} is too large") from None
        except ValueError as error:
            raise wrong(str(error)) from None

    return validate


def matching(pattern: str, what: str, suggest: Callable[[str], str] | None = None) -> Callable[[object], str]:
    """A validator that takes texts of a form; `suggest` makes the text that may have been meant."""

    def validate(value: object) -> str:
        if not isinstance(value, str):
            raise wrong(f"expected {what}, found {describe(value)}", _in_quotes(value))
        if not re.fullmatch(pattern, value):
            better = suggest(value) if suggest else ""
            hint = f'did you mean "{better}"?' if better and re.fullmatch(pattern, better) else None
            raise wrong(f'"{value}" is not {what}', hint)
        return value

    return validate


def _in_quotes(value: object) -> str | None:
    return f'write it in quotes: "{str(value).lower()}"' if isinstance(value, bool) else None


def _word(kind: type[_Word], not_yet: Collection[str]) -> Callable[[object], _Word]:
    words = [one.value for one in kind]

    def validate(value: object) -> _Word:
        if isinstance(value, str) and value in words:
            return kind(value)
        if isinstance(value, str) and value in not_yet:
            raise wrong(f'"{value}" is not supported yet', f"use one of {quoted_list(words)}")
        found = f'"{value}"' if isinstance(value, str) else describe(value)
        near = did_you_mean(value, words) if isinstance(value, str) else None
        raise wrong(f"{found} is none of {quoted_list(words)}", near)

    return validate


def schema_with(pattern: str, example: object) -> WithJsonSchema:
    """The JSON Schema of texts of a form."""
    return WithJsonSchema({"type": "string", "pattern": f"^(?:{pattern})$", "examples": [example]})


def one_of(kind: type[StrEnum], *not_yet: str) -> tuple[PlainValidator, WithJsonSchema]:
    """What makes a type the words of an enum; those of `not_yet` are known, and refused as such."""
    words = [one.value for one in kind]
    return PlainValidator(_word(kind, not_yet)), WithJsonSchema({"type": "string", "enum": words})


def _bounded_duration(text: str) -> timedelta:
    span = parse_duration(text)
    if span > LONGEST_DURATION:
        raise ValueError(f"{text!r} is longer than a year")
    return span


def _positive_duration(text: str) -> timedelta:
    span = _bounded_duration(text)
    if not span:
        raise ValueError(f"{text!r} is no time at all; write one like 30s, 10m, 2h or 3d")
    return span


def _rate(text: str) -> float:
    per_second = parse_rate(text)
    if not 0 < per_second <= FASTEST_SYNTHETIC_TRAFFIC:
        raise ValueError(f"{text!r} is not between 0 and {FASTEST_SYNTHETIC_TRAFFIC}/s")
    return per_second


def _load_rate(text: str) -> float:
    per_second = parse_rate(text)
    if not 0 < per_second <= FASTEST_LOAD:
        raise ValueError(f"{text!r} is not between 0 and {FASTEST_LOAD}/s")
    return per_second


def _tolerance(text: str) -> float:
    fraction = parse_percentage(text)
    if fraction > 10:
        raise ValueError(f"{text!r} is more than 1000%")
    return fraction


def _availability(text: str) -> float:
    fraction = parse_percentage(text)
    if not 0 < fraction < 1:
        raise ValueError(f"{text!r} is not between 0% and 100%; write one like 99.9%")
    return fraction


def canary_share(text: str) -> Share:
    """A share of a canary: over 0%, at most 100%, in hundredths of a percent. Raises ValueError, OverflowError."""
    share = Share.percent(parse_percentage(text) * 100)
    if abs(share.fraction - parse_percentage(text)) > 1e-9:
        raise ValueError(f"{text!r} is finer than shares are: use steps of 0.01%")
    if not share.parts:
        raise ValueError(f"{text!r} is no traffic at all; begin with a share like 5%")
    return share


def relative_path(value: object) -> str:
    """A path below the checkout, normalised. Raises the error of `wrong`."""
    if not isinstance(value, str):
        raise wrong(f"expected a path, found {describe(value)}")
    remedy = "write it relative to the service's folder, with forward slashes"
    if not value.strip() or not value.isprintable():
        raise wrong("expected a path", remedy)
    if value.startswith(("/", "~")) or "\\" in value or re.match("[A-Za-z]:", value):
        raise wrong(f'"{value}" is not a path below the checkout', remedy)
    if ".." in PurePosixPath(value).parts:
        raise wrong(f'"{value}" leads out of the checkout', 'write it without ".."')
    return str(PurePosixPath(value))


def _file_pattern(value: object) -> str:
    path = relative_path(value)
    if path == ".":
        raise wrong('"." is a folder, not a file')
    return path


def _branch(value: object) -> str:
    """A branch by the rules of `git check-ref-format`, and never one that a command could take for an option."""
    if not isinstance(value, str):
        raise wrong(f"expected the name of a branch, found {describe(value)}")
    parts = value.split("/")
    if (
        not value.isprintable()
        or re.search(r"[ ~^:?*\[\\]|\.\.|@\{", value)
        or value.startswith("-")
        or value.endswith(".")
        or value == "@"
        or any(not part or part.startswith(".") or part.endswith(".lock") for part in parts)
    ):
        raise wrong(f'"{value}" cannot be the name of a branch')
    return value


def _script(value: object) -> str:
    if not isinstance(value, str):
        raise wrong(f"expected a command, found {describe(value)}", _in_quotes(value))
    if not value.strip():
        raise wrong("the command is empty")
    return value


def _step_name(value: object) -> StepName:
    if not isinstance(value, str):
        raise wrong(f"expected a name, found {describe(value)}", _in_quotes(value))
    if not value.strip() or value != value.strip() or not value.isprintable() or len(value) > LONGEST_NAME:
        raise wrong(f"a name is one line of 1 to {LONGEST_NAME} characters without spaces around it")
    return StepName(value)


_STAGE = "[A-Za-z0-9]([A-Za-z0-9 ._-]{0,61}[A-Za-z0-9._-])?"
_STAGE_NAME = matching(
    _STAGE,
    'the name of a stage: letters, digits, spaces and "._-", at most 63 characters',
)


def _stage_name(value: object) -> StageName:
    name = _STAGE_NAME(value)
    if name == "build":
        raise wrong('a stage cannot be called "build", the word for the part before all stages')
    return StageName(name)


def _variable(reserved: tuple[str, ...]) -> Callable[[object], str]:
    is_variable = matching("[A-Za-z_][A-Za-z0-9_]*", "the name of an environment variable: letters, digits and _")

    def validate(value: object) -> str:
        name = is_variable(value)
        if name in reserved or name.startswith("TIDEGATE_"):
            raise wrong(f'"{name}" is set by Tidegate', "choose another name")
        return name

    return validate


def service_name(text: str) -> str:
    """The nearest text that can name a service; empty where there is none."""
    return re.sub("[^a-z0-9]+", "-", text.lower())[:63].strip("-")


_DURATION = r"(\d+(\.\d+)?(ms|s|m|h|d))+"
_PERCENTAGE = r"\d+(\.\d+)?%"
_SERVICE = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_ENVIRONMENT = "[a-z0-9]([a-z0-9-]{0,25}[a-z0-9])?"
"""27 characters at most, so that a deployment's id still fits into a label of 63."""

_NAME_RULE = "lower-case letters, digits and hyphens"
_AN_ENVIRONMENT = f"the name of an environment: {_NAME_RULE}, at most 27 characters"

Duration = Annotated[
    timedelta, PlainValidator(_parsed(_bounded_duration, "a time like 30s")), schema_with(_DURATION, "2m")
]
PositiveDuration = Annotated[
    timedelta, PlainValidator(_parsed(_positive_duration, "a time like 30s")), schema_with(_DURATION, "10m")
]
Tolerance = Annotated[
    float, PlainValidator(_parsed(_tolerance, "a percentage like 10%")), schema_with(_PERCENTAGE, "10%")
]
Availability = Annotated[
    float, PlainValidator(_parsed(_availability, "a percentage like 99.9%")), schema_with(_PERCENTAGE, "99.9%")
]
CanaryShare = Annotated[Share, PlainValidator(_parsed(canary_share, "a share like 5%")), schema_with(_PERCENTAGE, "5%")]
Rate = Annotated[float, PlainValidator(_parsed(_rate, "a rate like 5/s")), schema_with(r"\d+(\.\d+)?/(s|m|h)", "5/s")]
LoadRate = Annotated[
    float, PlainValidator(_parsed(_load_rate, "a rate like 20/s")), schema_with(r"\d+(\.\d+)?/(s|m|h)", "20/s")
]
Size = Annotated[
    int, PlainValidator(_parsed(parse_size, "a size like 10GiB")), schema_with(r"\d+(B|KiB|MiB|GiB)", "10GiB")
]
ServiceWord = Annotated[
    ServiceName,
    PlainValidator(matching(_SERVICE, f"the name of a service: {_NAME_RULE}, at most 63", service_name)),
    schema_with(_SERVICE, "shop"),
]
EnvironmentWord = Annotated[
    EnvironmentName, PlainValidator(matching(_ENVIRONMENT, _AN_ENVIRONMENT)), schema_with(_ENVIRONMENT, "staging")
]
TeamWord = Annotated[
    str,
    PlainValidator(matching("[A-Za-z0-9][A-Za-z0-9 ._-]{0,62}", 'the name of a team: letters, digits and " ._-"')),
    WithJsonSchema({"type": "string", "examples": ["payments"]}),
]
ArtifactWord = Annotated[
    str,
    PlainValidator(matching("[A-Za-z0-9][A-Za-z0-9._-]{0,99}", 'the name of an artifact: letters, digits and "._-"')),
    schema_with("[A-Za-z0-9][A-Za-z0-9._-]{0,99}", "shop"),
]
UrlPath = Annotated[
    str,
    PlainValidator(matching(r"/(?!/)[!-\"$-~]*", 'a path of a URL: it begins with one "/" and has no spaces')),
    schema_with("/.*", "/healthz"),
]
Branch = Annotated[str, PlainValidator(_branch), WithJsonSchema({"type": "string", "examples": ["main"]})]
RelativePath = Annotated[
    str, PlainValidator(relative_path), WithJsonSchema({"type": "string", "examples": ["services/shop"]})
]
FilePattern = Annotated[
    str, PlainValidator(_file_pattern), WithJsonSchema({"type": "string", "examples": ["dist/*.whl"]})
]
Script = Annotated[str, PlainValidator(_script), WithJsonSchema({"type": "string", "minLength": 1})]
StepWord = Annotated[
    StepName, PlainValidator(_step_name), WithJsonSchema({"type": "string", "minLength": 1, "maxLength": LONGEST_NAME})
]
StageReference = Annotated[
    StageName, PlainValidator(_STAGE_NAME), WithJsonSchema({"type": "string", "examples": ["staging"]})
]
StageWord = Annotated[StageName, PlainValidator(_stage_name), schema_with(_STAGE, "staging")]
_VARIABLE = schema_with("[A-Za-z_][A-Za-z0-9_]*", "LOG_LEVEL")
StepVariable = Annotated[str, PlainValidator(_variable(())), _VARIABLE]
RuntimeVariable = Annotated[str, PlainValidator(_variable(("PORT",))), _VARIABLE]
RiskWord = Annotated[Risk, *one_of(Risk)]
ModeWord = Annotated[Mode, *one_of(Mode)]
StrategyWord = Annotated[Strategy, *one_of(Strategy, "recreate")]
CauseWord = Annotated[RetryCause, *one_of(RetryCause)]
OnAlertWord = Annotated[OnAlert, *one_of(OnAlert)]
OnBlindWord = Annotated[OnBlind, *one_of(OnBlind)]
OnDoubtWord = Annotated[OnDoubt, *one_of(OnDoubt)]
People = Annotated[int, Field(strict=True, ge=1, le=20)]
