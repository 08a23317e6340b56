"""What a user relies on in `tidegate rehearsals`."""

from __future__ import annotations

from typing import Any

from tests.integration.cli.command_line import Command
from tests.integration.cli.contract_server import ContractServer

OUTCOME: dict[str, Any] = {
    "fault": "slow", "found": False, "why": "nothing was said", "seconds": None, "requests": 900, "harmed": 90,
    "end": "new", "rollback_seconds": None, "took_seconds": 60.0, "went_well": False,
}  # fmt: skip
PLAYED = {
    "id": 7, "by": {"kind": "person", "name": "ada"}, "service": "shop", "commit": "1a2b3c4d" * 5,
    "environment": "production", "began_at": "2026-03-02T12:00:00Z", "ended_at": "2026-03-02T12:07:00Z",
    "quick": 5.0, "per_second": 40.0, "outcomes": [OUTCOME], "went_well": False,
}  # fmt: skip


def test_rehearsals_are_listed(tidegate: Command, contract: ContractServer) -> None:
    contract.answer("GET", "/rehearsals", [PLAYED])
    words = "shop is rehearsed by itself, every 7d: the next begins in 6d 23h"
    contract.answer("GET", "/rehearsals/schedule", [{"service": "shop", "in_words": words}])
    listed = tidegate("rehearsals", "shop")
    assert listed.code == 0
    assert "1a2b3c4d" in listed.out and "0 of 1" in listed.out and "slow" in listed.out
    assert words in listed.err
    assert tidegate("rehearsals", "shop", "--json").document == [PLAYED]


def test_where_there_is_none_it_says_how_to_play_one(tidegate: Command, contract: ContractServer) -> None:
    contract.answer("GET", "/rehearsals", [])
    contract.answer("GET", "/rehearsals/schedule", [])
    assert "tidegate rehearse SERVICE" in tidegate("rehearsals").err
