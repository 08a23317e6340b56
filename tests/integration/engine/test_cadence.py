"""Releases wait for their time, for each other, and for other services, and say for what."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.integration.engine.shop import OWNER, PRODUCTION, SHOP, STAGING, Shop

from tidegate.model.ids import EnvironmentName, ReleaseId, RunId, ServiceName, StageName
from tidegate.model.pipeline import Mode
from tidegate.model.schedule import Schedule
from tidegate.model.train import Member, Train, TrainRun, TrainRunId, TrainState
from tidegate.store import cadence_queries, queries, rows

CATALOG = ServiceName("catalog")
TEXT = """\
service: {service}
mode: deployment
{pace}
build:
  steps:
    - {{name: unit tests, run: make test, reports: {{junit: tests.xml}}}}
    - {{name: package, run: make package, needs: [unit tests]}}
runtime: {{command: serve, instances: 1}}
stages:
  - name: staging
    environment: staging
    steps: [{{name: smoke, run: make smoke}}]
  - name: production
    environment: production
    deploy: {{strategy: blue-green, keep_warm: 0s}}
    verify: {{soak: 0s}}
"""


def text(pace: str = "", service: str = "shop") -> str:
    return TEXT.format(service=service, pace=pace)


def out(shop: Shop, pace: str = "") -> str:
    """The first version is in production, by policy and without a wait; its run."""
    run = shop.added(text())
    shop.services.grant_mode(SHOP, Mode.DEPLOYMENT, OWNER, "it has earned it")
    shop.built()
    shop.settle_until(lambda: shop.run(run).status == "succeeded")
    shop.commits.text = text(pace)
    return run


def waits_for(shop: Shop, run: str) -> list[str]:
    return [reason.rule for reason in shop.run(run).because]


def test_on_demand_every_change_is_built_and_staged_and_goes_on_when_a_person_deploys_it(shop: Shop) -> None:
    first = out(shop, "cadence: on-demand")
    second = shop.pushed()
    shop.built()
    assert waits_for(shop, second) == ["cadence"]
    assert shop.serving(STAGING) == shop.label(second)
    assert shop.serving() == shop.label(first)
    asked = shop.placements.deploy(SHOP, "production", shop.label(second), OWNER)
    shop.settle_until(lambda: shop.run(asked.id).status == "succeeded")
    assert shop.serving() == shop.label(second)
    assert shop.run(second).status.is_ended, "there is nothing left to wait for"


def test_on_demand_a_yes_at_the_gate_is_the_asking(shop: Shop) -> None:
    out(shop, "cadence: on-demand")
    second = shop.pushed()
    shop.built()
    shop.approved(second, "production")
    shop.settle_until(lambda: shop.run(second).status == "succeeded")
    assert "the gate to production is open" in " ".join(shop.said())


def test_a_scheduled_release_goes_on_by_itself_at_its_time(shop: Shop) -> None:
    """The clock stands at noon, on a Monday."""
    out(shop, 'cadence: {schedule: {cron: "0 13 * * *", timezone: UTC}}')
    second = shop.pushed()
    shop.built()
    assert waits_for(shop, second) == ["cadence"]
    shop.pass_time(timedelta(minutes=30))
    assert waits_for(shop, second) == ["cadence"]
    shop.pass_time(timedelta(minutes=30))
    shop.settle_until(lambda: shop.run(second).status == "succeeded")


def test_of_a_batch_only_the_newest_goes_on_and_every_change_of_it_is_told(shop: Shop) -> None:
    out(shop, "batch: {within: 30m, at_most: 3}")
    runs = []
    for _ in range(2):
        runs.append(shop.pushed())
        shop.built()
    second, third = runs
    assert shop.run(second).status == "superseded"
    assert waits_for(shop, third) == ["batch"]
    assert "2 releases collected" in shop.run(third).because[0].text
    shop.pass_time(timedelta(minutes=29))
    assert waits_for(shop, third) == ["batch"]
    shop.pass_time(timedelta(minutes=1))
    shop.settle_until(lambda: shop.run(third).status == "succeeded")
    with shop.database.reading() as connection:
        release = queries.release(connection, shop.run(third).release)
        assert release is not None
        brought = cadence_queries.brought_by(connection, release)[EnvironmentName("production")]
    assert [one.commit for one in brought] == [shop.run(run).change.commit for run in (third, second)]
    opened = [row["data"] for row in shop.rows()["event"] if row["kind"] == "gate.decided" and '"open"' in row["data"]]
    assert all(shop.run(run).change.commit in opened[-1] for run in runs), "the record lists them, too"


def test_a_full_batch_goes_on_at_once(shop: Shop) -> None:
    out(shop, "batch: {within: 30m, at_most: 2}")
    shop.pushed()
    shop.built()
    third = shop.pushed()
    shop.built()
    shop.settle_until(lambda: shop.run(third).status == "succeeded")
    assert [line for line in shop.said() if "releases collected" in line] == [], "the second never waited"


def catalog(shop: Shop, version: str | None, *, new: bool = False, requires: str = "") -> str:
    """A version of the catalog that goes to staging; its run."""
    shop.commits.text = text(requires, "catalog").partition("  - name: production")[0]
    pushed = shop.commits.next_commit()
    pushed = replace(pushed, change=replace(pushed.change, version=version))
    if new:
        service, _ = shop.commits.describe("/repositories/catalog", "catalog")
        run = shop.services.add(service, pushed, OWNER)
    else:
        (run,) = shop.services.push(CATALOG, [pushed])
    shop.settle()
    shop.built()
    return run.id


def test_a_release_waits_for_the_version_that_it_requires_and_goes_on_when_that_passed(shop: Shop) -> None:
    catalog(shop, "1.3.9", new=True)
    run = shop.added(text('requires: {catalog: ">=1.4"}'))
    shop.built()
    assert [str(one.text) for one in shop.run(run).because] == ["catalog serves 1.3.9 in staging; >=1.4 is required"]
    catalog(shop, "1.4.0.post2")
    shop.built()
    assert shop.serving(STAGING) == shop.label(run)


@pytest.mark.parametrize(
    ("requires", "says"),
    [
        ('{catalogue: ">=1"}', "there is no service catalogue here: did you mean"),
        ('{catalog: ">=1"}', "wait for each other in a circle: shop, catalog"),
    ],
)
def test_services_that_are_not_there_and_circles_are_errors_of_the_file(shop: Shop, requires: str, says: str) -> None:
    shop.added(text())
    catalog(shop, None, new=True, requires='requires: {shop: ">=1"}')
    run = shop.pushed(text(f"requires: {requires}"))
    assert shop.run(run).status == "failed"
    assert any(says in reason.text for reason in shop.run(run).because), shop.run(run).because


def test_a_train_that_the_server_does_not_have_is_an_error_of_the_file(shop: Shop) -> None:
    run = shop.added(text("train: payment"))
    assert shop.run(run).status == "failed"
    assert "this server has no train payment" in shop.run(run).because[0].text


def test_a_service_whose_file_names_a_train_waits_for_it(shop: Shop) -> None:
    shop.restart(trains={"payments": Train("payments", (), EnvironmentName("production"))})
    run = shop.added(text("train: payments"))
    shop.services.grant_mode(SHOP, Mode.DEPLOYMENT, OWNER, "it has earned it")
    shop.built()
    assert waits_for(shop, run) == ["train"]
    assert shop.serving(PRODUCTION) is None


def test_a_scheduled_train_leaves_at_its_time_though_the_server_was_restarted_meanwhile(shop: Shop) -> None:
    """The clock stands at noon, on a Monday."""
    train = Train("payments", (SHOP,), EnvironmentName("production"), leaves=Schedule("0 13 * * *", "UTC"))
    shop.restart(trains={"payments": train})
    run = shop.added(text())
    shop.services.grant_mode(SHOP, Mode.DEPLOYMENT, OWNER, "it has earned it")
    shop.built()
    assert "leaves at 2026-03-02 13:00 UTC" in shop.run(run).because[0].text
    shop.pass_time(timedelta(minutes=59))
    assert waits_for(shop, run) == ["train"]
    shop.restart()
    shop.pass_time(timedelta(minutes=1))
    shop.settle_until(lambda: shop.run(run).status == "succeeded")
    assert "the train payments is arrived: all 1 passed" in shop.said()


def test_a_release_that_left_keeps_its_turn_though_the_configuration_has_its_train_no_more(shop: Shop) -> None:
    run = shop.added(text())
    shop.services.grant_mode(SHOP, Mode.DEPLOYMENT, OWNER, "it has earned it")
    shop.commits.text = text(service="catalog")
    service, pushed = shop.commits.describe("/repositories/catalog", "catalog")
    first = shop.services.add(service, pushed, OWNER)
    member = Member(SHOP, RunId(run), ReleaseId("r"), "r", StageName("production"))
    passage = TrainRun(
        id=TrainRunId("t"),
        train="gone",
        environment=EnvironmentName("production"),
        state=TrainState.MOVING,
        opened_at=shop.clock.now(),
        members=(replace(member, service=CATALOG, run=first.id), member),
        after={SHOP: (CATALOG,)},
    )
    with shop.database.writing() as connection:
        rows.put(connection, passage)
    shop.built()
    assert waits_for(shop, run) == ["train"]
    assert "its turn comes after catalog" in shop.run(run).because[0].text
    shop.approved(first.id)
    shop.settle_until(lambda: shop.run(run).status == "succeeded")
