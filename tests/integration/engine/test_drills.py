"""Drills on a real database: a release comes and goes, is checked, and gates read how long ago that was."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from tests.integration.engine.shop import OWNER, PLAIN, PRODUCTION, SHOP, STAGING, Shop
from tests.integration.engine.test_incidents import Incidents

from tidegate.engine import drill_looks
from tidegate.engine.drills import SCHEDULED, DrillActs
from tidegate.engine.incidents import IncidentActs
from tidegate.engine.refusal import Refusal
from tidegate.model.drill import AT_MOST, Drill, DrillState
from tidegate.model.environment import DEFAULT_ENVIRONMENTS
from tidegate.model.ids import EnvironmentName
from tidegate.model.recurrence import Recurrence
from tidegate.model.run import RunStatus, Trigger
from tidegate.model.train import Train
from tidegate.store import drill_queries, queries

DAY = timedelta(days=1)
STAGE = EnvironmentName("staging")
DRILLED = PLAIN.replace(
    "    gate: {approvals: {count: 1}}\n",
    '    gate: {approvals: {count: 1}, policy: \'drill.environment == "staging" && drill.age < duration("336h")\'}\n',
)


class Drills:
    """Drills of a shop with two releases."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.acts = DrillActs(shop.engine)

    def begin(self, environment: str = "staging", **how: bool) -> Drill:
        begun = self.acts.begin("shop", environment, OWNER, **how)
        self.shop.settle()
        return self.of(begun.run)

    def of(self, run: str) -> Drill:
        with self.shop.database.reading() as connection:
            found = drill_queries.drill(connection, run)
        assert found is not None
        return found


@pytest.fixture
def drills(shop: Shop) -> Drills:
    shop.deployed()
    shop.deployed()
    return Drills(shop)


def test_the_release_before_comes_and_goes_and_what_served_serves_whole(shop: Shop, drills: Drills) -> None:
    before = shop.serving(STAGING)
    drill = drills.begin()
    assert drill.state is DrillState.PASSED, drill.went_wrong
    assert drill.good_commit.startswith(before or "?") and not drill.commit.startswith(before or "?")
    assert shop.serving(STAGING) == before and drill.seconds is not None and drill.whole_seconds is not None
    run = shop.run(drill.run)
    assert (run.status, run.trigger) == (RunStatus.CANCELLED, Trigger.DRILL)
    assert not Incidents(shop).all()
    kinds = [row["kind"] for row in shop.rows()["event"]]
    assert "drill.ended" in kinds and "deployment.quarantined" not in kinds and "line.stopped" not in kinds


def test_a_release_that_was_practised_with_may_still_come_by_itself(shop: Shop, drills: Drills) -> None:
    with shop.database.writing() as connection:
        connection.execute(text("UPDATE service SET paused_because = 'a pause'"))
    run = shop.pushed()
    shop.built()
    with shop.database.writing() as connection:
        connection.execute(text("UPDATE service SET paused_because = NULL"))
    drill = drills.begin()
    assert drill.release == shop.run(run).release and drill.state is DrillState.PASSED
    shop.engine.sweep()
    shop.settle()
    assert shop.serving(STAGING) == shop.label(run)


def test_a_drill_is_refused_where_it_would_do_harm(shop: Shop, drills: Drills) -> None:
    refused = shop.refuses(lambda: drills.acts.begin("shop", "production", OWNER), Refusal.REFUSED)
    assert refused.remedy == "tidegate drill rollback shop --env production --yes-production"
    shop.refuses(lambda: drills.acts.begin("shop", "dev", OWNER), Refusal.CONFLICT)
    shop.refuses(lambda: drills.acts.begin("shop", "nowhere", OWNER), Refusal.NOT_FOUND)
    shop.refuses(lambda: drills.acts.begin("mail", "staging", OWNER), Refusal.NOT_FOUND)
    incident = IncidentActs(shop.engine).open("shop", "staging", "slow", OWNER)
    refused = shop.refuses(lambda: drills.acts.begin("shop", "staging", OWNER), Refusal.CONFLICT)
    assert refused.remedy == f"tidegate incident show {incident.id}"
    IncidentActs(shop.engine).close(incident.id, "", OWNER)
    begun = drills.acts.begin("shop", "staging", OWNER)
    refused = shop.refuses(lambda: drills.acts.begin("shop", "staging", OWNER), Refusal.CONFLICT)
    assert refused.remedy == f"tidegate watch {begun.run}"


def test_with_one_release_only_there_is_nothing_to_practise_with(shop: Shop) -> None:
    shop.deployed()
    refused = shop.refuses(lambda: DrillActs(shop.engine).begin("shop", "staging", OWNER), Refusal.CONFLICT)
    assert "no other release" in str(refused)


