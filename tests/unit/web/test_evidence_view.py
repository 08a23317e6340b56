"""The evidence at a gate in words."""

from __future__ import annotations

import pytest

from tidegate.model.evidence import FigureEvidence, LoadEvidence, StageEvidence
from tidegate.model.run import StageState
from tidegate.model.verdict import Verdict
from tidegate.web.evidence_view import _figure, _stage


@pytest.mark.parametrize(
    ("figure", "says"),
    [
        (FigureEvidence("errors (objective)", "%", Verdict.PASS, 0.0, 1.0), "errors (objective) 0%, allowed 1%"),
        (FigureEvidence("latency p50", "ms", Verdict.PASS, 0.276961, 12.202), "latency p50 0.277 ms, before 12.2 ms"),
        (FigureEvidence("errors", "%", Verdict.NO_DATA, None, None), "errors no data"),
        (
            FigureEvidence("wishes (usage)", "%", Verdict.UNDECIDED, 4.25, None, 3.247, 5.545),
            "wishes (usage) 4.25% (3.25% to 5.54%)",
        ),
    ],
    ids=["an objective was never before", "no more digits than tell", "nothing measured", "usage"],
)
def test_a_figure_says_what_stands_beside_it(figure: FigureEvidence, says: str) -> None:
    assert _figure(figure) == says


def test_a_stage_says_what_its_load_check_measured() -> None:
    stage = StageEvidence(StageState.PASSED, "staging", Verdict.PASS, load=LoadEvidence(2.25, 3.0, 1.5, 2.6))
    assert _stage(stage) == (
        "passed; verification: pass; load check: 135 requests/min held, 1.5 times the busiest minute, "
        "180 requests/min asked"
    )
