"""Services, where they run, and the probes that monitoring asks."""

from __future__ import annotations

from datetime import timedelta

from tidegate.model.ids import PlacementId
from tidegate.model.traffic import Span, Traffic
from tidegate.store import rows

from .world import SECOND, World, eventually


def test_a_service_is_added_paused_and_resumed(world: World) -> None:
    with world.client() as client:
        added = client.post("/api/v1/services", json={"repository": "/repositories/shop"})
    assert (added.status_code, added.headers["location"]) == (201, "/api/v1/services/shop")
    paused = world.post("/services/shop/pause", {"reason": "a sale begins"}, token=SECOND)
    assert "a sale begins" in paused["paused_because"]
    assert "second" in paused["paused_because"]
    assert world.post("/services/shop/resume")["paused_because"] is None
    assert [one["name"] for one in world.get("/services")] == ["shop"]


def test_a_paused_service_keeps_its_gates_shut_and_says_what_ends_it(world: World) -> None:
    run = world.add_shop()
    world.post("/services/shop/pause", {"reason": "a sale begins"})
    world.build()
    waiting = world.waits(run)
    assert "tidegate service resume shop" in [one["command"] for one in waiting["next"]]


def test_a_mode_is_granted_with_a_reason_and_then_policy_opens_the_gate(world: World) -> None:
    text = world.repositories.text.replace("build:", "mode: deployment\nbuild:", 1)
    text = text.replace("run: make test}", "run: make test, reports: {junit: tests.xml}}")
    text = text.replace("strategy: blue-green}\n", "strategy: blue-green}\n    verify: {}\n")
    world.repositories.text = text.replace("    gate: {approvals: {count: 1}}\n", "")
    first = world.add_shop()
    because = world.get("/services/shop")["effective_because"]
    assert "not granted" in because["text"]
    assert because["remedy"] == "tidegate service mode shop deployment --reason …"
    world.post("/services/shop/mode", {"mode": "deployment", "reason": "two good months"})
    world.build()
    ended = world.ends(first)
    assert ended["status"] == "succeeded"
    assert ended["stages"][1]["opened_by"].startswith("policy")
    assert ended["approvals"] == []


def test_prometheus_finds_every_instance_with_the_deployment_on_it(world: World) -> None:
    assert world.get("/scrape-targets") == []
    run = world.shop_in_production()
    found = {one["labels"]["environment"]: one for one in world.get("/scrape-targets", service="shop")}
    assert set(found) == {"staging", "production"}
    production = found["production"]
    assert len(production["targets"]) == 2
    assert all(target.startswith("127.0.0.1:") for target in production["targets"])
    assert production["labels"]["deployment"].startswith("production-")
    assert production["labels"]["commit"] == world.get(f"/runs/{run}")["commit"]
    assert world.get("/scrape-targets", service="other") == []


def test_the_traffic_of_a_week_is_told_by_environment(world: World) -> None:
    world.shop_in_production()
    assert world.get("/services/shop/traffic") == []
    begin = world.clock.now().replace(minute=0, second=0, microsecond=0) - timedelta(hours=10)
    with world.database.writing() as connection:
        for hour, requests in ((begin, 3000), (begin + timedelta(hours=9), 3000), (begin - timedelta(days=7), 9999)):
            rows.put(connection, Traffic(PlacementId("shop/production"), Span.HOUR, hour, requests, 6))
    (told,) = world.get("/services/shop/traffic")
    assert (told["environment"], told["requests"], told["errors"]) == ("production", 6000, 12)
    assert 6000 / (11 * 60) <= told["per_minute"] <= 6000 / (10 * 60)
    with world.client() as client:
        assert client.get("/api/v1/services/other/traffic").status_code == 404


def test_the_traffic_of_a_service_that_is_new_is_told_by_the_minutes_that_it_has_had(world: World) -> None:
    world.shop_in_production()
    minute = world.clock.now().replace(second=0, microsecond=0) - timedelta(minutes=5)
    hour = minute.replace(minute=0)
    with world.database.writing() as connection:
        for span, begin in ((Span.HOUR, hour), (Span.MINUTE, minute)):
            rows.put(connection, Traffic(PlacementId("shop/production"), span, begin, 3000, 6))
    (told,) = world.get("/services/shop/traffic")
    assert 3000 / 6 <= told["per_minute"] <= 3000 / 5


