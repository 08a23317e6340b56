"""What a user relies on in commands about release trains."""

from __future__ import annotations

from typing import Any

from tests.integration.cli.command_line import Command
from tests.integration.cli.contract_server import ContractServer


def a_passage(**more: Any) -> dict[str, Any]:
    return {
        "id": "01jd0000000000000000000trn",
        "train": "payments",
        "environment": "production",
        "state": "collecting",
        "leaves_at": None,
        "held_by": None,
        "ended_at": None,
        "because": "",
        "members": [],
        "after": {},
        **more,
    }


def a_train(**more: Any) -> dict[str, Any]:
    return {
        "name": "payments",
        "environment": "production",
        "services": ["ledger", "shop"],
        "after": {"shop": ["ledger"]},
        "leaves": None,
        "passage": a_passage(),
        **more,
    }


MEMBER = {"service": "ledger", "run": "r", "release": "r", "label": "1a2b3c4d", "stage": "production"}


def test_trains_are_listed_with_what_sends_them(tidegate: Command, contract: ContractServer) -> None:
    contract.answer("GET", "/trains", [a_train()])
    ended = tidegate("train", "list")
    assert ended.code == 0, ended.err
    assert "ledger, shop" in ended.out
    assert "tidegate train depart payments" in ended.out
    assert tidegate("train", "list", "--json").document == [a_train()]


def test_a_train_shows_what_is_ready_or_aboard_and_how_it_ended_before(
    tidegate: Command, contract: ContractServer
) -> None:
    ready = [{"service": "ledger", "run": "r", "release": "r", "label": "1a2b3c4d"}]
    kept_out = [{"service": "shop", "run": "r2", "label": "5e6f7081", "because": "production is frozen"}]
    ended = a_passage(
        state="returned",
        ended_at="2026-03-01T12:00:00+00:00",
        because="shop 5e6f7081 failed: 12% of its requests failed",
        members=[{**MEMBER, "state": "returned", "because": ""}],
    )
    contract.answer("GET", "/trains/payments", a_train(ready=ready, kept_out=kept_out, passages=[ended]))
    shown = tidegate("train", "show", "payments")
    assert shown.code == 0, shown.err
    assert "shop after ledger" in shown.out
    assert "ready: ledger 1a2b3c4d" in shown.out
    assert "kept out: shop 5e6f7081: production is frozen" in shown.out
    assert "returned: shop 5e6f7081 failed: 12% of its requests failed (ledger 1a2b3c4d returned)" in shown.out
    moving = a_passage(state="moving", members=[{**MEMBER, "state": "called", "because": ""}])
    contract.answer("GET", "/trains/payments", a_train(passage=moving, ready=[], passages=[moving]))
    assert "called" in tidegate("train", "show", "payments").out


def test_a_train_is_sent_held_resumed_and_cancelled(tidegate: Command, contract: ContractServer) -> None:
    for act in ("depart", "hold", "resume", "cancel"):
        contract.answer("POST", f"/trains/payments/{act}", a_passage())
        ended = tidegate("train", act, "payments")
        assert ended.code == 0, ended.err
        assert "payments" in ended.out
    assert [one.path.rpartition("/")[2] for one in contract.asked if one.method == "POST"] == [
        *("depart", "hold", "resume", "cancel")
    ]


def test_what_the_server_refuses_ends_with_its_reason(tidegate: Command, contract: ContractServer) -> None:
    contract.refuse("POST", "/trains/payments/depart", 409, "nothing is ready", "tidegate train show payments")
    ended = tidegate("train", "depart", "payments")
    assert ended.code != 0
    assert "nothing is ready" in ended.err
    assert "next: tidegate train show payments" in ended.err
