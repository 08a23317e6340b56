"""What a user relies on in commands about tests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.integration.cli.command_line import Command
from tests.integration.cli.contract_server import RUN, ContractServer

from tidegate.cli.exit_code import CommandFailed
from tidegate.cli.tests_commands import moment_of

CART = "tests/test_cart.py::test_total[a b]"
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
UNTIL = "2026-03-15T12:00:00+00:00"


def held(**more: Any) -> dict[str, Any]:
    return {
        "service": "shop",
        "test": CART,
        "owner": "Ada",
        "until": UNTIL,
        "reason": "",
        "by": {"kind": "person", "name": "owner"},
        "at": "2026-03-01T12:00:00+00:00",
        "holds": True,
        **more,
    }


def known(**more: Any) -> dict[str, Any]:
    return {
        "service": "shop",
        "scope": "build",
        "step": "unit tests",
        "test": CART,
        "flaky": True,
        "failed": 2,
        "total": 7,
        "first_failed_at": "2026-03-01T12:00:00+00:00",
        "last_failed_at": "2026-03-02T12:00:00+00:00",
        "last_run": RUN,
        "quarantine": None,
        **more,
    }


def test_flaky_tests_are_listed_with_what_may_be_done(tidegate: Command, contract: ContractServer) -> None:
    contract.answer("GET", "/tests/flaky", [known(), known(test="other", flaky=False, quarantine=held(holds=False))])
    ended = tidegate("tests", "flaky", "shop")
    assert ended.code == 0, ended.err
    assert contract.asked[-1].query == {"service": "shop"}
    first, second = ended.out.splitlines()[1:3]
    assert f"shop     build: unit tests  {CART}" in first
    assert "2 of 7  " in first
    assert RUN in first
    assert "2 of 7, not flaky" in second
    assert "expired 2026-03-15" in second
    assert f"next: tidegate tests quarantine shop '{CART}' --owner NAME --until 14d" in ended.out


def test_without_any_it_says_so_and_as_json_it_is_what_the_server_says(
    tidegate: Command, contract: ContractServer
) -> None:
    contract.answer("GET", "/tests/flaky", [], [known()])
    assert "no test is known to be flaky" in tidegate("tests", "flaky").err
    assert contract.asked[-1].query == {}
    assert tidegate("tests", "flaky", "--json").document == [known()]


def test_a_test_is_put_in_quarantine_and_taken_out(tidegate: Command, contract: ContractServer) -> None:
    contract.answer("POST", "/tests/quarantine", held())
    contract.answer("POST", "/tests/release", held())
    put = tidegate("tests", "quarantine", "shop", CART, "--owner", "Ada", "--until", "14d", "--reason", "slow")
    assert put.code == 0, put.err
    body = contract.asked[-1].body
    assert {key: body[key] for key in ("service", "test", "owner", "reason")} == {
        "service": "shop",
        "test": CART,
        "owner": "Ada",
        "reason": "slow",
    }
    assert f"{CART} of shop is in quarantine until 2026-03-15" in put.out
    assert f"next: tidegate tests release shop '{CART}'" in put.out
    taken = tidegate("tests", "release", "shop", CART)
    assert taken.out == f"{CART} of shop counts again\n"
    assert contract.asked[-1].body == {"service": "shop", "test": CART}


@pytest.mark.parametrize("options", [(), ("--owner", "Ada"), ("--until", "14d")])
def test_a_quarantine_needs_an_owner_and_an_end(
    tidegate: Command, contract: ContractServer, options: tuple[str, ...]
) -> None:
    ended = tidegate("tests", "quarantine", "shop", CART, *options)
    assert ended.code == 2
    assert "Missing option" in ended.err
    assert contract.asked == []


def test_an_end_is_a_date_or_a_duration() -> None:
    assert moment_of("14d", NOW) == NOW + timedelta(days=14)
    assert moment_of("1h30m", NOW) == NOW + timedelta(minutes=90)
    assert moment_of("2026-12-24", NOW).replace(tzinfo=None) == datetime(2026, 12, 25)
    assert moment_of("2026-12-24", NOW).tzinfo is not None


@pytest.mark.parametrize("text", ["", "soon", "2026-13-01", "2026-02-30", "14", "99999999999999999d"])
def test_what_is_neither_is_refused_with_the_remedy(text: str) -> None:
    with pytest.raises(CommandFailed, match="neither a date nor a duration") as refused:
        moment_of(text, NOW)
    assert refused.value.remedy == "say --until 14d, or 2026-12-24"
