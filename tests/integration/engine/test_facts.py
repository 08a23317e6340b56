"""What figures and targets say while a rollout is judged, and what it means when they say nothing."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.integration.api.world import PIPELINE as CANARY
from tests.integration.api.world import SteadyUsers
from tests.integration.engine.shop import BATCH, OWNER, PRODUCTION, SHOP, PromptRouter, Shop

from tidegate.engine.synthetic import wanted_traffic
from tidegate.judge.comparison import ComparisonJudge
from tidegate.metrics.source import SourceFailed
from tidegate.metrics.synthetic import SyntheticRequests
from tidegate.model.ids import DeploymentId
from tidegate.model.installation import Installation, InstallationState
from tidegate.model.rollout import Rollout, RolloutState
from tidegate.model.run import RunStatus
from tidegate.model.traffic import Span, Traffic
from tidegate.model.verdict import Verdict
from tidegate.store import queries, rows
from tidegate.targets.target import TargetAway

WITH_TRAFFIC = CANARY.replace(
    "verify: {at_most: 10m, watch: 1m}", "verify: {at_most: 10m, watch: 1m, traffic: {path: /products, rate: 5/s}}"
)


@pytest.fixture
def canary(shop: Shop) -> Shop:
    """A first version serves in production, and the second one has its first share."""
    shop.added(WITH_TRAFFIC)
    shop.built()
    (run,) = [row["id"] for row in shop.rows()["run"]]
    shop.approved(run)
    shop.settle_until(lambda: shop.run(run).status is RunStatus.SUCCEEDED)
    shop.judge.verdict = Verdict.UNDECIDED
    second = shop.pushed()
    shop.built()
    shop.approved(second)
    shop.settle_over(3)
    assert rollout(shop).state is RolloutState.JUDGING
    return shop


def rollout(shop: Shop) -> Rollout:
    with shop.database.reading() as connection:
        return queries.rollouts_of_placement(connection, PRODUCTION)[0]


def snapshots(shop: Shop) -> int:
    """How often figures were kept of the newest rollout in production."""
    return len([row for row in shop.rows()["snapshot"] if row["rollout"] == rollout(shop).id])


def second_run(shop: Shop) -> str:
    return str(shop.rows()["run"][-1]["id"])


def passes(shop: Shop) -> None:
    """From now on the figures speak for the second version; it goes all the way."""
    shop.judge.verdict = Verdict.PASS
    shop.settle_until(lambda: shop.run(second_run(shop)).status is RunStatus.SUCCEEDED)


def test_a_source_that_fails_is_no_data_which_is_said_and_when_it_answers_again_the_rollout_goes_on(
    canary: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def _fail(*_: object) -> None:
        raise SourceFailed("Envoy's administration does not answer")

    monkeypatch.setattr(SteadyUsers, "counters", _fail)
    canary.settle_over(5)
    held = rollout(canary)
    assert held.judgement is not None
    assert held.judgement.verdict is Verdict.NO_DATA
    assert held.judgement.reason == "the figures could not be read: Envoy's administration does not answer"
    assert held.holds_because is not None
    assert (held.state, held.step) == (RolloutState.JUDGING, 0)
    monkeypatch.undo()
    passes(canary)
    assert canary.serving() == canary.label(second_run(canary))


def test_a_target_that_cannot_be_asked_says_nothing_against_a_version(
    canary: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def _away(deployment: DeploymentId) -> Installation:
        raise TargetAway("supervisord does not answer")

    monkeypatch.setattr(canary.target, "observe", _away)
    canary.settle_over(5)
    assert rollout(canary).state is RolloutState.JUDGING
    passes(canary)


def test_instances_that_fail_while_they_are_judged_are_harm_though_the_figures_say_nothing(canary: Shop) -> None:
    new = canary.newest()
    canary.target.installed[new] = Installation(InstallationState.FAILED, detail="instance 0 ended 3 times")
    canary.settle_over(3)
    ended = canary.run(second_run(canary))
    assert ended.status is RunStatus.ROLLED_BACK
    assert rollout(canary).cause is not None
    assert "the new deployment failed: instance 0 ended 3 times" in str(rollout(canary).cause)
    assert canary.serving() == "01c0ffee"


def test_figures_that_were_read_for_what_is_over_by_now_are_not_counted(
    canary: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody rolls back while the figures are being read: what they say belongs to the rollout of before."""
    count = SteadyUsers.counters
    asked: list[bool] = []

    def _meanwhile(self: SteadyUsers, placement: object, deployments: object) -> object:
        if not asked:
            asked.append(True)
            canary.placements.roll_back(SHOP, "production", OWNER)
            canary.engine.look(f"placement:{PRODUCTION}")
        return count(self, placement, deployments)  # type: ignore[arg-type]

    before = snapshots(canary)
    monkeypatch.setattr(SteadyUsers, "counters", _meanwhile)
    canary.settle_over(1)
    assert asked
    assert snapshots(canary) == before
    assert canary.serving() == "01c0ffee"


