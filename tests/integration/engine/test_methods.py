"""A rollout whose own metrics are judged by a method that its file names."""

from __future__ import annotations

import pytest
from tests.integration.api.world import PIPELINE as CANARY
from tests.integration.engine.shop import PRODUCTION, Shop
from tests.integration.engine.test_measuring import KeepingJudge, ToldSource, second_version

from tidegate.judge.live_methods import MethodJudge
from tidegate.model.ids import DeploymentId
from tidegate.model.metric import Measured, SourceName
from tidegate.model.rollout import Rollout, RolloutState
from tidegate.model.verdict import Verdict
from tidegate.store import queries

QUERY = "source: prometheus, query: 'queue{deployment=\"$deployment\"}', kind: values, window: 2s"
THRESHOLD = f"method: threshold, metrics: {{queue: {{{QUERY}, limit: 10, failure_limit: 1}}}}"
KAYENTA = f"method: mann_whitney, every: 5, metrics: {{queue: {{{QUERY}, direction: increase}}}}"


@pytest.fixture
def told(shop: Shop) -> ToldSource:
    source = ToldSource()
    shop.sources[SourceName.PROMETHEUS] = source
    return source


def begins(shop: Shop, told: ToldSource, verify: str) -> DeploymentId:
    """The second version begins to roll out beside the first, whose queue is short."""
    text = CANARY.replace("verify: {at_most: 10m, watch: 1m}", f"verify: {{at_most: 10m, {verify}}}")
    router = KeepingJudge()
    shop.restart(judge=MethodJudge(router))
    run = second_version(shop, router, text)
    router.verdict = Verdict.PASS
    told.says[shop.newest()] = Measured((5.0,))
    shop.approved(run)
    return shop.newest()


def rollout(shop: Shop) -> Rollout:
    with shop.database.reading() as connection:
        return queries.rollouts_of_placement(connection, PRODUCTION)[0]


@pytest.mark.parametrize("verify", [THRESHOLD, KAYENTA], ids=["threshold", "mann_whitney"])
def test_a_metric_beyond_its_limit_rolls_back_and_why_is_said(shop: Shop, told: ToldSource, verify: str) -> None:
    new = begins(shop, told, verify)
    told.says[new] = Measured((20.0,))
    shop.settle_until(lambda: rollout(shop).state is RolloutState.ROLLED_BACK)
    words = {THRESHOLD: "queue: 2 of 2 intervals beyond the limit, 1 may be", KAYENTA: "queue is High"}
    assert any(words[verify] in said for said in shop.said())


@pytest.mark.parametrize("verify", [THRESHOLD, KAYENTA], ids=["threshold", "mann_whitney"])
def test_a_metric_that_is_well_lets_the_rollout_go_on_to_its_end(shop: Shop, told: ToldSource, verify: str) -> None:
    new = begins(shop, told, verify)
    told.says[new] = Measured((5.0,))
    shop.settle_until(lambda: rollout(shop).state is RolloutState.SUCCEEDED)
