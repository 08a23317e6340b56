"""Addresses, data folders and other people's words: what is checked before anything is done with it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tidegate.cli.connection import checked_server_url, path_of
from tidegate.cli.data_folder import KnownServer, command_for, read_known_server, resolve_data_folder
from tidegate.cli.output import coloured, printable


def test_a_server_may_have_a_path_of_its_own() -> None:
    assert checked_server_url("https://tools.example.org/tidegate/") == "https://tools.example.org/tidegate"


@pytest.mark.parametrize("text", ["", "localhost:8470", "http://:80", "http://h:port", "http://u:p@h", "http://h/?a=b"])
def test_what_is_no_address_of_a_server_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="address of a server"):
        checked_server_url(text)


def test_names_cannot_leave_their_place_in_a_path() -> None:
    assert path_of("runs", "../audit?x=1") == "/api/v1/runs/..%2Faudit%3Fx%3D1"


def test_the_option_counts_more_than_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TIDEGATE_DATA", str(tmp_path / "named"))
    assert resolve_data_folder(tmp_path / "option") == tmp_path / "option"
    assert resolve_data_folder(None) == tmp_path / "named"


def test_without_a_word_the_platforms_folder_counts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("TIDEGATE_DATA", raising=False)
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert resolve_data_folder(None) == Path("/var/lib/tidegate")
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert tmp_path in resolve_data_folder(None).parents


def test_a_folder_through_a_link_is_the_folder_itself(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    assert resolve_data_folder(tmp_path / "link") == (tmp_path / "real").resolve()


def test_a_command_names_the_folder_only_where_it_must(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TIDEGATE_DATA", str(tmp_path))
    assert command_for("server", tmp_path) == "tidegate server"
    assert command_for("down", tmp_path / "a b") == f"tidegate down --data '{tmp_path}/a b'"


@pytest.mark.parametrize("text", ["", "[]", "7", '{"address": "http://h"}', '{"address": "x", "pid": "many"}'])
def test_a_file_that_names_no_server_counts_as_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "server.json").write_text(text)
    assert read_known_server(tmp_path) is None


def test_a_server_is_known_by_its_file(tmp_path: Path) -> None:
    (tmp_path / "server.json").write_text(json.dumps({"address": "http://h:1", "pid": 7, "started": 12.5, "more": 1}))
    assert read_known_server(tmp_path) == KnownServer("http://h:1", 7, 12.5)


def test_other_peoples_words_lose_what_acts_on_a_terminal() -> None:
    assert printable("a\x1b[2Jb\x1b]0;t\x07c\nd\x9be\x1b[1m") == "abc d e"
    assert coloured("\x1b[31mred\x1b[0m\x1b[2J\x08!") == "\x1b[31mred\x1b[0m !"
