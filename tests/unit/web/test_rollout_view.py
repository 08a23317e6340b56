"""What a run's page and a release's record say of a metric."""

from __future__ import annotations

from tidegate.evidence.story import MetricTold
from tidegate.evidence.story import _metrics as told_of
from tidegate.model.verdict import Judgement, MetricFinding, Verdict
from tidegate.web.rollout_view import MetricRow, _row
from tidegate.web.wording import Badge, Tone, badge

USAGE = MetricFinding("wishes (usage)", 4.25, None, 1.0, "%", Verdict.UNDECIDED, 3.247, 5.545)
ERRORS = MetricFinding("errors", 0.4, 0.3, 0.61, "%", Verdict.PASS)


def test_usage_is_told_with_its_interval_and_no_verdict() -> None:
    assert _row(USAGE) == MetricRow("wishes (usage)", "4.25% (3.25% to 5.54%)", "–", "–", Badge("told", Tone.QUIET))
    assert _row(ERRORS) == MetricRow("errors", "0.4%", "0.3%", "0.61", badge(Verdict.PASS))


def test_the_record_says_the_same() -> None:
    assert tuple(told_of(Judgement(Verdict.PASS, "fine", metrics=(USAGE, ERRORS)))) == (
        MetricTold("wishes (usage)", "4.25 % (3.247 % to 5.545 %)", "no data", "told"),
        MetricTold("errors", "0.4 %", "0.3 %", "pass"),
    )
