"""What routers count is kept by minutes and hours, and an error budget that burns is said once."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from tests.integration.engine.shop import OWNER, PLAIN, PRODUCTION, SHOP, Shop

from tidegate.engine.alerts import AlertActs
from tidegate.engine.gate_evidence import look_at_gate
from tidegate.engine.incidents import IncidentActs
from tidegate.engine.traffic_log import TrafficLog
from tidegate.metrics.source import SourceFailed
from tidegate.model.figures import Counters
from tidegate.model.ids import DeploymentId, PlacementId
from tidegate.model.incident import IncidentSource
from tidegate.model.load import LoadReport
from tidegate.model.pipeline import Mode
from tidegate.model.service import Service, mode_of
from tidegate.model.traffic import A_WEEK, KEPT_FOR, Span, Traffic
from tidegate.store import incident_queries, queries, rows, traffic_queries
from tidegate.store.database import Database

MINUTE = timedelta(minutes=1)
GATE = "gate: {approvals: {count: 1}}"
VERIFIED = PLAIN.replace(
    f"{GATE}\n    deploy: {{strategy: blue-green}}",
    f"{GATE}\n    deploy: {{strategy: blue-green}}\n    verify: {{objective: {{availability: 99.9%}}}}",
)


class ManyUsers:
    """So many requests a minute at whatever serves; `failing` of them fail."""

    def __init__(self) -> None:
        self.requests, self.errors, self.is_away = 0, 0, False

    def pass_minute(self, requests: int = 600, failing: int = 0) -> None:
        self.requests += requests
        self.errors += failing

    def counters(
        self, placement: PlacementId, deployments: Collection[DeploymentId]
    ) -> Mapping[DeploymentId, Counters]:
        if self.is_away:
            raise SourceFailed("it does not answer")
        return {one: Counters(self.requests, self.errors) for one in deployments}


@pytest.fixture
def users() -> ManyUsers:
    return ManyUsers()


@pytest.fixture
def shop(sqlite: Database, tmp_path: Path, users: ManyUsers) -> Shop:
    shop = Shop(sqlite, tmp_path, metrics=users)
    run = shop.added(VERIFIED)
    shop.built()
    shop.approved(run)
    shop.settle_until(lambda: shop.serving() is not None)
    return shop


def passes(shop: Shop, users: ManyUsers, minutes: int, failing: int = 0) -> None:
    for _ in range(minutes):
        shop.clock.time += MINUTE
        users.pass_minute(failing=failing)
        TrafficLog(shop.parts).look()


def kept(shop: Shop, span: Span) -> list[tuple[int, int]]:
    with shop.database.reading() as connection:
        rows = traffic_queries.since(connection, PRODUCTION, span, shop.clock.now() - KEPT_FOR[span])
    return [(one.requests, one.errors) for one in rows]


def test_each_minute_is_counted_once_also_by_a_server_that_was_started_again(shop: Shop, users: ManyUsers) -> None:
    users.pass_minute(requests=5000)
    TrafficLog(shop.parts).look()
    assert kept(shop, Span.HOUR) == [], "what came before the first look is nobody's"
    passes(shop, users, 3, failing=2)
    TrafficLog(shop.parts).look()
    assert kept(shop, Span.MINUTE) == [(600, 2)] * 3
    assert kept(shop, Span.HOUR) == [(1800, 6)]


def test_what_is_counted_while_no_server_runs_is_known_of_the_hour_alone(shop: Shop, users: ManyUsers) -> None:
    passes(shop, users, 2)
    shop.clock.time += timedelta(minutes=20)
    users.pass_minute(requests=7000)
    TrafficLog(shop.parts).look()
    assert kept(shop, Span.MINUTE) == [(600, 0)]
    assert sum(requests for requests, _ in kept(shop, Span.HOUR)) == 7600


def test_a_router_that_does_not_answer_loses_nothing(shop: Shop, users: ManyUsers) -> None:
    passes(shop, users, 1)
    users.is_away = True
    passes(shop, users, 1)
    users.is_away = False
    passes(shop, users, 1)
    assert sum(requests for requests, _ in kept(shop, Span.HOUR)) == 1200


def test_a_budget_that_burns_is_said_when_it_begins_and_when_it_ends(shop: Shop, users: ManyUsers) -> None:
    passes(shop, users, 1)
    passes(shop, users, 10, failing=30)
    said = [text for text in shop.said() if "error budget" in text]
    assert len(said) == 1
    assert said[0].startswith("the error budget burns: ")
    passes(shop, users, 40)
    said = [text for text in shop.said() if "error budget" in text]
    assert said[1:] == ["the error budget does not burn fast any more"]


def test_a_policy_reads_what_is_left_of_the_budget(shop: Shop, users: ManyUsers) -> None:
    passes(shop, users, 2)
    text = VERIFIED.replace(GATE, "gate: {approvals: {count: 1}, policy: error_budget.left > 20.0}")
    run = shop.pushed(text)
    shop.built()
    passes(shop, users, 10, failing=6)
    shop.pass_time(MINUTE)
    budget = look_at_gate(shop.parts, run, "production").evidence.error_budget
    assert budget is not None
    assert budget.requests == 6600
    assert budget.left == pytest.approx(100 * (1 - 60 / 6.6), abs=0.1)
    shop.approved(run)
    assert [one.text for one in shop.run(run).because] == ["the policy does not hold"]
    users.pass_minute(requests=1_000_000)
    TrafficLog(shop.parts).look()
    shop.pass_time(MINUTE)
    shop.settle_until(lambda: shop.serving() == shop.label(run))


def test_the_gate_of_a_canary_says_what_its_shares_can_show_at_this_traffic(shop: Shop, users: ManyUsers) -> None:
    canary = "deploy: {strategy: canary, shares: [10%, 50%, 100%]}"
    run = shop.pushed(VERIFIED.replace("deploy: {strategy: blue-green}\n    verify", f"{canary}\n    verify"))
    shop.built()
    assert look_at_gate(shop.parts, run, "production").foretold == ()
    for _ in range(30):
        passes(shop, users, 1, failing=1)
    (shown,) = look_at_gate(shop.parts, run, "production").foretold
    assert shown.startswith("at ")
    assert "; 50% shows within 30m when" in shown


def test_a_service_that_is_new_within_the_hour_has_the_traffic_that_it_has(shop: Shop, users: ManyUsers) -> None:
    shop.clock.time = shop.clock.time.replace(minute=40)
    canary = "deploy: {strategy: canary, shares: [10%, 50%, 100%]}"
    run = shop.pushed(VERIFIED.replace("deploy: {strategy: blue-green}\n    verify", f"{canary}\n    verify"))
    shop.built()
    passes(shop, users, 10, failing=1)
    shown, *_ = look_at_gate(shop.parts, run, "production").foretold
    assert 600 <= int(shown.removeprefix("at ").partition(" ")[0]) <= 700, shown


def test_a_service_that_uses_its_budget_up_loses_the_right_to_deploy_until_a_person_grants_it_anew(
    shop: Shop, users: ManyUsers
) -> None:
    shop.services.grant_mode(SHOP, Mode.DEPLOYMENT, OWNER, "two good months")
    shop.clock.time += timedelta(hours=1)
    passes(shop, users, 10, failing=0)
    assert service(shop).demoted_because is None
    passes(shop, users, 5, failing=20)
    demoted = "20 of 6,000 requests failed in production: its error budget is used up"
    assert service(shop).demoted_because == demoted
    anew = "an administrator grants the mode anew: tidegate service mode shop deployment --reason …"
    assert [text for text in shop.said() if text.startswith("a person opens")] == [
        f"a person opens the gates again: {demoted}; {anew}"
    ]
    mode = mode_of(replace(service(shop), mode=Mode.DEPLOYMENT, lacks=()))
    assert (mode.mode, mode.because.remedy) == (Mode.DELIVERY, "tidegate service mode shop deployment --reason …")
    shop.services.grant_mode(SHOP, Mode.DEPLOYMENT, OWNER, "it was the network")
    passes(shop, users, 60)
    assert service(shop).demoted_because is None, "what came before the new grant is forgiven"


def test_what_fails_right_after_the_grant_counts_and_what_failed_right_before_does_not(
    shop: Shop, users: ManyUsers
) -> None:
    shop.clock.time = shop.clock.time.replace(minute=10)
    passes(shop, users, 5, failing=20)
    shop.services.grant_mode(SHOP, Mode.DEPLOYMENT, OWNER, "two good months")
    passes(shop, users, 5, failing=0)
    assert service(shop).demoted_because is None
    passes(shop, users, 5, failing=20)
    assert service(shop).demoted_because == "20 of 3,600 requests failed in production: its error budget is used up"


def service(shop: Shop) -> Service:
    with shop.database.reading() as connection:
        found = queries.service(connection, SHOP)
    assert found is not None
    return found


def test_rows_are_not_kept_for_ever(shop: Shop, users: ManyUsers) -> None:
    passes(shop, users, 2)
    shop.clock.time += KEPT_FOR[Span.MINUTE] + MINUTE
    TrafficLog(shop.parts).forget_old()
    assert kept(shop, Span.HOUR) == [(600, 0)]
    with shop.database.reading() as connection:
        assert traffic_queries.since(connection, PRODUCTION, Span.MINUTE, shop.clock.now() - timedelta(days=1)) == ()
    shop.clock.time += KEPT_FOR[Span.HOUR]
    TrafficLog(shop.parts).forget_old()
    assert kept(shop, Span.HOUR) == []


def test_a_budget_that_burns_is_an_incident_and_takes_back_what_is_watched_where_the_file_says_so(
    shop: Shop, users: ManyUsers
) -> None:
    acts = IncidentActs(shop.engine)
    log = TrafficLog(shop.parts, AlertActs(shop.engine, acts, None))
    before = shop.serving()
    run = shop.pushed(VERIFIED.replace("verify: {", "verify: {watch: 2h, alerts: rollback, "))
    shop.built()
    shop.approved(run)
    shop.settle_until(lambda: shop.run(run).status.is_ended)
    for failing in (0, *[300] * 6):
        shop.clock.time += MINUTE
        users.pass_minute(failing=failing)
        log.look()
    shop.settle()
    with shop.database.reading() as connection:
        (found,) = incident_queries.incidents(connection)
    assert found.source is IncidentSource.ALERT and found.reason.startswith("alert error budget: ")
    assert shop.serving() == before
    for _ in range(90):
        shop.clock.time += MINUTE
        users.pass_minute()
        log.look()
    with shop.database.reading() as connection:
        (found,) = incident_queries.incidents(connection)
    assert not found.firing


def busiest(shop: Shop) -> int | None:
    with shop.database.reading() as connection:
        return traffic_queries.busiest_minute(connection, PRODUCTION, shop.clock.now() - A_WEEK)


def test_the_busiest_minute_of_a_week_is_known_though_minutes_are_not_kept_so_long(
    shop: Shop, users: ManyUsers
) -> None:
    assert busiest(shop) is None
    passes(shop, users, 2)
    shop.clock.time += MINUTE
    users.pass_minute(requests=1500)
    TrafficLog(shop.parts).look()
    passes(shop, users, 2)
    assert busiest(shop) == 1500
    shop.clock.time += timedelta(days=6)
    passes(shop, users, 2)
    TrafficLog(shop.parts).forget_old()
    assert busiest(shop) == 1500
    shop.clock.time += timedelta(days=2)
    assert busiest(shop) == 600


def test_an_hour_from_before_minutes_were_counted_counts_as_if_its_requests_had_come_evenly(shop: Shop) -> None:
    with shop.database.writing() as connection:
        rows.put(connection, Traffic(PRODUCTION, Span.HOUR, shop.clock.now() - timedelta(hours=3), 601, 0))
    assert busiest(shop) == 11


def test_what_a_load_check_asked_is_nobodys_traffic(shop: Shop, users: ManyUsers) -> None:
    passes(shop, users, 1)
    passes(shop, users, 1)
    loads(shop, load_due_at=shop.clock.now() + MINUTE / 2)
    passes(shop, users, 2)
    assert kept(shop, Span.MINUTE) == [(600, 0)]
    loads(shop, load=LoadReport((), shop.clock.now(), shop.clock.now() + MINUTE / 2))
    passes(shop, users, 3)
    assert kept(shop, Span.MINUTE) == [(600, 0)] * 3, "what came with the end of it is left out, too"


def loads(shop: Shop, **changes: object) -> None:
    """A load check is made of what serves."""
    with shop.database.writing() as connection:
        placement = queries.placement(connection, PRODUCTION)
        rollout = queries.rollout(connection, placement.rollout) if placement else None
        assert rollout is not None
        rows.put(connection, replace(rollout, passed_at=None, decided_at=None, **changes))  # type: ignore[arg-type]
