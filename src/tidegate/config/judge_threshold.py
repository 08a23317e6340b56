"""The words of `method: threshold` in a judge file, and the rule that they mean."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

from tidegate.config.section import Section
from tidegate.config.values import wrong
from tidegate.model.quantity import parse_percentage
from tidegate.model.threshold import Limit, ThresholdRule

_Number = Annotated[float, Field(allow_inf_nan=False)]


class LimitSection(Section):
    """How far a metric may go: to a number, or beside the baseline."""

    absolute: Annotated[_Number | None, Field(description="In the metric's unit; a share of requests for a rate.")] = (
        None
    )
    ratio: Annotated[
        float | None, Field(gt=0, le=1000, allow_inf_nan=False, description="So many times the baseline's figure.")
    ] = None
    floor: Annotated[float, Field(ge=0, allow_inf_nan=False, description="And so much further.")] = 0.0

    @model_validator(mode="after")
    def _one_of_both(self) -> LimitSection:
        if (self.absolute is None) == (self.ratio is None) or (self.absolute is not None and self.floor):
            raise wrong("a limit is absolute, or a ratio with a floor", 'write "limit": 0.05, or {"ratio": 1.5}')
        return self

    def limit(self) -> Limit:
        """The same as the model has it."""
        if self.ratio is None:
            return Limit(absolute=self.absolute)
        return Limit(ratio=max(self.ratio, 1 / self.ratio), floor=self.floor)


_PERCENTAGE = r"[0-9]+(\.[0-9]+)?%"


def _as_limit(written: Any) -> Any:
    """A number or a percentage is an absolute limit."""
    if isinstance(written, str):
        if not re.fullmatch(_PERCENTAGE, written):
            raise wrong(f'"{written}" is no limit', "write a number, a percentage like 5%, or {ratio: 1.5}")
        return {"absolute": parse_percentage(written)}
    is_number = isinstance(written, int | float) and not isinstance(written, bool)
    return {"absolute": written} if is_number else written


_Percentage = Annotated[str, Field(pattern=f"^{_PERCENTAGE}$")]
_Limit = Annotated[
    LimitSection, BeforeValidator(_as_limit, json_schema_input_type=_Number | _Percentage | LimitSection)
]


class ThresholdWords(Section):
    """What may be said of one metric, and of all of them."""

    failure_limit: Annotated[
        int | None, Field(strict=True, ge=0, description="So many intervals may fail, 0 by default (threshold).")
    ] = None
    consecutive_failures: Annotated[
        int | None, Field(strict=True, ge=1, description="So many failed intervals in a row fail it (threshold).")
    ] = None
    minimum_requests: Annotated[
        int | None, Field(strict=True, ge=1, description="An interval with fewer says nothing (threshold).")
    ] = None
    inconclusive_limit: Annotated[
        int | None, Field(strict=True, ge=0, description="So many intervals may say nothing (threshold).")
    ] = None


class ThresholdMetricWords(ThresholdWords):
    """What a metric is told."""

    limit: Annotated[_Limit | None, Field(description="What is beyond it fails an interval (threshold).")] = None
    within: Annotated[
        _Limit | None,
        Field(description="What is within it succeeds; between it and limit nothing is said (threshold)."),
    ] = None

    @model_validator(mode="after")
    def _within_what(self) -> ThresholdMetricWords:
        if self.within is not None and self.limit is None:
            raise wrong('"within" without "limit"', 'write "limit", which fails an interval')
        return self


def threshold_rule(words: ThresholdMetricWords, whole: ThresholdWords | None, quantile: float | None) -> ThresholdRule:
    """What is said of one metric, and else of all."""
    whole = whole or ThresholdWords()
    row = _first(words.consecutive_failures, whole.consecutive_failures)
    limit = _first(words.failure_limit, whole.failure_limit)
    return ThresholdRule(
        limit=words.limit.limit() if words.limit else None,
        within=words.within.limit() if words.within else None,
        failure_limit=0 if limit is None and row is None else limit,
        consecutive_failures=row,
        minimum_requests=_first(words.minimum_requests, whole.minimum_requests) or 1,
        inconclusive_limit=_first(words.inconclusive_limit, whole.inconclusive_limit),
        quantile=quantile,
    )


def _first(own: int | None, whole: int | None) -> int | None:
    return whole if own is None else own
