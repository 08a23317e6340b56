"""A release train of four services with real processes: it arrives; and when its third fails it comes back whole, the
server's death on the way included."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import httpx
import pytest

from .harness import SAMPLE, World, a_world, wait_for
from .sample_services import commit

NAMES = ("ant", "bee", "cat", "dog")
CONFIGURATION = """\
batch: 1s
poll_interval: 1s
trains:
  - name: quartet
    services: [ant, bee, cat, dog]
    environment: staging
    after: {bee: [ant], cat: [bee], dog: [cat]}
"""
PIPELINE = """\
service: {name}
build: {{steps: [{{name: test, run: test -f service.py}}]}}
runtime:
  command: exec python3 service.py
  health: {{path: /healthz, within: 4s}}
  stop_grace: 1s
stages: [{{name: staging, environment: staging, deploy: {{strategy: blue-green, keep_warm: 0s}}}}]
"""


def change(folder: Path, name: str, version: str, **behaviour: Any) -> None:
    """Commit a version of a service to its repository, which is made where it is missing."""
    place = folder / name
    place.mkdir(exist_ok=True)
    shutil.copy(SAMPLE / "service.py", place / "service.py")
    (place / "behaviour.json").write_text(json.dumps({"version": version, **behaviour}))
    (place / "tidegate.yaml").write_text(PIPELINE.format(name=name))
    commit(place, f"{name} {version}")


def train(world: World) -> dict[str, Any]:
    found: dict[str, Any] = world.api("GET", "/api/v1/trains/quartet")
    return found


def leaves_with_all_four(world: World, version: str) -> str:
    """Send the train when this version of each is ready; its passage."""

    def _ready() -> bool:
        runs = {one["id"]: one["subject"] for one in world.api("GET", "/api/v1/runs")["items"]}
        return [runs[one["run"]] for one in train(world)["ready"]] == [f"{name} {version}" for name in NAMES]

    wait_for(_ready, f"version {version} of all four at the gate")
    return str(world.json("train", "depart", "quartet")["id"])


def ended(world: World, passage: str) -> dict[str, Any]:
    def _over() -> dict[str, Any] | None:
        found = next(one for one in train(world)["passages"] if one["id"] == passage)
        return found if found["ended_at"] else None

    return wait_for(_over, "the end of the train")


def serving(world: World) -> list[str]:
    """The version that each service answers with."""
    status = {one["service"]: one for one in world.api("GET", "/api/v1/status")}
    urls = [status[name]["environments"]["staging"]["address"] for name in NAMES]
    return [str(httpx.get(f"{url}/", timeout=10).json()["version"]) for url in urls]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_train_of_four_whose_third_fails_comes_back_whole_though_the_server_is_killed_on_the_way() -> None:
    with a_world(configuration=CONFIGURATION) as world:
        for name in NAMES:
            change(world.folder, name, "1")
            done = world.run("service", "add", str(world.folder / name))
            assert done.returncode == 0, done.stderr
        assert ended(world, leaves_with_all_four(world, "1"))["state"] == "arrived"
        assert serving(world) == ["1", "1", "1", "1"]

        for name in NAMES:
            change(world.folder, name, "2", never_healthy=name == "cat")
        passage = leaves_with_all_four(world, "2")
        wait_for(lambda: train(world)["passage"]["state"] == "returning", "the train on its way back")
        assert serving(world)[3] == "1", "its turn never came"
        world.kill("server")
        world.start()
        returned = ended(world, passage)
        assert (returned["state"], serving(world)) == ("returned", ["1", "1", "1", "1"])
        assert "cat" in returned["because"]
        states = {one["service"]: one["state"] for one in returned["members"]}
        assert states == {"ant": "returned", "bee": "returned", "cat": "returned", "dog": "left"}
        runs = {one["subject"]: one for one in world.api("GET", "/api/v1/runs")["items"]}
        assert [runs[f"{name} 2"]["status"] for name in NAMES] == [
            "rolled_back",
            "rolled_back",
            "rolled_back",
            "waiting",
        ]
        assert "the train quartet comes back" in runs["ant 2"]["because"][0]["text"]
