"""What the server tells the programs that it keeps alive."""

from __future__ import annotations

from pathlib import Path

import pytest

from tidegate.cli.server_parts import agent_program
from tidegate.security.isolation import Isolation


def test_its_agent_finds_the_container_engine_that_the_server_was_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    told = {"DOCKER_HOST": "tcp://engine:2376", "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": "/certificates"}
    for name, value in {**told, "AWS_SECRET_ACCESS_KEY": "no business of the agent"}.items():
        monkeypatch.setenv(name, value)
    env = agent_program(Path("/data"), "http://127.0.0.1:8470", Isolation(None, "")).env
    assert told.items() <= env.items()
    assert "AWS_SECRET_ACCESS_KEY" not in env
