"""A server that is told to end does so in order."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tidegate.demo.server_process import DemoServer, start_server


@pytest.mark.parametrize("told_by", [signal.SIGTERM, signal.SIGINT])
def test_it_says_that_it_is_not_there_any_more_and_signs_the_record(tmp_path: Path, told_by: signal.Signals) -> None:
    server = start_server(tmp_path / "data")
    try:
        before = _checkpoints(server)
        server.process.send_signal(told_by)
        server.process.wait(30)
        assert not (server.data / "server.json").exists()
        server = start_server(tmp_path / "data")
        assert _checkpoints(server) > before
    finally:
        server.stop_all()


def _checkpoints(server: DemoServer) -> int:
    with server.client() as client:
        return int(client.get("/api/v1/audit").raise_for_status().json()["checkpoints"])
