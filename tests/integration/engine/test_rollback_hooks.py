"""What a stage asks for after a rollback, on a real database: it runs once all of the traffic is back."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from tests.integration.engine.shop import BATCH, OWNER, PLAIN, PRODUCTION, Shop
from tests.integration.engine.test_incidents import Incidents

from tidegate.engine.drills import DrillActs
from tidegate.engine.loading import load_placement
from tidegate.engine.rollback_hooks import begin_after_rollback
from tidegate.model.channel import Topic
from tidegate.model.decision import Decision
from tidegate.model.event import EventKind
from tidegate.model.ids import IncidentId, RunId
from tidegate.model.lease import Lease, StepOutcome
from tidegate.model.notification import topic_of
from tidegate.model.run import Run, RunStatus, Trigger
from tidegate.model.verdict import Verdict
from tidegate.store import events, gate_queries, queries

HOOKED = PLAIN.replace(
    """    gate: {approvals: {count: 1}}
    deploy: {strategy: blue-green}
""",
    """    gate: {approvals: {count: 1}}
    deploy:
      strategy: blue-green
      hooks:
        after_rollback:
          - {name: clear caches, run: ./clear.sh}
          - {name: report, run: ./report.sh, needs: [clear caches]}
    verify: {at_most: 10m, watch: 1h}
""",
)


def hooks(shop: Shop) -> list[Run]:
    """The runs that a rollback began, oldest first."""
    with shop.database.reading() as connection:
        ids = [row["id"] for row in shop.rows()["run"] if row["trigger"] == Trigger.AFTER_ROLLBACK]
        return [run for one in sorted(ids) if (run := queries.run(connection, RunId(one)))]


def is_verified(shop: Shop, text: str = HOOKED) -> str:
    """A first release serves in production, and a second one is verified there; the second one's run."""
    shop.judge.verdict = Verdict.PASS
    first = shop.added(text)
    shop.built()
    shop.approved(first)
    shop.settle_until(lambda: shop.run(first).status is RunStatus.SUCCEEDED)
    shop.judge.verdict = Verdict.UNDECIDED
    second = shop.pushed(text)
    shop.built()
    shop.approved(second)
    shop.settle_over(2)
    assert shop.run(second).status is RunStatus.RUNNING and not hooks(shop)
    return second


def is_found_bad(shop: Shop, text: str = HOOKED) -> str:
    run = is_verified(shop, text)
    shop.judge.verdict = Verdict.FAIL
    shop.settle_until(lambda: shop.run(run).status is RunStatus.ROLLED_BACK)
    return run


def only(leases: tuple[Lease, ...]) -> Lease:
    (lease,) = leases
    return lease


def test_it_runs_step_by_step_when_the_traffic_is_back_and_is_told_what_happened(shop: Shop) -> None:
    bad = is_found_bad(shop)
    good = shop.serving()
    first = only(shop.leased())
    assert (first.step.name, first.commit) == ("clear caches", shop.run(bad).change.commit)
    told = first.env
    assert told["TIDEGATE_RELEASE"] == shop.run(bad).release
    assert told["TIDEGATE_SERVING_COMMIT"].startswith(good or "?") and told["TIDEGATE_SERVING_RELEASE"]
    assert told["TIDEGATE_ROLLBACK_CAUSE"] and told["TIDEGATE_ROLLOUT"].startswith(bad)
    assert told["TIDEGATE_ENVIRONMENT"] == "production" and told["TIDEGATE_URL"]
    assert shop.reports(first)
    assert shop.reports(only(shop.leased()))
    (run,) = hooks(shop)
    assert run.status is RunStatus.SUCCEEDED and shop.serving() == good
    assert run.subject == f"After the rollback of: {run.change.subject}"
    with shop.database.reading() as connection:
        ended = events.newest(connection, EventKind.RUN_ENDED, "shop", 1)[0].event
    assert ended.about["run"] == run.id and topic_of(ended) is None, "no release arrived"
    shop.settle_over(5)
    assert len(hooks(shop)) == 1 and not shop.leased()


def test_its_failure_is_told_and_blocks_and_undoes_nothing(shop: Shop) -> None:
    is_found_bad(shop)
    good, known = shop.serving(), len(Incidents(shop).all())
    shop.reports(only(shop.leased()), StepOutcome.FAILED, "exit status 1")
    (run,) = hooks(shop)
    assert run.status is RunStatus.FAILED and shop.serving() == good and len(Incidents(shop).all()) == known
    with shop.database.reading() as connection:
        ended = events.newest(connection, EventKind.RUN_ENDED, "shop", 1)[0].event
    assert ended.about["run"] == run.id and topic_of(ended) is Topic.RUN_FAILED
    assert "asks for after a rollback failed: after the rollback: step clear caches failed" in ended.text
    shop.judge.verdict = Verdict.PASS
    following = shop.pushed()
    shop.built()
    shop.approved(following)
    shop.settle_until(lambda: shop.run(following).status is RunStatus.SUCCEEDED)


