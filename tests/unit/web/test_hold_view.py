"""What the page of a run asks where a rollout holds."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.model.builders import rollout_at

from tidegate.model.rollout import RolloutState
from tidegate.model.verdict import Judgement, MetricFinding, Verdict
from tidegate.web.hold_view import hold_view

UNSURE = (
    "errors: 0% of 26 requests on the new deployment; 2% or more is not excluded yet, about 4m more at this traffic"
)
FINDINGS = (
    MetricFinding("errors", 0.0, 0.0, 1.0, "%", Verdict.UNDECIDED),
    MetricFinding("latency p50", 4.9, 4.8, 1.0, "ms", Verdict.PASS),
    MetricFinding("wishes (usage)", 4.25, None, 1.0, "%", Verdict.UNDECIDED, 3.2, 5.5),
)
HOLDING = replace(
    rollout_at(RolloutState.JUDGING),
    holds_because=UNSURE,
    judgement=Judgement(Verdict.UNDECIDED, UNSURE, metrics=FINDINGS),
)


def test_a_hold_says_what_is_known_what_is_not_and_the_three_ways_on() -> None:
    found = hold_view(HOLDING)
    assert found is not None
    assert found.known == "latency p50 4.9 ms, against 4.8 ms"
    assert found.unknown == UNSURE
    assert found.commands == {"tidegate watch 01RUN --wait", "tidegate promote 01RUN", "tidegate cancel 01RUN"}


def test_where_nothing_was_measured_nothing_is_known() -> None:
    found = hold_view(replace(HOLDING, holds_because="no request ended", judgement=None))
    assert found is not None
    assert (found.known, found.unknown) == ("nothing that excludes harm", "no request ended")


@pytest.mark.parametrize(
    "rollout", [None, rollout_at(RolloutState.JUDGING), replace(HOLDING, state=RolloutState.RETURNING)]
)
def test_what_does_not_hold_asks_nothing(rollout: object) -> None:
    assert hold_view(rollout) is None  # type: ignore[arg-type]
