"""Finding an Envoy, and starting it."""

from __future__ import annotations

import json
import shutil
import stat
from pathlib import Path

import psutil
import pytest
from tests.integration.routers.envoy_bench import EnvoyBench

from tidegate.routers.envoy_process import (
    EnvoyMissing,
    admin_socket_path,
    bootstrap,
    envoy_binary,
    envoy_command,
    prepare_envoy,
)


def test_a_path_without_an_envoy_is_named_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(EnvoyMissing, match=r"nothing cannot be run \(No such file.*--envoy PATH"):
        envoy_binary(tmp_path / "nothing")


def test_a_file_that_cannot_be_executed_is_named_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "envoy").write_bytes(b"\x7fELF of another machine")
    (tmp_path / "envoy").chmod(0o755)
    with pytest.raises(EnvoyMissing, match=r"envoy cannot be run \(Exec format error\).*--envoy PATH"):
        envoy_binary(tmp_path / "envoy")


def test_a_program_that_is_no_envoy_is_told_with_what_it_said(tmp_path: Path) -> None:
    program = tmp_path / "envoy"
    program.write_text("#!/bin/sh\necho 'GLIBC_2.31 not found' >&2\nexit 1\n")
    program.chmod(0o755)
    with pytest.raises(EnvoyMissing, match=r"not an Envoy that runs here \(GLIBC_2.31 not found\).*--envoy PATH"):
        envoy_binary(program)


def test_a_platform_without_an_envoy_is_named_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tidegate.routers.envoy_process.find_spec", lambda name: None)
    with pytest.raises(EnvoyMissing, match=r"there is none for \w+ on \w+; install Envoy .* --envoy PATH"):
        envoy_binary()


def test_the_installed_envoy_may_also_be_given_by_its_path(envoy: EnvoyBench) -> None:
    assert envoy_binary(envoy_binary()) == envoy_binary()


def test_preparing_the_same_folder_again_changes_nothing(tmp_path: Path) -> None:
    prepare_envoy(tmp_path / "router")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.json")}
    prepare_envoy(tmp_path / "router")
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.json")} == before
    assert len(before) == 4


def test_the_command_changes_with_the_place_of_the_admin_interface_only(tmp_path: Path) -> None:
    binary, folder = Path("/opt/envoy"), tmp_path / "router"
    here = envoy_command(binary, folder, tmp_path / "a.sock")
    assert here == envoy_command(binary, folder, tmp_path / "a.sock")
    assert here != envoy_command(binary, folder, tmp_path / "b.sock")
    assert "b.sock" not in json.dumps(bootstrap(folder))


def test_only_its_own_user_reaches_the_admin_interface_and_no_port_is_open(envoy: EnvoyBench) -> None:
    mode = envoy.socket.stat().st_mode
    assert stat.S_ISSOCK(mode) and stat.S_IMODE(mode) == 0o600
    assert psutil.Process(envoy.pid).net_connections("inet") == []


def test_a_long_data_folder_gets_a_short_private_place_for_the_socket(tmp_path: Path) -> None:
    short = Path("/srv/tidegate/run")
    assert admin_socket_path(short) == short / "envoy-admin.sock"
    long = tmp_path / ("d" * 100) / "run"
    found = admin_socket_path(long)
    try:
        assert len(str(found)) < 100
        assert found == admin_socket_path(long)
        assert found != admin_socket_path(tmp_path / ("e" * 100) / "run")
        assert stat.S_IMODE(found.parent.stat().st_mode) == 0o700
        found.parent.chmod(0o777)
        with pytest.raises(PermissionError, match="not a private folder of ours"):
            admin_socket_path(long)
    finally:
        shutil.rmtree(found.parent)
        shutil.rmtree(admin_socket_path(tmp_path / ("e" * 100) / "run").parent)
