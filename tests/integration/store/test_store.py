"""What the engine relies on the store for, on every database."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta
from itertools import count

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text, update

from tidegate.model.channel import NotificationCursor
from tidegate.model.decision import Decision, WantedEffect
from tidegate.model.effect import Drain, Effect, EffectState, Install, SetShares
from tidegate.model.event import Event, EventKind
from tidegate.model.figures import Snapshot
from tidegate.model.freeze_turns import BegunFreeze
from tidegate.model.ids import DeploymentId, EnvironmentName, Generation, StageName
from tidegate.model.installation import Endpoint, Route, Routing
from tidegate.model.record_line import ChainCheck
from tidegate.model.run import Run, RunStatus, StageRun, StageState
from tidegate.model.service import Service
from tidegate.model.share import WHOLE
from tidegate.store import events, notification_queries, queries, rows, tables
from tidegate.store.database import Database, StoreUnavailable
from tidegate.store.migrate import migrate
from tidegate.store.saving import save

from .values import (
    ALICE,
    HERE,
    NOW,
    SHOP,
    a_deployment,
    a_freeze,
    a_placement,
    a_question,
    a_release,
    a_rollout,
    a_run,
    some_counters,
)


@pytest.mark.parametrize(
    "value",
    [
        Service(SHOP, "/repositories/shop", NOW, paused_because="lunch"),
        a_run(),
        replace(a_run(), pipeline=None, held_by="alice"),
        StageRun(a_run().id, StageName("production"), 0, EnvironmentName("production")),
        a_deployment(),
        a_placement(),
        a_rollout(),
        a_release(),
        a_freeze(),
        a_question(),
        BegunFreeze("production.1.1", NOW),
        NotificationCursor("leads", 2**40, NOW, "Slack answered with status 404", "01t", NOW),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_put_comes_back_equal(database: Database, value: object) -> None:
    with database.writing() as connection:
        rows.put(connection, value)
        rows.put(connection, value)
    with database.reading() as connection:
        assert rows.every(connection, type(value)) == (value,)


def test_channels_that_are_there_no_more_are_forgotten(database: Database) -> None:
    with database.writing() as connection:
        for name in ("leads", "gone"):
            rows.put(connection, NotificationCursor(name, 1))
        notification_queries.forget_but(connection, {"leads", "new"})
        assert notification_queries.cursors(connection) == (NotificationCursor("leads", 1),)
        notification_queries.forget_but(connection, ())
        assert notification_queries.cursors(connection) == ()


def test_a_row_that_is_as_it_was_is_the_same_value_again_and_a_changed_one_is_read_anew(database: Database) -> None:
    first, other = a_run(1), a_run(2)
    with database.writing() as connection:
        rows.put(connection, first)
        rows.put(connection, other)
        before = rows.every(connection, Run)
        changed = replace(first, held_by="alice")
        rows.put(connection, changed)
        after = rows.every(connection, Run)
    assert before == (first, other)
    assert after == (changed, other)
    assert after[1] is before[1]


def test_the_migrations_make_exactly_the_tables_of_the_code(database: Database) -> None:
    with database.reading() as connection:
        assert compare_metadata(MigrationContext.configure(connection), tables.metadata) == []


def test_a_database_of_a_newer_version_is_refused_with_the_remedy(database: Database) -> None:
    with database.writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreUnavailable, match="newer version"):
        migrate(database)


def test_what_failed_in_the_middle_leaves_nothing(database: Database) -> None:
    with pytest.raises(RuntimeError), database.writing() as connection:
        rows.put(connection, a_run())
        raise RuntimeError
    with database.reading() as connection:
        assert queries.run(connection, a_run().id) is None


def test_two_writers_of_a_service_come_one_after_the_other(database: Database) -> None:
    with database.writing() as connection:
        rows.put(connection, a_placement(0))
    rounds = 20

    def _raise_generation() -> None:
        for _ in range(rounds):
            with database.writing() as connection:
                database.lock_service(connection, SHOP)
                known = queries.placement(connection, HERE)
                assert known is not None
                rows.put(connection, replace(known, generation=Generation(known.generation + 1)))

    threads = [threading.Thread(target=_raise_generation) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    with database.reading() as connection:
        found = queries.placement(connection, HERE)
    assert found is not None
    assert found.generation == 3 * rounds


def _effects_of(database: Database) -> dict[str, Effect]:
    with database.reading() as connection:
        return {one.key: one for one in rows.every(connection, Effect)}


def _wanted(generation: int, *, again: bool = False) -> WantedEffect:
    return WantedEffect(HERE, Generation(generation), Install(DeploymentId("production-v1"), 2), NOW, again)


def test_an_effect_that_is_asked_for_twice_is_one(database: Database) -> None:
    ids = count()
    with database.writing() as connection:
        for _ in range(2):
            save(connection, Decision(effects=(_wanted(1),)), NOW, lambda: str(next(ids)))
    assert len(_effects_of(database)) == 1


def test_an_effect_that_is_asked_for_again_is_performed_again(database: Database) -> None:
    with database.writing() as connection:
        save(connection, Decision(effects=(_wanted(1),)), NOW, lambda: "e1")
        rows.put(connection, replace(next(iter(rows.every(connection, Effect))), state=EffectState.DONE, token=3))
        save(connection, Decision(effects=(_wanted(1, again=True),)), NOW, lambda: "e2")
    (effect,) = _effects_of(database).values()
    assert (effect.id, effect.state, effect.token) == ("e1", EffectState.PENDING, 3)


def test_a_newer_generation_cancels_effects_that_have_not_begun(database: Database) -> None:
    with database.writing() as connection:
        save(connection, Decision(changes=(a_placement(1),), effects=(_wanted(1),)), NOW, lambda: "e1")
        save(connection, Decision(changes=(a_placement(2),)), NOW, lambda: "e2")
    assert [one.state for one in _effects_of(database).values()] == [EffectState.CANCELLED]


def test_every_kind_of_act_comes_back_as_what_it_was(database: Database) -> None:
    endpoint = Endpoint("127.0.0.1", 20001)
    acts = (
        Install(DeploymentId("d"), 1),
        SetShares(Routing(HERE, 18000, (Route(DeploymentId("d"), WHOLE, (endpoint,)),))),
        Drain(DeploymentId("d"), (endpoint,)),
    )
    ids = count()
    wanted = tuple(WantedEffect(HERE, Generation(1), act, NOW) for act in acts)
    with database.writing() as connection:
        save(connection, Decision(effects=wanted), NOW, lambda: str(next(ids)))
    assert {one.act for one in _effects_of(database).values()} == set(acts)


def test_a_leased_effect_is_due_again_only_after_its_lease(database: Database) -> None:
    with database.writing() as connection:
        save(connection, Decision(effects=(_wanted(1),)), NOW, lambda: "e1")
        leased = replace(next(iter(rows.every(connection, Effect))), leased_until=NOW + timedelta(seconds=5))
        rows.put(connection, leased)
    with database.reading() as connection:
        assert queries.due_effects(connection, NOW + timedelta(seconds=4)) == ()
        assert len(queries.due_effects(connection, NOW + timedelta(seconds=5))) == 1


def test_a_newer_run_at_the_same_gate_is_found(database: Database) -> None:
    with database.writing() as connection:
        for number in (1, 2, 3):
            rows.put(connection, a_run(number))
            state = StageState.GATE if number < 3 else StageState.PENDING
            rows.put(
                connection,
                StageRun(a_run(number).id, StageName("production"), 0, EnvironmentName("production"), state),
            )
    with database.reading() as connection:
        stage = queries.stages(connection, a_run(1).id)[0]
        assert "run0002" in (queries.newer_waiting(connection, a_run(1), stage) or "")
        assert queries.newer_waiting(connection, a_run(2), stage) is None


def test_a_rollback_returns_to_the_last_proven_deployment_that_is_not_quarantined(database: Database) -> None:
    hours = [NOW + timedelta(hours=number) for number in range(4)]
    with database.writing() as connection:
        rows.put(connection, replace(a_deployment("v1"), proven_at=hours[1]))
        rows.put(connection, replace(a_deployment("v2"), proven_at=hours[2]))
        rows.put(connection, replace(a_deployment("v3"), proven_at=hours[3], quarantined_at=hours[3]))
        rows.put(connection, a_deployment("v4"))
    with database.reading() as connection:
        good = queries.last_good(connection, HERE, a_deployment("v4").id)
        before = queries.last_good(connection, HERE, a_deployment("v2").id)
    assert (good and good.id, before and before.id) == (a_deployment("v2").id, a_deployment("v1").id)


def test_snapshots_come_back_in_order_with_their_step(database: Database) -> None:
    taken = Snapshot(NOW, Generation(4), {DeploymentId("d"): some_counters()})
    later = replace(taken, at=NOW + timedelta(seconds=2))
    with database.writing() as connection:
        queries.add_snapshot(connection, a_rollout().id, 0, taken)
        queries.add_snapshot(connection, a_rollout().id, 1, later)
    with database.reading() as connection:
        assert queries.snapshots(connection, a_rollout().id) == ((0, taken), (1, later))


def test_the_record_is_a_whole_chain_until_a_line_is_changed(database: Database) -> None:
    said = [
        Event(EventKind.RUN_CREATED, f"run {number}", {"run": "r"}, ALICE, {"x": number / 3}) for number in range(5)
    ]
    with database.writing() as connection:
        events.append(connection, said[:2], NOW)
        events.append(connection, said[2:], NOW + timedelta(microseconds=1))
    with database.reading() as connection:
        assert events.check_chain(connection) == ChainCheck(True, 5, None)
        assert [one.event for one in events.of_run(connection, "r")] == said
    with database.writing() as connection:
        connection.execute(update(tables.event).where(tables.event.c.id == 3).values(text="nothing happened"))
    with database.reading() as connection:
        assert events.check_chain(connection).first_bad == 3


@pytest.mark.parametrize("removed", [1, 3, 4])
def test_a_removed_line_is_found(database: Database, removed: int) -> None:
    with database.writing() as connection:
        events.append(connection, [Event(EventKind.RUN_CREATED, "x", {})] * 5, NOW)
        connection.execute(tables.event.delete().where(tables.event.c.id == removed))
    with database.reading() as connection:
        assert events.check_chain(connection).first_bad == removed + 1


def test_only_open_runs_are_swept(database: Database) -> None:
    ended: Run = replace(a_run(2), status=RunStatus.FAILED, ended_at=NOW)
    with database.writing() as connection:
        rows.put(connection, a_run(1))
        rows.put(connection, ended)
    with database.reading() as connection:
        assert [run.id for run in queries.open_runs(connection)] == [a_run(1).id]