def test_secrets_are_named_and_never_shown(world: World) -> None:
    world.add_shop()
    with world.client() as client:
        kept = client.put("/api/v1/services/shop/secrets/DATABASE_URL", json={"value": "hunter2"})
        assert (kept.status_code, kept.content) == (204, b"")
        assert client.get("/api/v1/services/shop/secrets").json() == ["DATABASE_URL"]
        everything = "".join(
            client.get(f"/api/v1{path}", headers={"accept": "application/json"}).text
            for path in ("/services", "/services/shop", "/events", "/status", "/environments", "/runs")
        )
    assert "DATABASE_URL" in everything
    assert "hunter2" not in everything


def test_a_deployment_can_be_tried_on_paper(world: World) -> None:
    first = world.shop_in_production()
    second = world.push()
    world.build()
    world.waits(second)
    body = {"service": "shop", "environment": "production", "release": world.get(f"/runs/{second}")["release"]}
    with world.client() as client:
        plan = client.post("/api/v1/deployments", json={**body, "dry_run": True})
    assert plan.status_code == 200
    assert plan.json()["plan"]["serving"] == world.get(f"/runs/{first}")["commit"]
    assert [step["share"] for step in plan.json()["plan"]["steps"]] == [0.05, 0.25, 1.0]
    assert len(world.get("/runs")["items"]) == 2


def test_a_rollback_names_where_from_and_where_to(world: World) -> None:
    first = world.shop_in_production()
    second = world.push()
    world.build()
    world.waits(second)
    world.post(f"/runs/{second}/approve")
    world.ends(second)
    labels = [world.get(f"/runs/{run}")["commit"][:8] for run in (second, first)]
    answer = world.post("/rollbacks", {"service": "shop", "environment": "production"}, token=SECOND)
    assert [answer["from"], answer["to"]] == labels
    path = f"/rollouts/{answer['rollout']['id']}"
    back = eventually(lambda: found if (found := world.get(path))["ended_at"] else None, "the end of the rollback")
    assert (back["state"], back["cause"]["actor"]["name"]) == ("rolled_back", "second")


def test_environments_say_what_runs_in_them(world: World) -> None:
    world.shop_in_production()
    environments = {one["name"]: one for one in world.get("/environments")}
    assert environments["production"]["protected"] is True
    assert [one["service"] for one in environments["production"]["placements"]] == ["shop"]
    assert world.get("/environments/dev")["placements"] == []


def test_releases_come_the_newest_first_with_what_they_were_where(world: World) -> None:
    run = world.shop_in_production()
    (release,) = world.get("/releases", service="shop")
    detail = world.get(f"/releases/{release['id']}")
    assert detail["run"] == run
    assert sorted(one["environment"] for one in detail["deployments"]) == ["production", "staging"]


def test_a_removed_service_is_stopped_everywhere_and_its_record_stays(world: World) -> None:
    run = world.shop_in_production()
    with world.client() as client:
        assert client.delete("/api/v1/services/shop").status_code == 200
        assert client.get("/api/v1/services/shop").status_code == 404
    assert world.get("/services") == []
    assert world.get(f"/runs/{run}")["id"] == run
    assert world.get(f"/runs/{run}/events")


def test_a_server_is_ready_when_its_engine_runs(world: World) -> None:
    with world.client(None) as client:
        assert client.get("/healthz").text == "ok\n"
        assert client.get("/readyz").status_code == 200
        world.api.ready.clear()
        assert client.get("/healthz").status_code == 200
        not_yet = client.get("/readyz")
    assert not_yet.status_code == 503
    assert "does not run yet" in not_yet.json()["detail"]


def test_figures_for_monitoring_count_runs_by_status(world: World) -> None:
    world.shop_in_production()
    with world.client(None) as client:
        text = client.get("/metrics").text
    assert 'tidegate_runs{status="succeeded"} 1\n' in text
    assert "tidegate_ready 1\n" in text
    assert "tidegate_placements_stuck 0\n" in text
