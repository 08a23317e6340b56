"""The words of `method: mann_whitney` in a judge file, which are Kayenta's, and the rules that they mean."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from tidegate.config.section import Section
from tidegate.config.values import wrong
from tidegate.model.mann_whitney import (
    CONFIDENCE,
    MARGINAL_SCORE,
    OUTLIER_FACTOR,
    PASS_SCORE,
    TOLERANCE,
    ComparisonRule,
    Direction,
    EffectMeasure,
    EffectSize,
    MannWhitneyRule,
    NanStrategy,
)
from tidegate.model.recording import MetricKind, Worse

_Name = Annotated[str, Field(min_length=1, max_length=200)]
_Effect = Annotated[float, Field(ge=0, allow_inf_nan=False)]
_Weight = Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)]
_Percent = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]


class EffectSizeSection(Section):
    """How large a certain difference must be to count."""

    measure: Annotated[
        EffectMeasure, Field(description="The ratio of the means, or the share of pairs in which the canary is higher.")
    ] = EffectMeasure.MEAN_RATIO
    allowed_increase: Annotated[_Effect | None, Field(description="From so much on it is High.")] = None
    allowed_decrease: Annotated[_Effect | None, Field(description="From so little on it is Low.")] = None
    critical_increase: Annotated[_Effect | None, Field(description="From so much on a critical metric is.")] = None
    critical_decrease: Annotated[_Effect | None, Field(description="From so little on a critical metric is.")] = None

    def effect_size(self) -> EffectSize:
        """The same as the model has it."""
        return EffectSize(
            self.measure,
            self.allowed_increase,
            self.allowed_decrease,
            self.critical_increase,
            self.critical_decrease,
        )


_OF_KAYENTA = {
    "allowedIncrease": "allowed_increase",
    "allowedDecrease": "allowed_decrease",
    "criticalIncrease": "critical_increase",
    "criticalDecrease": "critical_decrease",
}


def _as_effect_size(written: Any) -> Any:
    """Kayenta's own spelling means the same; a number is how many times as high, or as low, it must be."""
    if isinstance(written, int | float) and not isinstance(written, bool):
        if written < 1:
            raise wrong(f"an effect size of {written:g} is a decrease", 'write {"allowed_decrease": …}')
        return {"allowed_increase": written, "allowed_decrease": 1 / written}
    if not isinstance(written, dict):
        return written
    plain = {_OF_KAYENTA.get(key, key): value for key, value in written.items()}
    return plain | ({"measure": EffectMeasure.MEAN_RATIO} if plain.get("measure") == "meanRatio" else {})


_EffectSize = Annotated[EffectSizeSection, BeforeValidator(_as_effect_size)]


class OutliersSection(Section):
    """What is done with values far from the others."""

    strategy: Annotated[Literal["remove", "keep"], Field(description="Whether they are removed.")] = "keep"
    factor: Annotated[
        float, Field(gt=0, allow_inf_nan=False, description="So many interquartile ranges outside the quartiles.")
    ] = OUTLIER_FACTOR


class ComparisonWords(Section):
    """What may be said of one metric, and of all of them."""

    direction: Annotated[Direction | None, Field(description="Which change is a failure (mann_whitney).")] = None
    nan_strategy: Annotated[
        NanStrategy | None, Field(description="Whether missing values are removed, or are zero (mann_whitney).")
    ] = None
    effect_size: Annotated[
        _EffectSize | None, Field(description="How large a difference must be to count (mann_whitney).")
    ] = None
    outliers: Annotated[OutliersSection | None, Field(description="What is done with outliers (mann_whitney).")] = None
    must_have_data: Annotated[
        bool | None, Field(strict=True, description="Whether a metric without data is a failure (mann_whitney).")
    ] = None


def _as_list(written: Any) -> Any:
    return [written] if isinstance(written, str) else written


