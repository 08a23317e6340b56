"""What people ask for and do not get: nothing is changed, and they are told why and what to do instead."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.integration.api.world import PIPELINE as CANARY
from tests.integration.api.world import PaperRepositories
from tests.integration.engine.shop import OWNER, PLAIN, PRODUCTION, SHOP, STAGING, PromptRouter, Shop, holds, report
from tests.integration.engine.test_creation import BROKEN

from tidegate.engine.refusal import Refusal
from tidegate.model.actor import Actor, ActorKind
from tidegate.model.approval import Answer
from tidegate.model.pipeline import Mode
from tidegate.model.run import RunStatus
from tidegate.model.verdict import Verdict

ASKING = CANARY.replace("shares: [5%, 25%]", "shares: [5%, {approve: 1}, 25%]")
ONE_STAGE = PLAIN[: PLAIN.index("  - name: production")]


@pytest.mark.parametrize("act", ["cancel", "retry", "hold", "resume", "promote"])
def test_a_run_that_nobody_knows_is_named(shop: Shop, act: str) -> None:
    refused = shop.refuses(lambda: getattr(shop.runs, act)("nobodys", OWNER), Refusal.NOT_FOUND)
    assert (str(refused), refused.remedy) == ("there is no run called 'nobodys'", "tidegate runs")


@pytest.mark.parametrize("act", ["cancel", "hold", "resume"])
def test_a_run_that_has_ended_is_not_moved_any_more(shop: Shop, act: str) -> None:
    run = shop.deployed()
    refused = shop.refuses(lambda: getattr(shop.runs, act)(run, OWNER), Refusal.CONFLICT)
    assert str(refused) == f"run {run} has ended: it is succeeded"


def approve(shop: Shop, run: str, stage: str | None = None) -> Callable[[], object]:
    return lambda: shop.runs.answer(run, Answer.APPROVED, OWNER, stage=stage)


def test_an_answer_is_not_taken_before_there_is_a_release(shop: Shop) -> None:
    run = shop.added()
    assert "has no release yet: its build has not ended" in str(shop.refuses(approve(shop, run), Refusal.CONFLICT))


def test_an_answer_is_not_taken_after_the_end(shop: Shop) -> None:
    run = shop.deployed()
    assert "has ended: it is succeeded" in str(shop.refuses(approve(shop, run), Refusal.CONFLICT))


def test_an_answer_to_a_stage_that_is_not_there_names_those_that_are(shop: Shop) -> None:
    run = shop.added()
    shop.built()
    refused = shop.refuses(approve(shop, run, "prodution"), Refusal.NOT_FOUND)
    assert str(refused) == f"run {run} has no stage 'prodution'; it has staging, production"


def test_an_answer_to_a_run_that_asks_nobody_says_how_it_stands(shop: Shop) -> None:
    shop.judge.verdict = Verdict.UNDECIDED
    run = shop.added(CANARY)
    shop.built()
    shop.approved(run)
    refused = shop.refuses(approve(shop, run), Refusal.CONFLICT)
    assert "asks nobody now (staging is passed, production is working)" in str(refused)
    assert refused.remedy == f"tidegate watch {run}"


def test_an_answer_may_come_before_its_gate_is_reached(shop: Shop) -> None:
    run = shop.added()
    (lease,) = shop.leased()
    shop.reports(lease)
    (lease,) = shop.leased()
    shop.leasing.report(holds(lease), report(shop.clock.now()))
    shop.engine.look(f"run:{run}")
    shop.approved(run, "production")
    assert shop.run(run).status is RunStatus.SUCCEEDED
    assert shop.serving(PRODUCTION) == shop.label(run)


def test_only_what_failed_can_be_tried_again(shop: Shop) -> None:
    run = shop.added()
    open_run = shop.refuses(lambda: shop.runs.retry(run, OWNER), Refusal.CONFLICT)
    assert (str(open_run), open_run.remedy) == (f"run {run} still goes on", f"tidegate cancel {run}")
    shop.built()
    shop.approved(run)
    good = shop.refuses(lambda: shop.runs.retry(run, OWNER), Refusal.CONFLICT)
    assert "succeeded; there is nothing to try again" in str(good)


def test_a_run_whose_file_cannot_be_read_is_not_tried_again_but_corrected(shop: Shop) -> None:
    run = shop.added(BROKEN)
    refused = shop.refuses(lambda: shop.runs.retry(run, OWNER), Refusal.CONFLICT)
    assert (str(refused), refused.remedy) == (f"the file of run {run} cannot be read", "commit a corrected file")


def test_a_share_is_ended_only_where_one_is_judged(shop: Shop) -> None:
    first = shop.added(ASKING)
    nothing = shop.refuses(lambda: shop.runs.promote(first, OWNER), Refusal.CONFLICT)
    assert (str(nothing), nothing.remedy) == (f"nothing of run {first} is rolling out", f"tidegate watch {first}")
    shop.built()
    shop.approved(first)
    shop.settle_over(5)
    second = shop.pushed()
    shop.built()
    shop.approved(second)
    shop.settle_over(5)
    asking = shop.refuses(lambda: shop.runs.promote(second, OWNER), Refusal.REFUSED)
    assert (str(asking), asking.remedy) == ("the next share waits for approvals", f"tidegate approve {second}")


RELEASES = pytest.mark.parametrize(
    "act",
    [
        lambda shop, release: shop.placements.deploy(SHOP, "production", release, OWNER),
        lambda shop, release: shop.placements.plan(SHOP, "production", release),
        lambda shop, release: shop.placements.roll_back(SHOP, "production", OWNER, release=release),
    ],
    ids=["deploy", "plan", "roll back"],
)


@RELEASES
def test_a_release_that_nobody_knows_is_named_with_the_list_of_those_that_are(
    shop: Shop, act: Callable[[Shop, str], object]
) -> None:
    shop.deployed()
    refused = shop.refuses(lambda: act(shop, "deadbeef"), Refusal.NOT_FOUND)
    assert (str(refused), refused.remedy) == ("there is no release called 'deadbeef'", "tidegate release list shop")


@RELEASES
def test_a_name_that_fits_two_releases_is_refused_with_both(shop: Shop, act: Callable[[Shop, str], object]) -> None:
    run = shop.deployed()
    shop.commits = PaperRepositories()  # the same commit once more, as after a branch was reset and pushed again
    shop.pushed(PLAIN)
    shop.built()
    refused = shop.refuses(lambda: act(shop, shop.label(run)), Refusal.INVALID)
    assert f"'{shop.label(run)}' fits 2 releases" in str(refused)
    assert refused.remedy == "name it by its id"
    for row in shop.rows()["release"]:
        assert row["id"] in str(refused)


@pytest.mark.parametrize("act", ["deploy", "plan"])
def test_an_environment_without_a_stage_is_refused_with_those_that_have_one(shop: Shop, act: str) -> None:
    label = shop.label(shop.deployed())
    who = (OWNER,) if act == "deploy" else ()
    refused = shop.refuses(lambda: getattr(shop.placements, act)(SHOP, "dev", label, *who), Refusal.INVALID)
    assert str(refused) == f"the pipeline of {label} has no stage in 'dev'; it has staging, production"


def test_a_service_that_nobody_knows_is_named(shop: Shop) -> None:
    for act in (
        lambda: shop.placements.deploy("shoe", "production", "0123abcd", OWNER),
        lambda: shop.services.pause("shoe", OWNER, "because"),
        lambda: shop.services.resume("shoe", OWNER, ""),
        lambda: shop.services.grant_mode("shoe", Mode.DEPLOYMENT, OWNER, "because"),
        lambda: shop.services.remove("shoe", OWNER),
    ):
        refused = shop.refuses(act, Refusal.NOT_FOUND)
        assert (str(refused), refused.remedy) == ("there is no service called 'shoe'", "tidegate service list")


def roll_back(shop: Shop, environment: str = "production", **how: object) -> Callable[[], object]:
    return lambda: shop.placements.roll_back(SHOP, environment, OWNER, **how)  # type: ignore[arg-type]


def test_a_rollback_where_nothing_was_ever_deployed_is_refused(shop: Shop) -> None:
    shop.added()
    refused = shop.refuses(roll_back(shop), Refusal.CONFLICT)
    assert str(refused) == "nothing of shop serves in production"
    unknown = shop.refuses(roll_back(shop, "dev"), Refusal.NOT_FOUND)
    assert (str(unknown), unknown.remedy) == ("there is no placement called 'shop in dev'", "tidegate status shop")


def test_a_rollback_with_nothing_to_return_to_offers_to_stop(shop: Shop) -> None:
    shop.deployed()
    refused = shop.refuses(roll_back(shop), Refusal.REFUSED)
    assert "no other deployment of shop was ever good in production" in str(refused)
    assert refused.remedy == "to stop the service: tidegate rollback shop --env production --stop"
    shop.placements.roll_back(SHOP, "production", OWNER, stop=True)
    shop.settle()
    assert shop.serving() is None


def test_a_rollback_to_what_was_never_there_offers_to_deploy_it(shop: Shop) -> None:
    shop.deployed()
    run = shop.pushed()
    shop.built()
    label = shop.label(run)
    refused = shop.refuses(roll_back(shop, release=label), Refusal.CONFLICT)
    assert str(refused) == f"{label} was never deployed to production"
    assert refused.remedy == f"tidegate deploy shop --release {label} --env production"


def test_a_rollback_to_what_serves_is_refused(shop: Shop) -> None:
    label = shop.label(shop.deployed())
    refused = shop.refuses(roll_back(shop, release=label), Refusal.CONFLICT)
    assert str(refused) == f"{label} is what serves in production"


def test_a_rollback_is_begun_once_however_often_it_is_asked_for(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    first, _ = shop.deployed(), shop.deployed()
    monkeypatch.setattr(PromptRouter, "set_shares", lambda self, routing, generation: None)
    begun = shop.placements.roll_back(SHOP, "production", OWNER)
    shop.settle()
    before = shop.rows()
    again = shop.placements.roll_back(SHOP, "production", Actor(ActorKind.PERSON, "second"))
    assert (again.id, shop.rows()) == (begun.id, before)
    monkeypatch.undo()
    shop.settle_over(1)
    assert shop.serving() == shop.label(first)


@pytest.mark.parametrize("name", ["", "Shop", "shop_one", "-shop", "shop-", "s" * 41, "../shop", "shop/staging"])
def test_a_name_that_no_service_can_have_is_refused_with_the_rule(shop: Shop, name: str) -> None:
    refused = shop.refuses(lambda: shop.services.check_new(SHOP.__class__(name)), Refusal.INVALID)
    assert str(refused) == f"{name!r} cannot name a service"
    assert refused.remedy == "use 1 to 40 lower-case letters, digits and hyphens"


def test_a_service_is_added_once_and_again_only_after_it_was_removed(shop: Shop) -> None:
    shop.added()
    service, pushed = shop.commits.describe("/repositories/another")
    refused = shop.refuses(lambda: shop.services.add(service, pushed, OWNER), Refusal.CONFLICT)
    assert str(refused) == "there is a service 'shop' already, from /repositories/shop"
    assert refused.remedy == "tidegate service remove shop"
    shop.services.remove(SHOP, OWNER)
    shop.settle()
    assert shop.services.add(service, pushed, OWNER).service == SHOP


@pytest.mark.parametrize("reason", ["", "  "])
def test_a_mode_is_not_granted_without_a_reason(shop: Shop, reason: str) -> None:
    shop.added()
    refused = shop.refuses(lambda: shop.services.grant_mode(SHOP, Mode.DEPLOYMENT, OWNER, reason), Refusal.INVALID)
    assert (str(refused), refused.remedy) == ("a change of mode is recorded with its reason", "add --reason TEXT")


@pytest.mark.parametrize("name", ["", "DATABASE-URL", "1ST", "A B", "A=B", "A\n", "A" * 101])
def test_a_name_that_no_secret_can_have_is_refused_and_the_value_is_not_repeated(shop: Shop, name: str) -> None:
    refused = shop.refuses(lambda: shop.services.set_secret(SHOP, name, "hunter2", OWNER), Refusal.INVALID)
    assert refused.remedy == "use letters, digits and underscores"
    assert "hunter2" not in str(refused)


def test_commits_of_a_removed_service_begin_nothing(shop: Shop) -> None:
    shop.added()
    shop.services.remove(SHOP, OWNER)
    shop.settle()
    before = shop.rows()
    assert shop.services.push(SHOP, [shop.commits.next_commit()]) == ()
    assert shop.rows() == before
    assert shop.serving(STAGING) is None