def test_in_production_its_gate_is_asked_and_it_is_given_up_when_nobody_answers(shop: Shop, drills: Drills) -> None:
    before = shop.serving(PRODUCTION)
    drill = drills.begin("production", in_protected=True)
    assert drill.state is DrillState.GOES_ON and shop.run(drill.run).status is RunStatus.WAITING
    shop.pass_time(AT_MOST)
    shop.settle()
    over = drills.of(drill.run)
    assert over.state is DrillState.FAILED and "nothing was deployed: cancelled by a drill that" in over.went_wrong[0]
    again = drills.begin("production", in_protected=True)
    shop.approved(again.run)
    assert drills.of(again.run).state is DrillState.PASSED
    assert shop.serving(PRODUCTION) == before


def test_an_incident_that_begins_while_it_waits_at_its_gate_keeps_it_waiting(shop: Shop, drills: Drills) -> None:
    drill = drills.begin("production", in_protected=True)
    incident = IncidentActs(shop.engine).open("shop", "production", "slow", OWNER)
    shop.approved(drill.run)
    assert drills.of(drill.run).state is DrillState.GOES_ON
    (why,) = [one.text for one in shop.run(drill.run).because if one.rule == "incident"]
    assert why == "an incident is open in production, and nobody practises there: slow"
    IncidentActs(shop.engine).close(incident.id, "", OWNER)
    shop.settle()
    assert drills.of(drill.run).state is DrillState.PASSED


def test_what_only_comes_and_goes_travels_with_no_train(shop: Shop, drills: Drills) -> None:
    shop.restart(trains={"payments": Train("payments", (SHOP,), EnvironmentName("production"))})
    drill = DrillActs(shop.engine).begin("shop", "production", OWNER, in_protected=True)
    shop.settle()
    shop.approved(drill.run)
    assert drills.of(drill.run).state is DrillState.PASSED


def test_a_server_that_dies_in_the_middle_ends_the_drill_when_it_is_back(shop: Shop, drills: Drills) -> None:
    begun = drills.acts.begin("shop", "staging", OWNER)
    shop.restart()
    shop.settle()
    assert drills.of(begun.run).state is DrillState.PASSED


def test_without_a_drill_in_the_last_fourteen_days_nothing_goes_to_production(shop: Shop) -> None:
    first = shop.added(DRILLED)
    shop.built()
    shop.approved(first)
    assert shop.run(first).status is RunStatus.WAITING
    assert any("no drill of it went well yet" in reason.text for reason in shop.run(first).because)
    second = shop.pushed()
    shop.built()
    drills = Drills(shop)
    assert drills.begin().state is DrillState.PASSED
    shop.approved(second)
    assert shop.run(second).status is RunStatus.SUCCEEDED
    shop.pass_time(14 * DAY)
    third = shop.pushed()
    shop.built()
    shop.approved(third)
    assert shop.run(third).status is RunStatus.WAITING
    assert drills.begin().state is DrillState.PASSED
    shop.engine.sweep()
    shop.settle()
    assert shop.run(third).status is RunStatus.SUCCEEDED


def test_an_environments_drills_begin_by_themselves(shop: Shop, drills: Drills) -> None:
    drilled = replace(DEFAULT_ENVIRONMENTS[STAGE], drills=Recurrence(every=7 * DAY))
    shop.restart(environments={**DEFAULT_ENVIRONMENTS, STAGE: drilled})
    acts = DrillActs(shop.engine)
    for _ in range(3):
        acts.begin_due()
        shop.settle()
    shop.pass_time(7 * DAY)
    acts.begin_due()
    shop.settle()
    with shop.database.reading() as connection:
        found = drill_queries.drills(connection)
        assert queries.rollout(connection, found[0].rollout)
    assert [(one.state, one.by) for one in found] == [(DrillState.PASSED, SCHEDULED)] * 2


def test_a_drill_that_ends_during_a_look_is_asked_about_before_anything_is_said(
    shop: Shop, drills: Drills, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = drills.acts.begin("shop", "staging", OWNER)
    known, looks = drill_looks._known, list[object]()

    def _late(*asked: Any) -> Any:
        """Between the first reading and the second the drill comes to its end."""
        found = known(*asked)
        if not looks:
            looks.append(found)
            shop.engine.look(f"run:{begun.run}")
            for _ in range(20):
                shop.engine.look(f"placement:{STAGING}")
        return found

    monkeypatch.setattr(drill_looks, "_known", _late)
    look = drill_looks.look_at_drill(shop.parts, begun.run)
    assert looks and look.again_at == shop.clock.now() and drills.of(begun.run).state is DrillState.GOES_ON
    shop.settle()
    assert drills.of(begun.run).state is DrillState.PASSED
