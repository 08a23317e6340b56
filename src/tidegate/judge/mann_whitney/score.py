"""From classified metrics to a score between 0 and 100, and what it means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tidegate.judge.mann_whitney.classify import Classified
from tidegate.model.mann_whitney import Classification, MannWhitneyRule
from tidegate.model.verdict import Verdict

OTHERS = "others"
"""The group of the metrics that name none."""

_TOO_MANY_WITHOUT_DATA = 0.5
_WITHOUT_DATA = (Classification.NODATA, Classification.NODATA_FAIL_METRIC)


@dataclass(frozen=True, slots=True)
class Score:
    """The score with its reason; `groups` holds the groups' scores, None for a group without data."""

    value: float
    verdict: Verdict
    blamed: str | None
    reason: str
    groups: Mapping[str, float | None]


def score(metrics: Sequence[Classified], rule: MannWhitneyRule) -> Score:
    """Score the metrics as Kayenta does, but for one thing: where half of them or more, or a critical one, have no
    data, Kayenta fails the new deployment, and here the verdict is that there is no data.
    """
    counted = [one for one in metrics if not one.rule.muted]
    groups = {name: _group_score(members) for name, members in _groups(counted).items()}
    if failed := [one for one in counted if one.critical and one.classification.is_failure]:
        worst = _worst(failed)
        return Score(0.0, Verdict.FAIL, worst.name, f"{worst.name} is critical and {_words(worst)}", groups)
    if lacking := _lacking(counted):
        return Score(0.0, Verdict.NO_DATA, None, lacking, groups)
    value = round(_weighted(groups, rule.groups), 2)
    failures = [one for one in counted if one.classification.is_failure]
    blamed = _worst(failures).name if failures else None
    return Score(value, _verdict(value, rule), blamed, _reason(value, rule, counted, failures), groups)


def _verdict(value: float, rule: MannWhitneyRule) -> Verdict:
    if value >= rule.pass_score:
        return Verdict.PASS
    return Verdict.UNDECIDED if value >= rule.marginal_score else Verdict.FAIL


def _groups(metrics: Sequence[Classified]) -> dict[str, list[Classified]]:
    groups: dict[str, list[Classified]] = {}
    for one in metrics:
        for name in one.rule.groups or (OTHERS,):
            groups.setdefault(name, []).append(one)
    return groups


def _group_score(members: Sequence[Classified]) -> float | None:
    """The percentage of its metrics that pass; those without data are left out."""
    told = [one for one in members if one.classification is not Classification.NODATA]
    passed = sum(one.rule.weight for one in told if one.classification is Classification.PASS)
    return 100 * passed / sum(one.rule.weight for one in told) if told else None


def _weighted(groups: Mapping[str, float | None], weights: Mapping[str, float]) -> float:
    """The groups' scores by their weights; a group without data does not count against the new deployment."""
    without = [name for name in groups if name not in weights]
    left = (100 - sum(weights.values())) / len(without) if without else 0.0
    return sum((100.0 if one is None else one) * weights.get(name, left) / 100 for name, one in groups.items())


def _lacking(metrics: Sequence[Classified]) -> str | None:
    if not metrics:
        return "every metric is muted, so nothing is judged"
    if all(one.classification in _WITHOUT_DATA for one in metrics):
        return f"no metric has data: {', '.join(one.name for one in metrics)}"
    without = [one for one in metrics if one.classification is Classification.NODATA]
    if critical := [one.name for one in without if one.critical]:
        return f"the critical metric {critical[0]} has no data"
    if len(without) >= _TOO_MANY_WITHOUT_DATA * len(metrics):
        return f"{len(without)} of {len(metrics)} metrics have no data: {', '.join(one.name for one in without)}"
    return None


def _worst(failed: Sequence[Classified]) -> Classified:
    return min(failed, key=lambda one: one.p)


def _reason(value: float, rule: MannWhitneyRule, metrics: Sequence[Classified], failures: Sequence[Classified]) -> str:
    limits = {
        Verdict.PASS: f"at least {rule.pass_score:g}",
        Verdict.UNDECIDED: f"below {rule.pass_score:g}, at least {rule.marginal_score:g}",
        Verdict.FAIL: f"below {rule.marginal_score:g}",
    }
    shown = ", ".join(f"{one.name} is {_words(one)}" for one in failures) or "no metric is high or low"
    without = [one.name for one in metrics if one.classification is Classification.NODATA]
    lacking = f"; without data: {', '.join(without)}" if without else ""
    return f"the score is {value:g}, {limits[_verdict(value, rule)]}: {shown}{lacking}"


def _words(one: Classified) -> str:
    """`High: 240 against 120, shift 118 to 123 (p = 2e-11)`."""
    if one.classification is Classification.NODATA_FAIL_METRIC:
        return "without data, which it must have"
    means = f"a mean of {one.canary_mean:.4g} against {one.baseline_mean:.4g}"
    interval = f", shift {one.shift.lower:.4g} to {one.shift.upper:.4g}" if one.shift else ""
    return f"{one.classification}: {means}{interval} (p = {one.p:.1g})"
