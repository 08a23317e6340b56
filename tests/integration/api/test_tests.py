"""Flaky tests and quarantines over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from .world import AGENT, SECOND, World, eventually

CART = "tests/test_cart.py::test_total"
PIPELINE = """\
service: shop
build:
  steps:
    - name: unit tests
      run: make test
      reports: {junit: unit.xml}
      retry: {attempts: 2, causes: [failed]}
"""


def soon(days: float = 14) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).isoformat()


def quarantine(**more: Any) -> dict[str, Any]:
    return {"service": "shop", "test": CART, "owner": "Ada", "until": soon(), **more}


def perform(world: World, *failing: str) -> None:
    """An agent performs the step; the watched tests that do not fail pass."""
    with world.client(AGENT) as agent:

        def _leased() -> Any:
            return agent.post("/api/v1/agents/one/lease", json={"slots_free": 1, "held": []}).json()

        (lease,) = eventually(_leased, "a lease")
        now = datetime.now(UTC).isoformat()
        passed = [one for one in lease["watched_tests"] if one not in failing]
        tests = {"total": 9, "failed": len(failing), "skipped": 0, "failures": failing, "passed": passed}
        outcome = {"outcome": "failed" if failing else "succeeded", "exit_code": int(bool(failing)), "detail": ""}
        report = {**outcome, "began_at": now, "ended_at": now, "tests": tests}
        own = {"attempt": lease["attempt"], "fence": lease["fence"]}
        answer = agent.post(f"/api/v1/steps/{lease['step_run']}/result", json={**own, "report": report})
        assert answer.json() == {"accepted": True}


@pytest.fixture
def run(world: World) -> str:
    world.repositories.text = PIPELINE
    return world.add_shop()


def test_a_flaky_test_is_listed_with_what_is_known_of_it(world: World, run: str) -> None:
    assert world.get("/tests/flaky") == []
    perform(world, CART)
    perform(world)
    (found,) = world.get("/tests/flaky", service="shop")
    told = {key: found[key] for key in ("service", "scope", "step", "test", "flaky", "failed", "total", "last_run")}
    assert told == {
        "service": "shop",
        "scope": "build",
        "step": "unit tests",
        "test": CART,
        "flaky": True,
        "failed": 1,
        "total": 2,
        "last_run": run,
    }
    assert found["first_failed_at"] == found["last_failed_at"]
    assert found["quarantine"] is None
    assert world.get("/tests/flaky", service="shop") == world.get("/tests/flaky")


def test_a_run_names_the_tests_that_failed_and_marks_those_that_are_known(world: World, run: str) -> None:
    perform(world, CART)
    perform(world, "other")
    (step,) = world.ends(run)["steps"]
    assert step["tests"] == {
        "total": 9,
        "failed": 1,
        "skipped": 0,
        "failures": [{"test": "other", "flaky": False, "quarantined_until": None}],
    }
    world.post(f"/runs/{run}/retry")
    held = world.post("/tests/quarantine", quarantine(test="other"))
    perform(world, CART, "other")
    (step,) = world.ends(run)["steps"]
    assert step["tests"]["failures"] == [
        {"test": CART, "flaky": True, "quarantined_until": None},
        {"test": "other", "flaky": False, "quarantined_until": held["until"]},
    ]


def test_a_quarantine_is_made_replaced_recorded_and_lifted(world: World, run: str) -> None:
    made = world.post("/tests/quarantine", quarantine(reason="slow disk"))
    assert (made["owner"], made["reason"], made["holds"]) == ("Ada", "slow disk", True)
    assert made["by"] == {"kind": "person", "name": "owner"}
    world.post("/tests/quarantine", quarantine(owner="Eve"), token=SECOND)
    (known,) = world.get("/tests/flaky")
    assert (known["flaky"], known["failed"], known["quarantine"]["owner"]) == (False, 0, "Eve")
    world.post("/tests/release", {"service": "shop", "test": CART})
    assert world.get("/tests/flaky") == []
    with world.client() as client:
        events = client.get("/api/v1/events?service=shop", headers={"accept": "application/json"}).json()
    told = [(one["kind"], one["actor"]["name"]) for one in events if one["kind"].startswith("test.")]
    assert told == [
        ("test.quarantined", "owner"),
        ("test.quarantined", "second"),
        ("test.quarantine_lifted", "owner"),
    ]


def test_a_step_with_tests_in_quarantine_passes_and_says_so(world: World, run: str) -> None:
    world.post("/tests/quarantine", quarantine())
    perform(world, CART)
    ended = world.ends(run)
    assert ended["status"] == "succeeded"
    assert ended["steps"][0]["detail"].startswith("passed: 1 failing test is in quarantine (owner Ada, until ")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (quarantine(until=soon(91)), 422),
        (quarantine(until=soon(-1)), 422),
        (quarantine(until="2026-13-01T00:00:00Z"), 422),
        (quarantine(until="2026-12-01T00:00:00"), 422),
        (quarantine(owner=" "), 422),
        (quarantine(owner="A\nB"), 422),
        (quarantine(test=""), 422),
        (quarantine(service="nosuch"), 404),
        (quarantine(more=1), 422),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(
    world: World, run: str, body: dict[str, Any], status: int
) -> None:
    with world.client() as client:
        answer = client.post("/api/v1/tests/quarantine", json=body)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert world.get("/tests/flaky") == []


def test_who_asks_of_what_is_not_there_is_told(world: World, run: str) -> None:
    with world.client() as client:
        assert client.get("/api/v1/tests/flaky?service=nosuch").status_code == 404
        answer = client.post("/api/v1/tests/release", json={"service": "shop", "test": CART})
    assert (answer.status_code, answer.json()["remedy"]) == (404, "tidegate tests flaky shop")
