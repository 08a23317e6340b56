"""What gates ask about the pace of services, on either database."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from tidegate.model.cadence import Collected
from tidegate.model.gate import GateDecision, GateState
from tidegate.model.ids import EnvironmentName, ReleaseId, ServiceName, StageName
from tidegate.model.reason import Reason
from tidegate.model.requires import Serving
from tidegate.model.run import RunStatus, StageRun, StageState
from tidegate.model.service import Service
from tidegate.model.train import Member, TrainRun, TrainRunId, TrainState
from tidegate.store import cadence_queries, gate_queries, rows, train_queries
from tidegate.store.database import Database

from .values import ALICE, NOW, SHOP, a_deployment, a_placement, a_release, a_run

PRODUCTION = EnvironmentName("production")
MINUTE = timedelta(minutes=1)


def test_a_train_keeps_all_that_it_knows_and_has_one_open_passage(database: Database) -> None:
    member = Member(SHOP, a_run().id, ReleaseId("v1"), "00000001", StageName("production"))
    after = {SHOP: (ServiceName("ledger"),)}
    ended = TrainRun(TrainRunId("1"), "payments", PRODUCTION, TrainState.ARRIVED, NOW, NOW + MINUTE)
    moving = replace(ended, id=TrainRunId("2"), state=TrainState.MOVING, members=(member,), after=after)
    moving = replace(moving, depart_asked_by=ALICE, departed_at=NOW)
    with database.writing() as connection:
        rows.put(connection, ended)
        rows.put(connection, moving)
    with database.reading() as connection:
        assert train_queries.open_passage(connection, "payments") == moving
        assert train_queries.open_passages(connection) == (moving,)
        assert train_queries.last_ended(connection, "payments") == ended
        assert train_queries.passages(connection, "payments") == (moving, ended)
        assert train_queries.open_passage(connection, "others") is None


def test_those_that_wait_and_those_whose_place_was_taken_are_a_batch(database: Database) -> None:
    states = (StageState.PASSED, StageState.SUPERSEDED, StageState.GATE, StageState.REJECTED)
    placement = replace(a_placement(), highest_order=1)
    waits = GateDecision(GateState.WAITING, (Reason("requires", "catalog serves 1.3; >=1.4 is required"),))
    with database.writing() as connection:
        for number, state in enumerate(states, start=1):
            run = replace(a_run(number), status=RunStatus.WAITING)
            stage = StageRun(run.id, StageName("production"), 0, PRODUCTION, state, began_at=NOW + number * MINUTE)
            rows.put(connection, run)
            rows.put(connection, replace(stage, gate=waits if state is StageState.GATE else None))
    with database.reading() as connection:
        assert cadence_queries.collected(connection, placement, 3) == Collected(2, NOW + 2 * MINUTE)
        assert cadence_queries.collected(connection, placement, 5) == Collected(3, NOW + 2 * MINUTE), (
            "it comes just now"
        )
        assert cadence_queries.run_ids_that_require(connection) == (a_run(3).id,)
        assert [run.id for run, _ in train_queries.at_gates(connection, PRODUCTION)] == [a_run(3).id]
        brought = gate_queries.changes_between(connection, SHOP, 1, 3)
    assert brought == (a_run(3).change, a_run(2).change)


def test_what_serves_is_told_with_its_version_and_whether_it_passed(database: Database) -> None:
    release = replace(a_release(), change=replace(a_release().change, version="1.4.2"))
    with database.writing() as connection:
        assert cadence_queries.serving(connection, SHOP, PRODUCTION) == Serving()
        rows.put(connection, Service(SHOP, "/srv/shop", NOW, requires=(ServiceName("catalog"),)))
        assert cadence_queries.serving(connection, SHOP, PRODUCTION) == Serving(is_known=True)
        rows.put(connection, a_placement())
        rows.put(connection, release)
        rows.put(connection, a_deployment())
        found = cadence_queries.serving(connection, SHOP, PRODUCTION)
        assert found == Serving(True, "aaaaaaaa", "1.4.2", passed=False)
        rows.put(connection, replace(a_deployment(), proven_at=NOW))
        assert cadence_queries.serving(connection, SHOP, PRODUCTION).passed
        assert cadence_queries.required_by(connection) == {SHOP: ("catalog",)}
        assert cadence_queries.order_before(connection, a_placement(), replace(release, id=ReleaseId("v2"))) == 1
