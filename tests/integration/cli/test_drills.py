"""What a user relies on in commands about drills."""

from __future__ import annotations

from typing import Any

from tests.integration.cli.command_line import Command
from tests.integration.cli.contract_server import ContractServer


def a_drill(**more: Any) -> dict[str, Any]:
    return {
        "run": "01jd0000000000000000000drl",
        "service": "shop",
        "environment": "staging",
        "by": {"kind": "person", "name": "ada"},
        "state": "passed",
        "began_at": "2026-03-02T12:00:00+00:00",
        "commit": "99aabbccddee",
        "good_commit": "1a2b3c4d5e6f",
        "seconds": 0.123,
        "whole_seconds": 0.5,
        "went_wrong": [],
        "ended_at": "2026-03-02T12:00:09+00:00",
        **more,
    }


WRONG = a_drill(state="failed", went_wrong=["1 of 2 instances of 1a2b3c4d are healthy"])


def test_a_drill_is_waited_for_and_says_how_long_the_way_back_took(tidegate: Command, contract: ContractServer) -> None:
    contract.answer("POST", "/drills", a_drill(state="goes_on", seconds=None, ended_at=None), status=201)
    contract.answer("GET", f"/drills/{WRONG['run']}", a_drill())
    ended = tidegate("drill", "rollback", "shop", "--env", "staging")
    assert ended.code == 0 and "all traffic was back at 1a2b3c4d after 0.123 s" in ended.out, ended.err
    assert tidegate("drill", "rollback", "shop", "--env", "staging", "--json").document == a_drill()


def test_what_went_wrong_is_said_and_the_command_fails(tidegate: Command, contract: ContractServer) -> None:
    contract.answer("POST", "/drills", WRONG, status=201)
    ended = tidegate("drill", "rollback", "shop", "--env", "staging")
    assert ended.code == 1 and "1 of 2 instances of 1a2b3c4d are healthy" in ended.err
    with_json = tidegate("drill", "rollback", "shop", "--env", "staging", "--json")
    assert (with_json.code, with_json.document) == (1, WRONG)
    contract.answer("GET", "/drills", [WRONG, a_drill()])
    listed = tidegate("drill", "list", "shop")
    assert listed.code == 0 and "failed" in listed.out and "0.123 s" in listed.out
