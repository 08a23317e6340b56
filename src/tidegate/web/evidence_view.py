"""What a person sees of the evidence at a gate: the same that policies read, in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tidegate.engine.gate_evidence import GateView
from tidegate.model.evidence import Evidence, FigureEvidence, LoadEvidence, StageEvidence
from tidegate.model.evidence_schema import Lack
from tidegate.model.gate_rules import THE_FILE
from tidegate.model.quantity import format_rate
from tidegate.web.wording import seconds_text

_LATER = ("flags", "error_budget")


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that is known, and what it is about."""

    about: str
    text: str


@dataclass(frozen=True, slots=True)
class PolicyLine:
    """What a policy says; `holds` is whether it has nothing against the release."""

    text: str
    holds: bool


@dataclass(frozen=True, slots=True)
class GateEvidence:
    """The evidence for the gate of a stage. `alone` is what policy alone would decide, empty where it decides."""

    stage: str
    facts: tuple[Fact, ...]
    missing: tuple[str, ...]
    policies: tuple[PolicyLine, ...]
    alone: str


def gate_evidence(view: GateView) -> GateEvidence:
    """What was gathered, in words."""
    return GateEvidence(
        stage=view.stage.name,
        facts=(*_facts(view.evidence, view.stage.name), *(Fact("the rollout", line) for line in view.foretold)),
        missing=tuple(dict.fromkeys(one.because for one in view.lacks if _is_worth_a_word(one))),
        policies=tuple(
            PolicyLine(one.text if one.source == THE_FILE else f"{one.text} ({one.source})", one.holds)
            for one in view.decision.policies
        ),
        alone=view.decision.policy_alone,
    )


def _facts(evidence: Evidence, stage: str) -> Iterator[Fact]:
    serving = evidence.environment.serving
    runs = f"{serving.label} serves there now" if serving else "nothing serves there yet"
    if serving and serving.commit == evidence.release.commit:
        runs = f"{serving.label}, which is this release, serves there now"
    yield Fact(evidence.environment.name, runs)
    coverage = evidence.release.coverage
    if coverage and coverage.change is not None:
        yield Fact(
            "coverage", f"{coverage.line:.1f}% of lines, {coverage.change:+.1f} points against what serves there"
        )
    for name, one in evidence.stages.items():
        if name != stage and one.state.is_ended:
            yield Fact(name, _stage(one))
    if evidence.error_budget:
        left, requests = evidence.error_budget.left, evidence.error_budget.requests
        by = f"by {requests:,} requests in 30 days"
        used = f"used up, {1 - left / 100:.3g} times as much as there is, {by}"
        yield Fact("error budget", f"{left:.3g}% left, {by}" if left > 0 else used)
    reasons = "; ".join(evidence.risk.reasons) or "nothing adds to it"
    yield Fact("risk", f"{evidence.risk.score} of 100: {reasons}")


def _stage(stage: StageEvidence) -> str:
    took = f" in {seconds_text(stage.seconds)}" if stage.seconds is not None else ""
    figures = ", ".join(_figure(one) for one in stage.figures or ())
    verdict = f"; verification: {stage.verdict.value.replace('_', ' ')}" if stage.verdict else "; nothing was verified"
    load = f"; {_load(stage.load)}" if stage.load else ""
    return f"{stage.state.value.replace('_', ' ')}{took}{verdict}" + (f" ({figures})" if figures else "") + load


def _load(load: LoadEvidence) -> str:
    times = "" if load.multiple is None else f", {load.multiple:.3g} times the busiest minute"
    return f"load check: {format_rate(load.capacity)} held{times}, {format_rate(load.asked)} asked"


_BESIDE = {"objective": "allowed", "usual": "usual at this time"}
"""What is said of the figure that it is held against."""


def _figure(one: FigureEvidence) -> str:
    unit = one.unit if one.unit == "%" else f" {one.unit}"
    new = "no data" if one.canary is None else f"{one.canary:.3g}{unit}"
    if one.low is not None and one.high is not None:
        new = f"{new} ({one.low:.3g}{unit} to {one.high:.3g}{unit})"
    beside = next((word for kind, word in _BESIDE.items() if one.name.endswith(f"({kind})")), "before")
    old = "" if one.baseline is None else f", {beside} {one.baseline:.3g}{unit}"
    return f"{one.name} {new}{old}"


def _is_worth_a_word(lack: Lack) -> bool:
    """Not what nothing reports yet to anybody, nor what is only another word for what is missing above it."""
    return lack.place not in _LATER and not lack.place.startswith("stages.")
