"""The evidence at a gate in words."""

from __future__ import annotations

import pytest

from tidegate.model.evidence import FigureEvidence
from tidegate.model.verdict import Verdict
from tidegate.web.evidence_view import _figure


@pytest.mark.parametrize(
    ("figure", "says"),
    [
        (FigureEvidence("errors (objective)", "%", Verdict.PASS, 0.0, 1.0), "errors (objective) 0%, allowed 1%"),
        (FigureEvidence("latency p50", "ms", Verdict.PASS, 0.276961, 12.202), "latency p50 0.277 ms, before 12.2 ms"),
        (FigureEvidence("errors", "%", Verdict.NO_DATA, None, None), "errors no data"),
    ],
    ids=["an objective was never before", "no more digits than tell", "nothing measured"],
)
def test_a_figure_says_what_stands_beside_it(figure: FigureEvidence, says: str) -> None:
    assert _figure(figure) == says
