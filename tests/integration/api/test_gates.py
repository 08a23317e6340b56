"""Gates over the API: whose word counts there, taking it back, standing in for somebody, and breaking the glass."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

from .test_people import account, told
from .world import World, eventually

LEADS = "approvals: {count: 1, from: [leads], not_author: true, comment: true}"


@pytest.fixture
def waiting(world: World) -> Callable[[str], str]:
    """A run that waits at the gate to production with such rules, and who is there: ada (in leads), bob, carl."""

    def begin(rules: str = LEADS) -> str:
        text = world.repositories.text
        world.repositories.text = text.replace("approvals: {count: 1}", rules)
        run = world.add_shop()
        world.build()
        eventually(lambda: stage(world, run)["state"] == "gate", "the gate")
        return run

    return begin


def stage(world: World, run: str) -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in world.get(f"/runs/{run}")["stages"] if one["name"] == "production")
    return found


def why(world: World, run: str) -> str:
    return "; ".join(one["text"] for one in (stage(world, run)["gate"] or {}).get("blocking", ()))


def opens(world: World, run: str) -> str:
    found = eventually(lambda: stage(world, run)["opened_by"] or None, "an open gate")
    return str(found)


def approver(world: World, name: str) -> str:
    return account(world, name, {"role": "approver"})


def say(world: World, token: str, path: str, **body: Any) -> tuple[int, dict[str, Any]]:
    with world.client(token) as client:
        answer = client.post(f"/api/v1/{path}", json=body)
    return answer.status_code, answer.json()


def test_only_the_word_of_those_counts_who_are_asked_and_made_no_change(
    world: World, waiting: Callable[[str], str]
) -> None:
    ada, bob, carl = (approver(world, name) for name in ("ada", "bob", "carl"))
    world.put("/teams/leads", {"members": ["ada", "carl"]})
    world.post("/accounts/ada/addresses", {"address": "Ada@Example.com"})
    run = waiting(LEADS)
    status, problem = say(world, carl, f"runs/{run}/approve")
    assert (status, problem["remedy"]) == (422, f"tidegate approve {run} --comment TEXT")
    told = [say(world, token, f"runs/{run}/approve", comment="looks good")[1]["does_not_count"] for token in (ada, bob)]
    assert told == ["made one of the changes", "is in none of the groups that are asked"]
    eventually(lambda: "bob is in none of the groups" in why(world, run), "the word of bob")
    assert "ada made one of the changes" in why(world, run)
    assert say(world, carl, f"runs/{run}/approve", comment="I have read it")[1]["does_not_count"] is None
    assert opens(world, run) == "approved by carl"


def test_an_author_whom_nobody_has_verified_may_be_the_one_who_approves(
    world: World, waiting: Callable[[str], str]
) -> None:
    bob = approver(world, "bob")
    run = waiting("approvals: {count: 1, not_author: true}")
    assert say(world, bob, f"runs/{run}/approve")[0] == 200
    eventually(lambda: "nobody has verified who ada@example.com is" in why(world, run), "the unknown author")
    assert "so one more yes is needed" in why(world, run)
    remedies = [one["command"] for one in world.get(f"/runs/{run}")["next"]]
    assert remedies == ["tidegate user address NAME ada@example.com"]
    world.post("/accounts", {"name": "ada"})
    world.post("/accounts/ada/addresses", {"address": "ada@example.com"})
    assert opens(world, run) == "approved by bob"


def test_a_team_that_is_deleted_while_its_word_is_awaited_is_named(world: World, waiting: Callable[[str], str]) -> None:
    bob = approver(world, "bob")
    world.put("/teams/leads", {"members": ["bob"]})
    run = waiting("approvals: {from: [leads]}")
    with world.client() as admin:
        assert admin.delete("/api/v1/teams/leads").status_code == 204
    eventually(lambda: "there is no team or account leads any more" in why(world, run), "the lost team")
    assert say(world, bob, f"runs/{run}/approve")[0] == 200
    eventually(lambda: "bob is in none of the groups" in why(world, run), "the word of bob")
    world.put("/teams/leads", {"members": ["bob"]})
    assert opens(world, run) == "approved by bob"


def test_with_a_token_for_looking_only_nobody_opens_a_gate(world: World, waiting: Callable[[str], str]) -> None:
    token = account(world, "ada", {"role": "admin"}, cap="viewer")
    run = waiting("approvals: {count: 1}")
    release = world.get(f"/runs/{run}")["release"]
    asked = {"service": "shop", "environment": "production", "release": release}
    for path, body in (
        (f"runs/{run}/approve", {}),
        (f"runs/{run}/break-glass", {"reason": "fire"}),
        ("deployments", asked),
        ("services/shop/mode", {"mode": "deployment", "reason": "why not"}),
    ):
        assert say(world, token, path, **body)[0] == 403, path
    assert stage(world, run)["state"] == "gate"


def test_a_yes_can_be_taken_back_before_anything_began(world: World, waiting: Callable[[str], str]) -> None:
    ada, bob = approver(world, "ada"), approver(world, "bob")
    run = waiting("approvals: {count: 2}")
    assert say(world, ada, f"runs/{run}/withdraw")[0] == 409
    assert say(world, ada, f"runs/{run}/approve")[0] == 200
    assert say(world, ada, f"runs/{run}/withdraw", comment="wait for the database")[1]["answer"] == "withdrawn"
    assert say(world, bob, f"runs/{run}/approve")[0] == 200
    eventually(lambda: "1 of 2 approvals (bob)" in why(world, run), "one approval")
    assert say(world, ada, f"runs/{run}/approve")[0] == 200
    assert opens(world, run) == "approved by bob, ada"
    status, problem = say(world, ada, f"runs/{run}/withdraw", stage="production")
    assert (status, "production of run" in problem["detail"]) == (409, True)


def test_somebody_stands_in_for_another_while_it_lasts_and_where_the_rule_lets_them(
    world: World, waiting: Callable[[str], str]
) -> None:
    ada, bob = approver(world, "ada"), approver(world, "bob")
    world.put("/teams/leads", {"members": ["ada"]})
    run = waiting("approvals: {from: [leads]}")
    assert say(world, bob, "delegations", taker="bob", giver="ada")[0] == 403
    status, given = say(world, ada, "delegations", taker="bob", days=2, service="shop")
    assert status == 201
    assert [one["taker"] for one in world.get("/delegations")] == ["bob"]
    assert say(world, bob, f"runs/{run}/approve")[1]["stands_for"] == ["ada"]
    assert opens(world, run) == "approved by bob"
    with world.client(bob) as client:
        assert client.delete(f"/api/v1/delegations/{given['id']}").json()["revoked_at"]
    assert world.get("/delegations") == []


def test_nobody_stands_in_who_may_answer_no_gate_there(world: World) -> None:
    ada = approver(world, "ada")
    account(world, "bob", {"role": "developer"})
    world.add_shop()
    status, problem = say(world, ada, "delegations", taker="bob", service="shop")
    assert (status, problem["remedy"]) == (409, "first tidegate user grant bob approver --service shop")
    world.post("/accounts/bob/grants", {"role": "approver", "service": "shop"})
    assert say(world, ada, "delegations", taker="bob", service="shop")[0] == 201
    world.post("/accounts/bob/disable", {"reason": "left"})
    assert say(world, ada, "delegations", taker="bob", service="shop")[1]["detail"] == "the account bob is disabled"
    assert say(world, ada, "delegations", taker="eve")[0] == 404


def test_breaking_the_glass_opens_the_gate_at_once_is_told_and_owes_a_review(
    world: World, waiting: Callable[[str], str]
) -> None:
    ada = account(world, "ada", {"role": "operator"})
    run = waiting("approvals: {count: 3}")
    assert say(world, approver(world, "bob"), f"runs/{run}/break-glass", reason="fire")[0] == 403
    assert say(world, ada, f"runs/{run}/break-glass", reason=" ")[0] == 422
    status, broken = say(world, ada, f"runs/{run}/break-glass", reason="the shop sells for nothing")
    assert (status, broken["stage"]) == (201, "production")
    assert opens(world, run) == "break-glass by ada: the shop sells for nothing"
    assert [one["id"] for one in world.get("/break-glass")] == [broken["id"]]
    assert say(world, ada, f"break-glass/{broken['id']}/review", comment="fine")[0] == 403
    reviewed = world.post(f"/break-glass/{broken['id']}/review", {"comment": "it had to be"})
    assert reviewed["reviewed_by"] == "owner"
    assert world.get("/break-glass") == []
    kinds = [one["kind"] for one in told(world)]
    assert {"glass.broken", "glass.reviewed"} <= set(kinds)


def test_a_release_jumps_ahead_of_its_earlier_stages_by_break_glass_only(
    world: World, waiting: Callable[[str], str]
) -> None:
    world.repositories.text = world.repositories.text.replace(
        "    environment: staging\n", "    environment: staging\n    gate: {approvals: {count: 1}}\n"
    )
    run = world.add_shop()
    world.post("/services/shop/pause", {"reason": "a bad day"})
    world.build()
    eventually(lambda: world.get(f"/runs/{run}")["release"], "the release")
    world.post(f"/runs/{run}/approve", {"stage": "production"})
    assert stage(world, run)["state"] == "pending"
    assert (
        world.post(f"/runs/{run}/break-glass", {"reason": "a hotfix", "stage": "production"})["stage"] == "production"
    )
    assert opens(world, run).startswith("break-glass by owner")


def test_whose_changes_are_whose_is_said_once_and_taken_back(world: World) -> None:
    world.post("/accounts", {"name": "ada"})
    world.post("/accounts", {"name": "bob"})
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIN1a2Vi7B6Fqc3ZyLVVZkkKIKXhZ0yB0m0yF0Qp5lGwS ada@laptop"
    with world.client() as admin:
        known = admin.post("/api/v1/accounts/ada/keys", json={"public_key": key})
        assert known.status_code == 201
        fingerprint = known.json()["fingerprint"]
        taken = admin.post("/api/v1/accounts/bob/keys", json={"public_key": key})
        assert (taken.status_code, "ada" in taken.json()["detail"]) == (409, True)
        assert admin.post("/api/v1/accounts/ada/keys", json={"public_key": "ssh-ed25519 nonsense"}).status_code == 422
        assert admin.post("/api/v1/accounts/ada/addresses", json={"address": "no address"}).status_code == 422
        assert len(world.get("/accounts/ada/authorship")["keys"]) == 1
        path = f"/api/v1/accounts/ada/keys/{quote(fingerprint, safe='')}"
        assert admin.delete(path).json()["account"] == "ada"
        assert admin.delete(path).status_code == 404
