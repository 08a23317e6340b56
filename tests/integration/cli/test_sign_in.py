"""What a user relies on in commands about signing in: a password is never an argument, a link stands alone."""

from __future__ import annotations

import pytest
from tests.integration.cli.command_line import Command
from tests.integration.cli.contract_server import ContractServer

LINK = {
    "account": "ada",
    "address": "http://127.0.0.1:8470/welcome?code=c0de",
    "expires_at": "2026-03-03T12:00:00Z",
}
SESSION = {
    "id": "01s",
    "way": "password",
    "address": "192.0.2.1",
    "made_at": "2026-03-02T12:00:00Z",
    "seen_at": "2026-03-02T13:00:00Z",
    "expires_at": "2026-03-09T12:00:00Z",
}


def _answers_to(contract: ContractServer, account: str | None) -> None:
    contract.answer("GET", "/me", {"name": account or "owner", "account": account, "held": []})
    contract.answer("PUT", "/accounts/ada/password", {"account": "ada"})


def test_a_password_is_read_from_standard_input(tidegate: Command, contract: ContractServer) -> None:
    _answers_to(contract, None)
    ended = tidegate("user", "password", "ada", "--password-stdin", stdin="correct horse battery\n")
    assert (ended.code, ended.out) == (0, "the password of ada is set\n")
    assert contract.asked[-1].body == {"password": "correct horse battery"}


def test_ones_own_password_comes_with_the_old_one(tidegate: Command, contract: ContractServer) -> None:
    _answers_to(contract, "ada")
    ended = tidegate("user", "password", "ada", "--password-stdin", "--json", stdin="the old one\nthe new one\n")
    assert ended.document == {"account": "ada"}
    assert contract.asked[-1].body == {"password": "the new one", "old": "the old one"}


@pytest.mark.parametrize(
    ("own", "arguments", "stdin", "says"),
    [
        (False, ("--password-stdin",), "", "0 lines"),
        (False, ("--password-stdin",), "one\ntwo\n", "2 lines"),
        (True, ("--password-stdin",), "one\n", "the old password, and the new one"),
        (False, (), "", "no terminal to ask at"),
        (False, ("secret",), "", "unexpected extra argument"),
    ],
)
def test_what_is_no_password_changes_nothing(
    tidegate: Command, contract: ContractServer, own: bool, arguments: tuple[str, ...], stdin: str, says: str
) -> None:
    _answers_to(contract, "ada" if own else None)
    ended = tidegate("user", "password", "ada", *arguments, stdin=stdin)
    assert ended.code == 2
    assert says in ended.err
    assert not [one for one in contract.asked if one.method == "PUT"]


@pytest.mark.parametrize(
    ("arguments", "path"),
    [(("user", "link", "ada"), "/accounts/ada/password-link"), (("admin-link",), "/first-admin-link")],
)
def test_a_link_is_all_that_standard_output_holds(
    tidegate: Command, contract: ContractServer, arguments: tuple[str, ...], path: str
) -> None:
    contract.answer("POST", path, LINK, status=201)
    ended = tidegate(*arguments)
    assert (ended.code, ended.out) == (0, f"{LINK['address']}\n")
    assert "good once, until" in ended.err


def test_an_account_is_bound_to_a_person_at_the_provider_and_unbound(
    tidegate: Command, contract: ContractServer
) -> None:
    bound = {"account": "ada", "issuer": "https://id.example", "subject": "4f1c"}
    contract.answer("PUT", "/accounts/ada/provider", bound)
    contract.answer("DELETE", "/accounts/ada/provider", (204, None))
    ended = tidegate("user", "bind", "ada", "4f1c")
    assert (ended.code, ended.out) == (0, "ada is 4f1c at https://id.example\nnext: tidegate user unbind ada\n")
    assert tidegate("user", "unbind", "ada").code == 0


def test_too_many_attempts_are_a_refusal(tidegate: Command, contract: ContractServer) -> None:
    contract.refuse("POST", "/first-admin-link", 429, "there were too many failed attempts", "wait")
    assert tidegate("admin-link").code == 3


def test_sessions_are_listed_and_ended(tidegate: Command, contract: ContractServer) -> None:
    contract.answer("GET", "/accounts/ada/sessions", [SESSION])
    contract.answer("GET", "/me/sessions", [SESSION])
    contract.answer("DELETE", "/accounts/ada/sessions", {"ended": 1})
    assert "192.0.2.1" in tidegate("user", "sessions", "ada").out
    assert tidegate("user", "sessions", "--json").document == [SESSION]
    assert tidegate("user", "sessions", "ada", "--end").out == "signed out: 1\n"