class MannWhitneyMetricWords(ComparisonWords):
    """What a metric is told of the comparison."""

    critical: Annotated[bool | None, Field(strict=True, description="Its failure fails the whole (mann_whitney).")] = (
        None
    )
    group: Annotated[_Name | None, Field(description="Its group (mann_whitney).")] = None
    groups: Annotated[
        tuple[_Name, ...],
        BeforeValidator(_as_list, json_schema_input_type=_Name | tuple[_Name, ...]),
        Field(description="Its groups, where it has several (mann_whitney)."),
    ] = ()
    muted: Annotated[bool, Field(strict=True, description="Shown without a part in the score (mann_whitney).")] = False

    def in_groups(self) -> tuple[str, ...]:
        """The groups that it names."""
        return tuple(dict.fromkeys((*((self.group,) if self.group else ()), *self.groups)))


class GroupSection(Section):
    """A group of metrics."""

    weight: Annotated[
        _Weight | None, Field(description="Its part of the score: in percent, or relative where each group has one.")
    ] = None
    metrics: Annotated[tuple[_Name, ...], Field(description="Which metrics belong to it.")] = ()


def _as_group(written: Any) -> Any:
    """A group's weight or metrics may stand for it."""
    if isinstance(written, int | float) and not isinstance(written, bool):
        return {"weight": written}
    return {"metrics": written} if isinstance(written, list) else written


_Group = Annotated[
    GroupSection, BeforeValidator(_as_group, json_schema_input_type=_Weight | tuple[_Name, ...] | GroupSection)
]


def _as_names(written: Any) -> Any:
    """All metrics, none of them, or those with these names."""
    if isinstance(written, bool):
        return ALL if written else ()
    if isinstance(written, list | tuple) and all(isinstance(one, str) for one in written):
        return tuple(written)
    raise wrong("expected true, false, or a list of metrics", "name the critical metrics")


ALL = ("*",)
"""Instead of the names of all metrics."""


class ScoreWords(Section):
    """What is said of all metrics together."""

    confidence: Annotated[
        float | None, Field(strict=True, gt=0, lt=1, description="Of the interval; 0.98 by default (mann_whitney).")
    ] = None
    tolerance: Annotated[
        float | None,
        Field(
            strict=True,
            ge=0,
            le=10,
            allow_inf_nan=False,
            description="The part of the shift that says nothing; 0.25 by default (mann_whitney).",
        ),
    ] = None
    groups: Annotated[
        dict[_Name, _Group],
        Field(
            default_factory=dict,
            description="Each group's weight in percent, its metrics, or both (mann_whitney).",
        ),
    ]
    pass_score: Annotated[
        _Percent | None,
        Field(strict=True, alias="pass", description="It passes from this score on; 95 by default (mann_whitney)."),
    ] = None
    marginal: Annotated[
        _Percent | None, Field(strict=True, description="It fails below this score; 75 by default (mann_whitney).")
    ] = None
    every: Annotated[
        int | None, Field(strict=True, ge=1, description="Look after each so many batches of figures (mann_whitney).")
    ] = None

    def weights(self) -> dict[str, float]:
        """The weights of the groups that have one."""
        return {name: one.weight for name, one in self.groups.items() if one.weight is not None}


class MannWhitneyWords(ComparisonWords, ScoreWords):
    """What a recording is told of the comparison."""

    critical: Annotated[
        tuple[str, ...],
        BeforeValidator(_as_names, json_schema_input_type=bool | tuple[str, ...]),
        Field(description="The metrics that fail the whole, or true for all of them (mann_whitney)."),
    ] = ()

    def is_critical(self, metric: str) -> bool:
        """Whether the metric is named here."""
        return self.critical == ALL or metric in self.critical


