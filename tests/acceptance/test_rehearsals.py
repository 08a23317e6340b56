"""Bad releases of a service go through its own pipeline on a server of its own, and are found."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.acceptance import sample_services
from tests.acceptance.harness import wait_for

from tidegate.demo.server_process import DemoServer, start_server
from tidegate.model.rehearsal import Fault

QUICK = """\
service: quick
build: {steps: [{name: test, run: "true"}]}
runtime:
  command: exec python3 -m http.server --bind 127.0.0.1 "$PORT"
  health: {path: /, within: 5s}
  instances: 1
  stop_grace: 1s
stages:
  - name: production
    environment: staging
    deploy: {strategy: blue-green, keep_warm: 0s}
    verify: {at_most: 3s, undecided: promote, no_data: promote}
"""


@pytest.fixture
def asked(tmp_path: Path) -> Iterator[DemoServer]:
    server = start_server(tmp_path / "asked", "batch: 1s\n")
    yield server
    server.stop_all()


def _serve(server: DemoServer, repository: Path, environment: str) -> str:
    """Deploy what is in the repository; its service's name."""
    with server.client() as client:
        added = client.post("/api/v1/services", json={"repository": str(repository)})
        assert added.is_success, added.text
        name = str(added.json()["service"]["name"])
        run = added.json()["run"]["id"]

        def serves() -> bool:
            detail = client.get(f"/api/v1/runs/{run}").json()
            if detail["status"] == "waiting":
                client.post(f"/api/v1/runs/{run}/approve", json={"comment": "fine"})
            status = client.get("/api/v1/status", params={"service": name}).json()[0]
            there = status["environments"].get(environment) or {}
            return bool(there.get("shares")) and there["health"] == "healthy"

        wait_for(serves, f"{name} to serve in {environment}")
    return name


def _rehearse(server: DemoServer, name: str, *options: str) -> tuple[int, dict[str, dict[str, object]], str]:
    command = [sys.executable, "-m", "tidegate.cli.main", "rehearse", name, "--json", "--data", str(server.data)]
    done = subprocess.run([*command, *options], capture_output=True, text=True, timeout=1700)
    found = json.loads(done.stdout)
    assert "outcomes" in found, done.stdout + done.stderr
    return done.returncode, {one["fault"]: one for one in found["outcomes"]}, done.stderr


def _serving(status: Any) -> tuple[object, object]:
    there = status["environments"]["staging"]
    return there["deployment"], there["generation"]


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_a_version_that_never_gets_healthy_is_found_and_nobody_is_harmed(asked: DemoServer, tmp_path: Path) -> None:
    repository = tmp_path / "quick"
    repository.mkdir()
    (repository / "tidegate.yaml").write_text(QUICK)
    sample_services.commit(repository, "A service")
    name = _serve(asked, repository, "staging")
    with asked.client() as client:
        before = client.get("/api/v1/status").json()
        code, outcomes, said = _rehearse(asked, name, "--fault", "unhealthy", "--traffic", "20/s")
        assert code == 0, said
        assert [*outcomes] == ["unhealthy"]
        one = outcomes["unhealthy"]
        assert (one["found"], one["end"], one["harmed"]) == (True, "before", 0)
        assert isinstance(one["requests"], int) and one["requests"] > 0
        assert "not healthy" in str(one["why"])
        after = client.get("/api/v1/status").json()
        assert [_serving(one) for one in after] == [_serving(one) for one in before]
        assert client.get("/api/v1/incidents").json() in ([], {"items": [], "next": None})


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_every_fault_of_the_shop_is_found_and_ends_on_a_known_release(asked: DemoServer, tmp_path: Path) -> None:
    name = _serve(asked, sample_services.shop(tmp_path / "shop"), "production")
    code, outcomes, said = _rehearse(asked, name, "--quick", "5", "--traffic", "8/s", "--path", "/products/rope")
    print(json.dumps(outcomes, indent=1))
    assert code == 0, said
    assert [*outcomes] == [fault.value for fault in Fault]
    assert all(one["found"] and one["end"] != "unknown" for one in outcomes.values())
    assert all(outcomes[fault.value]["end"] == "before" for fault in Fault if fault.is_bad_version)
