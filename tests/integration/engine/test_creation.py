"""What a commit becomes: a run with its stages and steps, or a failed one that says everything that is wrong."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.integration.engine.shop import OWNER, PLAIN, PRODUCTION, SHOP, STAGING, Shop

from tidegate.model.pipeline import Mode, Risk
from tidegate.model.run import RunStatus, Trigger
from tidegate.store import queries

BROKEN = """\
service: shop
modus: delivery
build:
  steps:
    - {name: unit tests, run: make test, timeout: soon}
    - {name: unit tests, run: make again}
stages:
  - name: production
    environment: prodution
    needs: [staging]
"""


def test_a_broken_file_gives_a_failed_run_that_names_every_problem_with_its_place(shop: Shop) -> None:
    run = shop.run(shop.added(BROKEN))
    assert run.status is RunStatus.FAILED
    assert run.ended_at == shop.clock.now()
    said = "\n".join(str(reason) for reason in run.because)
    for line, word in ((2, "modus"), (5, "soon"), (6, "unit tests"), (9, "prodution"), (10, "staging")):
        assert any(f"tidegate.yaml:{line}:" in reason.text and word in reason.text for reason in run.because), said
    (created,) = [text for text in shop.said() if "cannot run" in text]
    assert all(reason.text in created for reason in run.because)


def test_of_a_broken_file_nothing_is_built_or_deployed(shop: Shop) -> None:
    shop.added(BROKEN)
    rows = shop.rows()
    assert [name for name in ("stage_run", "step_run", "placement", "release", "port") if rows[name]] == []
    assert shop.leased() == ()


def test_after_a_broken_file_the_next_commit_is_built_as_if_nothing_had_happened(shop: Shop) -> None:
    shop.deployed()
    shop.pushed(BROKEN)
    repaired = shop.deployed(PLAIN)
    assert shop.serving() == shop.label(repaired)


def test_a_broken_file_changes_nothing_of_what_the_service_is(shop: Shop) -> None:
    shop.added(f"team: payments\nrisk: high\n{PLAIN}")
    (before,) = shop.rows()["service"]
    shop.pushed(BROKEN.replace("service: shop", "service: shop\nteam: others"))
    (after,) = shop.rows()["service"]
    assert {**after, "last_seen": None} == {**before, "last_seen": None}


@pytest.mark.parametrize(
    ("text", "says", "remedy"),
    [
        (None, "tidegate.yaml is not in commit", "tidegate init, then commit it"),
        (
            PLAIN.replace("service: shop", "service: shoe"),
            "says service: shoe, but this service is shop",
            "name it shop, or add shoe as a service of its own",
        ),
    ],
    ids=["no file", "another name"],
)
def test_a_commit_that_is_not_of_this_service_is_refused_with_the_remedy(
    shop: Shop, text: str | None, says: str, remedy: str
) -> None:
    shop.added()
    pushed = shop.commits.next_commit()
    (run,) = shop.services.push(SHOP, [replace(pushed, text=text)])
    (reason,) = run.because
    assert run.status is RunStatus.FAILED
    assert says in reason.text
    assert reason.remedy == remedy
    assert [row for table in ("stage_run", "step_run") for row in shop.rows()[table] if row["run"] == run.id] == []


def test_the_newest_file_says_what_team_risk_and_mode_the_service_has(shop: Shop) -> None:
    shop.added()
    shop.pushed(f"team: payments\nrisk: high\nmode: deployment\n{PLAIN}")
    with shop.database.reading() as connection:
        service = queries.service(connection, SHOP)
    assert service is not None
    assert (service.team, service.risk, service.mode) == ("payments", Risk.HIGH, Mode.DEPLOYMENT)


def test_commits_that_come_together_become_runs_in_their_order(shop: Shop) -> None:
    shop.added()
    pushed = [shop.commits.next_commit(f"number {number}") for number in range(5)]
    runs = shop.services.push(SHOP, pushed)
    assert [run.change for run in runs] == [one.change for one in pushed]
    assert [run.id for run in runs] == sorted(run.id for run in runs)
    with shop.database.reading() as connection:
        service = queries.service(connection, SHOP)
    assert service is not None
    assert service.last_seen == pushed[-1].change.commit


def test_a_placement_keeps_its_address_from_run_to_run(shop: Shop) -> None:
    def _ports() -> dict[str, int]:
        return {row["id"]: row["port"] for row in shop.rows()["placement"]}

    shop.added()
    first = _ports()
    assert set(first) == {STAGING, PRODUCTION}
    assert len(set(first.values())) == 2
    shop.deployed()
    assert _ports() == first


def test_who_deploys_a_release_gets_that_environments_stages_and_builds_nothing(shop: Shop) -> None:
    first = shop.deployed()
    shop.deployed()
    run = shop.placements.deploy(SHOP, "production", shop.label(first), OWNER)
    rows = shop.rows()
    assert (run.trigger, run.actor, run.by_person) == (Trigger.DEPLOY, OWNER, True)
    assert [stage["name"] for stage in rows["stage_run"] if stage["run"] == run.id] == ["production"]
    assert [step for step in rows["step_run"] if step["run"] == run.id] == []
    assert shop.said()[-1] == f"owner deploys {shop.label(first)}"
    shop.settle()
    shop.approved(run.id)
    assert shop.serving() == shop.label(first)