def test_a_person_can_have_it_run_again_without_any_gate(shop: Shop) -> None:
    is_found_bad(shop)
    shop.reports(only(shop.leased()), StepOutcome.FAILED, "exit status 1")
    (failed,) = hooks(shop)
    shop.runs.retry(failed.id, OWNER)
    shop.settle()
    shop.built()
    assert [one.status for one in hooks(shop)] == [RunStatus.SUCCEEDED]


def test_the_next_release_does_not_wait_for_it(shop: Shop) -> None:
    is_found_bad(shop)
    shop.judge.verdict = Verdict.PASS
    following = shop.pushed()
    assert hooks(shop)[0].status is RunStatus.RUNNING
    shop.built()
    shop.approved(following)
    shop.settle_until(lambda: shop.run(following).status is RunStatus.SUCCEEDED)


def test_it_comes_to_be_with_the_end_of_the_rollback_so_a_server_that_ends_then_loses_nothing(shop: Shop) -> None:
    run = is_verified(shop)
    shop.judge.verdict = Verdict.FAIL
    for _ in range(40):
        shop.pass_time(timedelta(seconds=1))
        shop.restart()
        with shop.database.reading() as connection:
            over = any(one.was_taken_back for one in queries.rollouts_of_placement(connection, PRODUCTION))
        assert len(hooks(shop)) == int(over)
    assert shop.run(run).status is RunStatus.ROLLED_BACK
    shop.built()
    assert [one.status for one in hooks(shop)] == [RunStatus.SUCCEEDED]


def test_a_rollback_that_was_over_already_begins_nothing_more(shop: Shop) -> None:
    is_found_bad(shop)
    with shop.database.writing() as connection:
        rollout = queries.rollouts_of_placement(connection, PRODUCTION)[0]
        state = load_placement(connection, PRODUCTION, shop.parts.environments, BATCH, IncidentId("unused"))
        again = replace(state, rollout=rollout)
        assert begin_after_rollback(connection, shop.parts, again, Decision(changes=(rollout,))) == ()
    assert len(hooks(shop)) == 1


def test_it_runs_after_a_person_took_back_what_served_at_rest(shop: Shop) -> None:
    text = HOOKED.replace(", watch: 1h", "")
    runs: list[str] = []
    shop.judge.verdict = Verdict.PASS
    for _ in range(2):
        runs.append(shop.pushed() if runs else shop.added(text))
        shop.built()
        shop.approved(runs[-1])
        shop.settle_until(lambda: shop.run(runs[-1]).status is RunStatus.SUCCEEDED)
    shop.placements.roll_back("shop", "production", OWNER)
    shop.settle_over(3)
    lease = only(shop.leased())
    assert lease.env["TIDEGATE_RELEASE"] == shop.run(runs[1]).release
    assert lease.env["TIDEGATE_SERVING_RELEASE"] == shop.run(runs[0]).release


def test_what_ran_after_a_rollback_proves_nothing_about_the_release(shop: Shop) -> None:
    bad = is_found_bad(shop)
    shop.built()
    with shop.database.reading() as connection:
        release = queries.release(connection, str(shop.run(bad).release))
        assert release is not None
        assert gate_queries.passed_in(connection, release) == {"staging"}


def test_a_stage_that_asks_for_nothing_gets_nothing(shop: Shop) -> None:
    hooks_of_it = HOOKED[HOOKED.index("      hooks:") : HOOKED.index("    verify:")]
    is_found_bad(shop, HOOKED.replace(hooks_of_it, ""))
    assert not hooks(shop) and not shop.leased()


def test_nothing_runs_after_a_drill(shop: Shop) -> None:
    shop.judge.verdict = Verdict.PASS
    for text in (HOOKED.replace(", watch: 1h", ""), None):
        run = shop.pushed(text) if text is None else shop.added(text)
        shop.built()
        shop.approved(run)
        shop.settle_until(lambda run=run: shop.run(run).status is RunStatus.SUCCEEDED)  # type: ignore[misc]
    drill = DrillActs(shop.engine).begin("shop", "production", OWNER, in_protected=True)
    shop.settle()
    shop.approved(drill.run)
    shop.settle_until(lambda: shop.run(drill.run).status.is_ended)
    assert not hooks(shop)
