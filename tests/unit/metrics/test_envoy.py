"""Reading Envoy's answer to a question for figures."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tidegate.metrics.envoy import EnvoyMetrics, counters_of
from tidegate.metrics.source import SourceFailed
from tidegate.model.figures import Counters
from tidegate.model.ids import DeploymentId, PlacementId

V1, V2 = DeploymentId("v1"), DeploymentId("v2")
SHOP = PlacementId("shop/production")


class Page:
    """An admin interface with one page."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.asked = ""

    def read(self, path: str) -> str:
        self.asked = path
        return self.text


def histogram(name: str, *buckets: tuple[float, int]) -> dict[str, Any]:
    found = [{"upper_bound": edge, "interval": 0, "cumulative": count} for edge, count in buckets]
    return {"histograms": [{"name": name, "buckets": found}]}


def test_the_bucket_below_the_last_edge_is_the_overflow() -> None:
    stats = [
        {"name": "cluster.v1.upstream_rq_completed", "value": 7},
        {"name": "cluster.v1.upstream_rq_5xx", "value": 2},
        {"name": "cluster.v1.upstream_rq_total", "value": 9},
        histogram("cluster.v1.upstream_rq_time", (1, 4), (10, 2), (1e9, 1)),
    ]
    assert counters_of(stats, [V1, V2]) == {V1: Counters(7, 2, (1.0, 10.0), (4, 2, 1), 9)}


def test_what_envoy_has_not_counted_yet_is_zero_for_a_deployment_that_it_knows() -> None:
    assert counters_of([{"name": "cluster.v1.upstream_rq_total", "value": 0}], [V1]) == {V1: Counters(0, 0)}


def test_only_what_is_needed_is_asked_for() -> None:
    page = Page(json.dumps({"stats": []}))
    assert EnvoyMetrics(page).counters(SHOP, [V1]) == {}
    assert "filter=%5Ecluster%5C.%28v1%29%5C.%28" in page.asked


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"stats": [{"name": "x"}]}', '{"stats": 3}'])
def test_an_answer_of_another_form_is_a_failure_and_never_a_zero(text: str) -> None:
    with pytest.raises(SourceFailed, match="figures of shop/production could not be understood"):
        EnvoyMetrics(Page(text)).counters(SHOP, [V1])
