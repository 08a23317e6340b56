"""What a user relies on in every command that talks to a server: exit codes, one JSON document, clear words."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest
from tests.integration.cli.command_line import Command
from tests.integration.cli.contract_server import COMMIT, RUN, TOKEN, ContractServer, run_document


def test_without_a_server_the_command_that_starts_one_is_named(alone: Command) -> None:
    ended = alone("status")
    assert ended.code == 4
    assert f"no server runs on {alone.data}" in ended.err
    assert "next: tidegate server\n" in ended.err
    assert ended.out == ""


def test_the_command_that_starts_a_server_names_the_data_folder_where_it_was_named(alone: Command, place: Path) -> None:
    ended = alone("status", "--data", str(place / "other one"))
    assert ended.code == 4
    assert f"next: tidegate server --data '{place}/other one'" in ended.err


def test_a_server_that_has_died_is_not_reachable(alone: Command) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{taken.getsockname()[1]}"
        (alone.data / "server.json").write_text(json.dumps({"address": address, "pid": 1}))
        (alone.data / "admin-token").write_text(TOKEN)
        ended = alone("runs", "--json")
    assert ended.code == 4
    assert ended.document["error"]["exit_code"] == 4
    assert f"no server answers at {address}: nothing listens there" in ended.err
    assert "next: tidegate server" in ended.err


def test_a_half_written_server_file_counts_as_no_server(alone: Command) -> None:
    (alone.data / "server.json").write_text('{"address": ')
    assert alone("status").code == 4


def test_the_environment_names_another_server(alone: Command, contract: ContractServer) -> None:
    contract.answer("GET", "/status", [])
    ended = alone("status", "--json", env={"TIDEGATE_SERVER": contract.address + "/", "TIDEGATE_TOKEN": TOKEN})
    assert (ended.code, ended.document) == (0, [])


def test_the_token_of_a_data_folder_goes_to_its_own_server_only(tidegate: Command, contract: ContractServer) -> None:
    contract.answer("GET", "/status", [])
    ended = tidegate("status", env={"TIDEGATE_SERVER": contract.address})
    assert ended.code == 3
    assert "next: set TIDEGATE_TOKEN to a token of that server" in ended.err
    assert [one.headers.get("Authorization") for one in contract.asked] == [None]


def test_a_token_that_is_named_goes_before_the_administrators(tidegate: Command, contract: ContractServer) -> None:
    contract.answer("GET", "/status", [])
    assert tidegate("status", env={"TIDEGATE_TOKEN": "bens"}).code == 3
    empty = tidegate("status", env={"TIDEGATE_TOKEN": " "})
    assert (empty.code, "TIDEGATE_TOKEN is set and empty" in empty.err) == (2, True)
    elsewhere = {"TIDEGATE_TOKEN": "of another server", "TIDEGATE_SERVER": "http://127.0.0.1:1"}
    assert tidegate("status", "--data", str(tidegate.data), env=elsewhere).code == 0
    assert [one.headers.get("Authorization") for one in contract.asked] == ["Bearer bens", f"Bearer {TOKEN}"]


@pytest.mark.parametrize("address", ["8470", "ftp://example.org", "http://", "http://me:secret@example.org"])
def test_an_address_that_is_none_is_wrong_usage(alone: Command, address: str) -> None:
    ended = alone("status", env={"TIDEGATE_SERVER": address})
    assert ended.code == 2
    assert "TIDEGATE_SERVER" in ended.err


@pytest.mark.parametrize(("status", "code"), [(401, 3), (403, 3), (404, 2), (409, 1), (422, 2), (500, 1), (503, 4)])
def test_what_a_server_refuses_ends_with_the_code_that_scripts_know(
    tidegate: Command, contract: ContractServer, status: int, code: int
) -> None:
    contract.answer("GET", f"/runs/{RUN}", run_document("waiting"))
    contract.refuse("POST", f"/runs/{RUN}/promote", status, "the next share waits for approvals", "tidegate approve R")
    ended = tidegate("promote", RUN, "--json")
    assert ended.code == code
    ours = f"{tidegate.data}/admin-token is not of the server at {contract.address}; start it again: tidegate server"
    remedy = ours if status == 401 else "tidegate approve R"
    assert ended.document == {
        "error": {"message": "the next share waits for approvals", "remedy": remedy, "exit_code": code}
    }
    assert f"tidegate: the next share waits for approvals\nnext: {remedy}\n" in ended.err


def test_something_else_than_a_tidegate_server_is_said_to_be_so(tidegate: Command, contract: ContractServer) -> None:
    contract.answer("GET", "/status", b"<html>")
    ended = tidegate("status")
    assert ended.code == 4
    assert "is not a Tidegate server" in ended.err


def test_words_of_others_cannot_act_on_a_terminal(tidegate: Command, contract: ContractServer) -> None:
    evil = "Add\x1b]0;title\x07 \x1b[2J\x1b[31mdiscounts\r\n2000"
    contract.answer("GET", "/runs", {"items": [run_document(subject=evil)], "next": None})
    ended = tidegate("runs")
    assert "\x1b" not in ended.out and "\r" not in ended.out
    assert "Add discounts  2000" in ended.out
    assert "\x1b[2J" not in tidegate.on_terminal("runs").out


def test_a_command_that_does_not_exist_names_the_nearest(alone: Command) -> None:
    ended = alone.as_process("staus")
    assert ended.code == 2
    assert "No such command 'staus'. Did you mean 'status'" in ended.err
    assert "next: tidegate --help" in ended.err


def test_a_role_that_does_not_exist_is_said_in_our_own_words(alone: Command) -> None:
    ended = alone("user", "grant", "vera", "chief")
    assert ended.code == 2
    assert "'chief' is not one of 'viewer'" in ended.err
    assert "Value error" not in ended.err


def test_an_option_that_does_not_exist_is_wrong_usage_in_json_too(alone: Command) -> None:
    ended = alone("rollback", "shop", "--json")
    assert ended.code == 2
    assert "--env" in ended.document["error"]["message"]
    assert ended.document["error"]["remedy"] == "tidegate rollback --help"


def test_a_defect_is_one_line_and_its_traceback_is_for_those_who_ask(
    tidegate: Command, contract: ContractServer
) -> None:
    contract.answer("GET", "/runs", {"items": [{"id": RUN}], "next": None})
    ended = tidegate("runs")
    assert ended.code == 1
    assert ended.err.startswith("tidegate: an error in Tidegate itself: KeyError: ")
    assert "TIDEGATE_DEBUG=1" in ended.err
    assert "Traceback" not in ended.err
    assert "Traceback" in tidegate.as_process("runs", env={"TIDEGATE_DEBUG": "1"}).err


def test_a_connection_that_the_server_closed_is_opened_again(tidegate: Command, contract: ContractServer) -> None:
    contract.close_after_answer = True
    contract.answer("GET", f"/runs/{RUN}", run_document())
    contract.answer("POST", f"/runs/{RUN}/hold", run_document())
    assert tidegate("hold", RUN).code == 0
    assert len(contract.bodies("POST", f"/runs/{RUN}/hold")) == 1


def test_every_act_carries_a_key_of_its_own(tidegate: Command, contract: ContractServer) -> None:
    contract.answer("GET", f"/runs/{RUN}", run_document())
    contract.answer("POST", f"/runs/{RUN}/hold", run_document())
    tidegate("hold", RUN)
    tidegate("hold", RUN)
    keys = [one.headers["Idempotency-Key"] for one in contract.asked if one.method == "POST"]
    assert len(set(keys)) == 2


def test_a_table_is_plain_in_a_pipe_and_drawn_on_a_terminal(tidegate: Command, contract: ContractServer) -> None:
    contract.answer("GET", "/runs", {"items": [run_document("succeeded")], "next": None})
    plain = tidegate("runs").out
    assert plain.splitlines()[0].startswith("RUN ")
    assert f"{RUN}  shop     {COMMIT[:8]}  succeeded" in plain
    assert tidegate.as_process("runs").out == plain
    drawn = tidegate.on_terminal("runs").out
    assert "\x1b[32m" in drawn and "─" in drawn
    assert "\x1b[32m" not in tidegate.on_terminal("runs", env={"NO_COLOR": "1"}).out


def test_completion_is_offered_for_the_shell(alone: Command) -> None:
    ended = alone.in_bash("--show-completion")  # which shell it is, it finds out by who called it
    assert ended.code == 0
    assert "_TIDEGATE_COMPLETE" in ended.out or "_tidegate_completion" in ended.out


def test_commands_over_http_start_without_the_heavy_parts(tidegate: Command, contract: ContractServer) -> None:
    import subprocess
    import sys

    contract.answer("GET", "/status", [])
    script = (
        "import sys\nfrom tidegate.cli.main import run\n"
        "assert run(['status', '--json']) == 0\n"
        "heavy = {'scipy', 'numpy', 'sqlalchemy', 'alembic', 'fastapi', 'uvicorn', 'httpx', 'cryptography', 'rich'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], env=tidegate.env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
