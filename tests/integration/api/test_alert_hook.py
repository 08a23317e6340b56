"""Alerts over HTTP: recorded messages of Alertmanager, senders that are none, and a real Alertmanager."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.integration.routers.services import free_port

from .world import ADMIN, ALERTS, World, eventually

HOOK = "/hooks/alertmanager"


def message(*alerts: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """As Alertmanager 0.25 sends it."""
    return {
        "receiver": "tidegate",
        "status": "firing",
        "alerts": list(alerts),
        "groupLabels": {"service": "shop"},
        "commonLabels": {"service": "shop"},
        "commonAnnotations": {},
        "externalURL": "http://monitoring:9093",
        "version": "4",
        "groupKey": '{}:{service="shop"}',
        "truncatedAlerts": 0,
        **changes,
    }


def alert(fingerprint: str = "9f6dd0ab3c57c2ec", **labels: str) -> dict[str, Any]:
    return {
        "status": "firing",
        "labels": {"alertname": "HighErrors", "service": "shop", "environment": "production", **labels},
        "annotations": {"summary": "5% of requests\nfail"},
        "startsAt": "2026-03-02T12:00:00.123456789Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus:9090/graph",
        "fingerprint": fingerprint,
    }


@pytest.fixture
def shop(world: World) -> World:
    world.shop_in_production()
    return world


def test_an_alert_opens_an_incident_once_and_its_end_is_noted(shop: World) -> None:
    with shop.client(ALERTS) as sender:
        (taken,) = sender.post(HOOK, json=message(alert())).json()
        again = sender.post(HOOK, json=message(alert())).json()
        ended = alert() | {"status": "resolved", "endsAt": "2026-03-02T12:05:00Z"}
        resolved = sender.post(HOOK, json=message(ended, status="resolved")).json()
    assert [one["outcome"] for one in (taken, *again, *resolved)] == ["opened", "known", "resolved"]
    found = shop.get(f"/incidents/{taken['incident']}")
    assert found["reason"] == "alert HighErrors: 5% of requests fail"
    assert found["opened_by"]["name"] == "alertmanager"
    assert found["alerts"][0]["resolved_at"] == "2026-03-02T12:05:00Z"
    assert found["time_line"][-1]["text"].endswith("has resolved")


def test_an_alert_about_nothing_known_is_answered_with_what_is_missing_and_the_others_are_taken(shop: World) -> None:
    with shop.client(ALERTS) as sender:
        answer = sender.post(HOOK, json=message(alert("a1", service="mail"), alert("a2")))
    assert answer.status_code == 422
    assert answer.json()["detail"] == "alert HighErrors: there is no service called 'mail'; 1 others were taken"
    assert "labels service and environment" in answer.json()["remedy"]
    assert len(shop.get("/incidents")["items"]) == 1


def test_nobody_else_sends_alerts_and_what_is_no_message_of_alertmanager_changes_nothing(shop: World) -> None:
    for token in (None, "wrong", ADMIN, ALERTS + "x"):
        with shop.client(token) as anybody:
            answer = anybody.post(HOOK, json=message(alert()))
        assert answer.status_code == 401 and "alerts.token_file" in answer.json()["remedy"]
    bodies: list[Any] = [
        message(alert(), version="3"),
        message({**alert(), "fingerprint": "a b"}),
        message({**alert(), "startsAt": "yesterday"}),
        message(*[alert() for _ in range(501)]),
        [],
    ]
    with shop.client(ALERTS) as sender:
        for body in bodies:
            assert sender.post(HOOK, json=body).status_code == 422
    assert shop.get("/incidents")["items"] == []


def _is_ready(process: subprocess.Popen[bytes], port: int, log: Path) -> bool:
    assert process.poll() is None, log.read_text()
    try:
        return httpx.get(f"http://127.0.0.1:{port}/-/ready").status_code == 200
    except httpx.TransportError:
        return False


@contextmanager
def running_alertmanager(require: Callable[[str, bool], None], hook: str, token: str) -> Iterator[str]:
    """Debian's Alertmanager, that tells the hook at once; its address."""
    binary = shutil.which("prometheus-alertmanager")
    require("prometheus-alertmanager", binary is not None)
    assert binary
    folder, port = Path(tempfile.mkdtemp(dir="/tmp")), free_port()
    webhook = {"url": hook, "http_config": {"authorization": {"credentials": token}}}
    route = {"receiver": "tidegate", "group_by": ["service"], "group_wait": "0s", "group_interval": "1s"}
    configuration = {"route": route, "receivers": [{"name": "tidegate", "webhook_configs": [webhook]}]}
    (folder / "alertmanager.yml").write_text(json.dumps(configuration))
    command = [
        binary,
        f"--config.file={folder / 'alertmanager.yml'}",
        f"--storage.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
        "--log.level=warn",
    ]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)
    try:
        eventually(lambda: _is_ready(process, port, folder / "log"), "Alertmanager")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(folder)


def test_a_real_alertmanager_opens_an_incident_and_tells_that_it_has_resolved(
    shop: World, require: Callable[[str, bool], None]
) -> None:
    with shop.client(ALERTS) as client, running_alertmanager(require, f"{client.base_url}{HOOK}", ALERTS) as manager:
        labels = alert()["labels"]
        fired = [{"labels": labels, "annotations": {"summary": "slow"}}]

        httpx.post(f"{manager}/api/v2/alerts", json=fired).raise_for_status()

        def _alerts(resolved: bool) -> bool:
            items = shop.get("/incidents")["items"]
            return bool(items) and bool(items[0]["alerts"][0]["resolved_at"]) is resolved

        eventually(lambda: _alerts(resolved=False), "the incident")
        over = fired[0] | {"endsAt": datetime.now(UTC).isoformat()}
        httpx.post(f"{manager}/api/v2/alerts", json=[over]).raise_for_status()
        eventually(lambda: _alerts(resolved=True), "that it has resolved")
