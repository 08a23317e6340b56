"""Alerts on a real database: an incident each, and the rollout or the watched deployment goes back or is held."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from tests.integration.engine.shop import OWNER, PLAIN, PRODUCTION, Shop
from tests.integration.engine.test_incidents import Incidents

from tidegate.engine.alerts import AlertActs, NoAlerts, TakenAlert
from tidegate.model.alert import Alert, AlertOutcome, ReceivedAlert
from tidegate.model.incident import HEALTHY_FOR, IncidentSource
from tidegate.model.run import RunStatus

MINUTE = timedelta(minutes=1)
Take = Callable[..., TakenAlert]


def watched(alerts: str) -> str:
    gate = "    gate: {approvals: {count: 1}}\n"
    return PLAIN.replace(gate, gate + f"    verify: {{watch: 1h, alerts: {alerts}}}\n")


@pytest.fixture
def incidents(shop: Shop) -> Incidents:
    return Incidents(shop)


@pytest.fixture
def take(shop: Shop, incidents: Incidents) -> Take:
    """An alert comes in."""
    acts = AlertActs(shop.engine, incidents.acts, lambda: "token")
    fires = Alert("f1", "HighErrors", "5% of requests fail", shop.clock.now() + timedelta(hours=1))

    def _take(service: str | None = "shop", environment: str | None = "production", **changes: object) -> TakenAlert:
        alert = replace(fires, **{"since": max(fires.since, shop.clock.now()), **changes})  # type: ignore[arg-type]
        (taken,) = acts.take([ReceivedAlert(alert, service, environment)])
        shop.settle()
        return taken

    return _take


def _promoted(shop: Shop, text: str) -> str:
    """A first release, and a second that passed and is watched; the run of that."""
    for run in (shop.added(text), None):
        last = run or shop.pushed()
        shop.built()
        shop.approved(last)
        shop.settle_over(4)
        assert shop.run(last).status is RunStatus.SUCCEEDED
    return last


def test_an_alert_takes_back_what_is_watched_where_the_file_says_so(
    shop: Shop, incidents: Incidents, take: Take
) -> None:
    _promoted(shop, watched("rollback"))
    before = shop.serving(PRODUCTION)
    taken = take()
    assert taken.outcome is AlertOutcome.OPENED
    assert shop.serving(PRODUCTION) != before
    found = incidents.one()
    assert (found.id, found.source, found.reason) == (
        taken.incident,
        IncidentSource.ALERT,
        "alert HighErrors: 5% of requests fail",
    )


def test_one_that_is_only_noted_counts_once_and_is_over_after_it_has_resolved(
    shop: Shop, incidents: Incidents, take: Take
) -> None:
    _promoted(shop, watched("note"))
    before = shop.serving(PRODUCTION)
    since = shop.clock.now()
    assert [take(since=since).outcome for _ in range(2)] == [AlertOutcome.OPENED, AlertOutcome.KNOWN]
    assert take(fingerprint="f2", since=since).outcome is AlertOutcome.ADDED
    incidents.rest(2 * HEALTHY_FOR)
    assert incidents.one().is_open and shop.serving(PRODUCTION) == before
    for fingerprint in ("f1", "f2", "f2"):
        take(fingerprint=fingerprint, since=since, resolved_at=shop.clock.now())
    incidents.rest(HEALTHY_FOR + MINUTE)
    assert not incidents.one().is_open
    assert take(since=since).outcome is AlertOutcome.KNOWN, "a late repetition opens nothing"
    assert take().outcome is AlertOutcome.OPENED, "it fires anew"


def test_a_rollout_is_held_until_a_person_says_so(shop: Shop, incidents: Incidents, take: Take) -> None:
    _promoted(shop, watched("hold"))
    run = shop.pushed()
    shop.built()
    shop.approved(run)
    take()
    assert shop.run(run).held_by == "alert HighErrors"
    shop.settle_over(5)
    assert shop.run(run).status is RunStatus.RUNNING
    shop.runs.resume(run, OWNER)
    shop.settle_over(3)
    assert shop.run(run).status is RunStatus.SUCCEEDED and incidents.one().is_open


def test_what_an_alert_is_about_must_be_known(shop: Shop, incidents: Incidents, take: Take) -> None:
    shop.deployed()
    because = [take(*place).because for place in ((None, "production"), ("mail", "production"), ("shop", "nowhere"))]
    assert because == [
        'it has no label "service"',
        "there is no service called 'mail'",
        "nothing of shop was ever deployed to 'nowhere'",
    ]
    assert not incidents.all()


def test_without_a_token_nobody_sends(shop: Shop, incidents: Incidents) -> None:
    acts = AlertActs(shop.engine, incidents.acts, lambda: "right")
    assert acts.is_sender("right") and not acts.is_sender("wrong") and not acts.is_sender("")
    with pytest.raises(NoAlerts):
        AlertActs(shop.engine, incidents.acts, None).is_sender("")
