"""Which words belong to which method: in a judge file, and in `verify:`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated

from pydantic import Field

from tidegate.config.judge_mann_whitney import MannWhitneyMetricWords, MannWhitneyWords
from tidegate.config.judge_threshold import ThresholdMetricWords, ThresholdWords
from tidegate.config.section import Section, known_keys
from tidegate.config.values import wrong
from tidegate.model.recording import Method


class MethodWords(MannWhitneyWords, ThresholdWords):
    """What the methods by name are told of all metrics."""


class MethodMetricWords(MannWhitneyMetricWords, ThresholdMetricWords):
    """What the methods by name are told of one metric."""

    quantile: Annotated[
        float | None,
        Field(strict=True, gt=0, lt=1, description="Judged of a histogram, not its mean (mann_whitney, threshold)."),
    ] = None


_BOTH = ("interval", "quantile")
_WORDS_OF: dict[Method, frozenset[str]] = {
    Method.SEQUENTIAL: frozenset(),
    Method.MANN_WHITNEY: frozenset({*known_keys(MannWhitneyWords), *known_keys(MannWhitneyMetricWords), *_BOTH}),
    Method.THRESHOLD: frozenset({*known_keys(ThresholdWords), *known_keys(ThresholdMetricWords), *_BOTH}),
}
_EVERY_METHOD = frozenset({"tolerance", "critical"})
"""Words that mean something at a metric whatever the method is."""


def check_words(method: Method, whole: Section, metrics: Mapping[str, Section]) -> None:
    """Raises a mistake where a word of another method is written: here it would have no effect."""
    for word, place in _written(whole, metrics):
        owners = [one for one in Method if word in _WORDS_OF[one]]
        if owners and method not in owners and (not place or word not in _EVERY_METHOD):
            whose = " and ".join(f'"{one}"' for one in owners)
            raise wrong(f'"{word}"{place} belongs to the method {whose}', f'this one is "{method}"')


def _written(whole: Section, metrics: Mapping[str, Section]) -> Iterator[tuple[str, str]]:
    """The words that a file has, each with the metric that it is about."""
    for section, place in ((whole, ""), *((one, f" of {name}") for name, one in metrics.items())):
        fields = type(section).model_fields
        for name in sorted(section.model_fields_set & fields.keys()):
            yield fields[name].alias or name, place
