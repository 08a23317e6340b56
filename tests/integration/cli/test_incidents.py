"""What a user relies on in commands about incidents."""

from __future__ import annotations

from typing import Any

from tests.integration.cli.command_line import Command
from tests.integration.cli.contract_server import ContractServer


def an_incident(**more: Any) -> dict[str, Any]:
    return {
        "id": "01jd0000000000000000000inc",
        "service": "shop",
        "environment": "production",
        "source": "verification",
        "reason": "errors: 25% of 40 requests",
        "is_open": True,
        "opened_at": "2026-03-02T12:00:00+00:00",
        "opened_by": {"kind": "system", "name": "tidegate"},
        "closed_at": None,
        "closed_because": "",
        "seconds": 65.0,
        "commit": "1a2b3c4d5e6f",
        "good_commit": "99aabbccddee",
        "healthy_since": None,
        "alerts": [],
        **more,
    }


DETAIL = an_incident(
    evidence={"reason": "errors: 25% of 40 requests"},
    commits=[{"commit": "1a2b3c4d5e6f", "subject": "Add discounts", "author_name": "Ada"}],
    time_line=[{"at": "2026-03-02T12:00:01+00:00", "text": "back to 99aabbcc", "actor": {"name": "tidegate"}}],
    post_mortem="# shop in production\n\nTODO: who was affected\n",
)


def test_incidents_are_listed_and_shown_with_what_is_known(tidegate: Command, contract: ContractServer) -> None:
    contract.answer("GET", "/incidents", {"items": [an_incident()], "next": None})
    listed = tidegate("incident", "list", "shop", "--open")
    assert listed.code == 0 and "1a2b3c4d" in listed.out and "1m 5s" in listed.out, listed.err
    contract.answer("GET", f"/incidents/{DETAIL['id']}", DETAIL)
    shown = tidegate("incident", "show", DETAIL["id"]).out
    for wanted in ("in question: 1a2b3c4d; the last good one: 99aabbcc", "Add discounts (Ada)", "back to 99aabbcc"):
        assert wanted in shown
    assert f"next: tidegate incident close {DETAIL['id']}" in shown
    assert tidegate("incident", "show", DETAIL["id"], "--post-mortem").out == DETAIL["post_mortem"]
    assert tidegate("incident", "show", DETAIL["id"], "--json").document == DETAIL


def test_one_is_opened_with_a_reason_only(tidegate: Command, contract: ContractServer) -> None:
    contract.answer("POST", "/incidents", an_incident(), status=201)
    assert tidegate("incident", "open", "shop", "--env", "production").code == 2
    ended = tidegate("incident", "open", "shop", "--env", "production", "--reason", "slow")
    assert ended.code == 0 and "tidegate rollback shop --env production" in ended.out, ended.err