def score_rule(words: ScoreWords, metrics: Mapping[str, tuple[str, ...]]) -> MannWhitneyRule:
    """What is said of all metrics; `metrics` holds the groups of each that is not muted.

    Raises a mistake where marginal is above pass, or the groups make no score between 0 and 100.
    """
    passes = PASS_SCORE if words.pass_score is None else words.pass_score
    marginal = min(MARGINAL_SCORE, passes) if words.marginal is None else words.marginal
    if marginal > passes:
        raise wrong(f'"marginal" is {marginal:g}, above "pass": {passes:g}', "fail < marginal <= pass")
    return MannWhitneyRule(
        confidence=CONFIDENCE if words.confidence is None else words.confidence,
        tolerance=TOLERANCE if words.tolerance is None else words.tolerance,
        groups=_weights(words, metrics),
        pass_score=passes,
        marginal_score=marginal,
        every=words.every,
    )


def comparison_rule(
    name: str,
    kind: MetricKind,
    worse: Worse | None,
    weight: float | None,
    quantile: float | None,
    words: MannWhitneyMetricWords,
    whole: ScoreWords,
) -> ComparisonRule:
    """What is said of one metric, and else of all; `worse` where the file says it."""
    groups, others = whole.groups, whole if isinstance(whole, MannWhitneyWords) else MannWhitneyWords.model_validate({})
    outliers = words.outliers or others.outliers
    effect = words.effect_size or others.effect_size
    named = (group for group, one in groups.items() if name in one.metrics)
    return ComparisonRule(
        direction=words.direction or others.direction or _direction(kind, worse),
        nan_strategy=words.nan_strategy or others.nan_strategy or NanStrategy.REMOVE,
        effect_size=effect.effect_size() if effect else EffectSize(),
        critical=others.is_critical(name) if words.critical is None else words.critical,
        must_have_data=bool(others.must_have_data if words.must_have_data is None else words.must_have_data),
        muted=words.muted,
        groups=tuple(dict.fromkeys((*words.in_groups(), *named))),
        weight=1.0 if weight is None else weight,
        outlier_factor=outliers.factor if outliers and outliers.strategy == "remove" else None,
        quantile=quantile,
    )


def check_names(words: ScoreWords, known: Collection[str]) -> None:
    """Raises a mistake where a metric is named that is not there."""
    critical = words.critical if isinstance(words, MannWhitneyWords) and words.critical != ALL else ()
    named = [("critical", one) for one in critical]
    named += [(f'the group "{name}"', one) for name, group in words.groups.items() for one in group.metrics]
    for place, name in named:
        if name not in known:
            raise wrong(f'{place} names the metric "{name}", which is not there', f"there are {', '.join(known)}")


def _direction(kind: MetricKind, worse: Worse | None) -> Direction:
    """Where nothing is said: either for values, as with Kayenta; of requests, what does harm."""
    if worse is None and kind is MetricKind.VALUES:
        return Direction.EITHER
    return Direction.DECREASE if worse is Worse.DOWN else Direction.INCREASE


def _weights(words: ScoreWords, metrics: Mapping[str, tuple[str, ...]]) -> dict[str, float]:
    """The weights of the groups in percent. They are relative to each other where each metric's group has one; where
    one has none, groups without share what is left of 100."""
    weights = words.weights()
    used = {group for groups in metrics.values() for group in groups}
    if unused := [name for name in weights if name not in used]:
        raise wrong(f'no metric belongs to the group "{unused[0]}"', f'write "group": "{unused[0]}" into a metric')
    total = sum(weights.values())
    lightweight = [name for name, groups in metrics.items() if not groups or set(groups) - set(weights)]
    if weights and not total:
        raise wrong("the groups weigh nothing", "give one a weight above 0")
    if not lightweight:
        return {name: 100 * weight / total for name, weight in weights.items()}
    if total >= 100:
        message = (
            f'the groups weigh {total:g} in all: "{lightweight[0]}", whose group has no weight, counts for nothing'
        )
        raise wrong(message, "let them make less than 100 together, or give each group a weight")
    return weights