def test_synthetic_requests_are_sent_to_what_is_verified_and_only_as_long_as_it_is(canary: Shop) -> None:
    port = next(row["port"] for row in canary.rows()["placement"] if row["id"] == PRODUCTION)
    with canary.database.reading() as connection:
        wanted = wanted_traffic(connection)
    assert wanted == {PRODUCTION: SyntheticRequests(f"http://127.0.0.1:{port}/products", 5.0)}
    passes(canary)
    canary.settle_until(lambda: rollout(canary).state.is_ended)
    with canary.database.reading() as connection:
        assert wanted_traffic(connection) == {}


def test_what_goes_back_gets_no_synthetic_requests_any_more(canary: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PromptRouter, "set_shares", lambda self, routing, generation: None)
    canary.placements.roll_back(SHOP, "production", OWNER)
    canary.settle()
    assert rollout(canary).state is RolloutState.RETURNING
    with canary.database.reading() as connection:
        assert wanted_traffic(connection) == {}


def test_an_empty_placement_gets_no_synthetic_requests(shop: Shop) -> None:
    shop.added(WITH_TRAFFIC)
    with shop.database.reading() as connection:
        assert wanted_traffic(connection) == {}


def test_a_service_that_lost_an_instance_at_rest_is_said_and_repaired(canary: Shop) -> None:
    passes(canary)
    canary.settle_until(lambda: rollout(canary).state.is_ended)
    serving = canary.newest()
    good = canary.target.installed[serving]
    canary.target.installed[serving] = Installation(
        InstallationState.STARTING, good.instances[:1], "instance 1 is gone"
    )
    canary.pass_time(timedelta(minutes=2))
    assert any(text == "shop/production: instance 1 is gone" for text in canary.said())
    canary.settle_over(3, BATCH)
    canary.pass_time(timedelta(minutes=2))
    assert canary.target.installed[serving] == good
    assert canary.said()[-1] == "shop/production: healthy"


def test_a_version_that_nothing_runs_beside_is_held_against_the_same_hours_of_the_days_before(shop: Shop) -> None:
    """Half of the requests may fail by the objective, one in a thousand does on other days, and a quarter now does."""
    rolling = CANARY.replace("strategy: canary\n      shares: [5%, 25%]", "strategy: rolling").replace(
        "watch: 1m", "watch: 1m, objective: {availability: 50%}"
    )
    shop.added(rolling)
    shop.built()
    (run,) = [row["id"] for row in shop.rows()["run"]]
    shop.approved(run)
    shop.settle_until(lambda: shop.run(run).status is RunStatus.SUCCEEDED)
    remember_days(shop)
    shop.restart(judge=ComparisonJudge())
    second = shop.pushed()
    shop.built()
    shop.approved(second)
    shop.users.failing.add(shop.newest())
    shop.settle_until(lambda: shop.run(second).status.is_ended)
    assert shop.run(second).status is RunStatus.ROLLED_BACK
    assert "errors (usual): 25% of " in str(rollout(shop).cause)
    assert shop.serving() == "01c0ffee"


def remember_days(shop: Shop) -> None:
    """A week and a day in which one request in a thousand failed."""
    now = shop.clock.now().replace(minute=0, second=0, microsecond=0)
    with shop.database.writing() as connection:
        for hour in range(8 * 24):
            rows.put(connection, Traffic(PRODUCTION, Span.HOUR, now - timedelta(hours=hour + 1), 1000, 1))
