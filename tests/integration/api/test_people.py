"""Accounts, teams, roles and tokens: what each opens, where, and for how long."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
import pytest

from tidegate.model.people import Role

from .routes import routes_of
from .test_access import FOR_AGENTS, OPEN
from .world import World

OWN = {
    "POST /api/v1/sign-in-codes",
    "POST /api/v1/tokens",
    "DELETE /api/v1/tokens/{token}",
    "DELETE /api/v1/me/sessions",
}
"""What changes something and needs no role: it is one's own."""


def account(world: World, name: str, *roles: dict[str, Any], days: int = 90, cap: str | None = None) -> str:
    """A token of a new account with these roles."""
    world.post("/accounts", {"name": name})
    for role in roles:
        world.post(f"/accounts/{name}/grants", role)
    return str(world.post("/tokens", {"name": "laptop", "account": name, "valid_days": days, "role": cap})["text"])


def told(world: World) -> list[dict[str, Any]]:
    """All events."""
    with world.client() as admin:  # without that header it would be a stream without end
        found: list[dict[str, Any]] = admin.get("/api/v1/events", headers={"accept": "application/json"}).json()
    return found


def acts(world: World) -> list[tuple[str, str, str]]:
    """Every route that changes something for people: name, method, and an example of its path."""
    found = [one for one in routes_of(world.app) if one.path.startswith("/api/") and one.method != "GET"]
    return [(str(one), one.method, one.example) for one in found if str(one) not in OPEN | FOR_AGENTS | OWN]


def test_who_has_no_role_reads_and_changes_nothing(world: World) -> None:
    run = world.add_shop()
    token = account(world, "ada")
    assert len(acts(world)) > 25
    with world.client(token) as ada:
        assert ada.get(f"/api/v1/runs/{run}").status_code == 200
        assert ada.get("/api/v1/services/shop/secrets").status_code == 403
        answered = {
            name: ada.request(method, path, json=BODIES.get(name)).status_code for name, method, path in acts(world)
        }
    assert {name: status for name, status in answered.items() if status != 403} == {}


BODIES: dict[str, dict[str, Any]] = {
    "POST /api/v1/deployments": {"service": "shop", "environment": "production", "release": "x"},
    "POST /api/v1/rollbacks": {"service": "shop", "environment": "production"},
    "POST /api/v1/floors/lift": {"service": "shop", "environment": "production", "reason": "x"},
    "POST /api/v1/freezes": {"environment": "production", "ends": "2099-01-01T00:00:00Z", "reason": "x"},
    "POST /api/v1/drills": {"service": "shop", "environment": "staging"},
    "POST /api/v1/rehearsals": {
        "service": "shop", "commit": "1a2b3c4d" * 5, "environment": "production", "quick": 1, "per_second": 5,
        "began_at": "2026-03-02T12:00:00Z", "ended_at": "2026-03-02T12:07:00Z", "outcomes": [
            {"fault": "errors", "found": True, "why": "", "seconds": 1, "requests": 1, "harmed": 1, "end": "before"}
        ],
    },
    "POST /api/v1/incidents": {"service": "shop", "environment": "production", "reason": "x"},
    "POST /api/v1/tests/quarantine": {
        "service": "shop", "test": "t", "owner": "o", "until": "2026-12-01T00:00:00Z", "reason": "",
    },
    "POST /api/v1/tests/release": {"service": "shop", "test": "t"},
    "POST /api/v1/services": {"repository": "/nowhere"},
    "POST /api/v1/services/{name}/mode": {"mode": "deployment", "reason": ""},
    "PUT /api/v1/services/{name}/secrets/{secret}": {"value": "x"},
    "POST /api/v1/accounts": {"name": "eve"},
    "POST /api/v1/accounts/{name}/disable": {},
    "POST /api/v1/accounts/{name}/grants": {"role": "viewer"},
    "POST /api/v1/accounts/{name}/addresses": {"address": "eve@example.com"},
    "POST /api/v1/accounts/{name}/keys": {"public_key": "ssh-ed25519 AAAA"},
    "POST /api/v1/runs/{run}/break-glass": {"reason": "because"},
    "POST /api/v1/break-glass/{glass}/review": {"comment": "fine"},
    "POST /api/v1/delegations": {"taker": "bob", "giver": "carl"},
    "POST /api/v1/teams/{name}/grants": {"role": "viewer"},
    "PUT /api/v1/teams/{name}": {"members": []},
    "PUT /api/v1/accounts/{name}/password": {"password": "x"},
    "PUT /api/v1/accounts/{name}/provider": {"subject": "x"},
}  # fmt: skip


def test_who_administers_another_service_changes_nothing_of_this_one(world: World) -> None:
    """Every route that changes something has to look where the role counts, not only whether there is one."""
    run = world.add_shop()
    world.build()
    world.post("/services", {"repository": "/repositories/mail", "name": "mail"})
    token = account(world, "ada", {"role": "admin", "service": "mail"})
    answered = {}
    with world.client(token) as ada:
        for name, method, path in acts(world):
            body = BODIES.get(name, {} if method in ("POST", "PUT") else None)
            answer = ada.request(method, path.replace("01hzzzzzzzzzzzzzzzzzzzzzzz", run), json=body)
            answered[name] = answer.status_code
    assert {name: status for name, status in answered.items() if status != 403} == {}


def test_a_role_for_one_environment_opens_its_gates_only(world: World) -> None:
    run = world.add_shop()
    world.build()
    staging = account(world, "ada", {"role": "approver", "environment": "staging"})
    production = account(world, "bob", {"role": "approver", "service": "shop", "environment": "production"})
    with world.client(staging) as ada:
        answer = ada.post(f"/api/v1/runs/{run}/approve")
    assert answer.status_code == 403
    assert "lacks the permission 'approve' of shop in production" in answer.json()["detail"]
    assert "tidegate user grant" in answer.json()["remedy"]
    assert world.get(f"/runs/{run}")["approvals"] == []
    with world.client(production) as bob:
        assert bob.post(f"/api/v1/runs/{run}/approve").json()["actor"]["name"] == "bob"


def test_a_team_gives_its_roles_to_whoever_is_in_it_as_long_as_they_are(world: World) -> None:
    run = world.add_shop()
    token = account(world, "ada")
    world.put("/teams/leads", {"members": ["ada"]})
    world.post("/teams/leads/grants", {"role": "operator", "service": "shop"})
    with world.client(token) as ada:
        assert ada.post(f"/api/v1/runs/{run}/hold").status_code == 200
        world.put("/teams/leads", {"members": []})
        assert ada.post(f"/api/v1/runs/{run}/resume").status_code == 403


def test_a_token_made_for_little_is_good_for_no_more_and_makes_no_better_one(world: World) -> None:
    token = account(world, "ada", {"role": "admin"}, cap="developer")
    run = world.add_shop()
    with world.client(token) as ada:
        assert ada.post(f"/api/v1/runs/{run}/hold").status_code == 200
        assert ada.post("/api/v1/services/shop/pause").status_code == 403
        better = ada.post("/api/v1/tokens", json={"name": "better", "role": "admin"}).json()
        same = ada.post("/api/v1/tokens", json={"name": "same"}).json()
        less = ada.post("/api/v1/tokens", json={"name": "less", "role": "viewer"}).json()
        assert ada.post("/api/v1/tokens", json={"name": "his", "account": "bob"}).status_code == 403
    assert [one["token"]["role"] for one in (better, same, less)] == ["developer", "developer", "viewer"]


@pytest.mark.parametrize("end", ["revoked", "expired", "disabled"])
def test_a_token_that_is_over_opens_nothing(world: World, end: str) -> None:
    token = account(world, "ada", {"role": "operator"}, days=1)
    with world.client(token) as ada:
        assert ada.get("/api/v1/me").json()["account"] == "ada"
        match end:
            case "revoked":
                (known,) = ada.get("/api/v1/tokens").json()
                assert ada.delete(f"/api/v1/tokens/{known['id']}").json()["revoked_at"]
            case "expired":
                world.clock.forward(timedelta(days=1))
            case _:
                world.post("/accounts/ada/disable", {"reason": "left"})
        assert ada.get("/api/v1/me").status_code == 401


def test_a_token_is_shown_once_and_kept_as_a_hash(world: World) -> None:
    token = account(world, "ada", {"role": "operator"})
    with world.client(token) as ada:
        mine = ada.get("/api/v1/tokens").text
        ada.post("/api/v1/tokens", json={"name": "second"})
        kept = ada.post("/api/v1/tokens", json={"name": "third"}, headers={"idempotency-key": "k"}).json()["text"]
        again = ada.post("/api/v1/tokens", json={"name": "third"}, headers={"idempotency-key": "k"}).json()["text"]
    assert kept != again
    assert token not in mine
    assert token not in str(told(world))
    with world.database.reading() as connection:
        dump = str(connection.exec_driver_sql("SELECT * FROM access_token").all())
    assert token not in dump


def test_nobody_sees_or_revokes_the_tokens_of_others_but_an_administrator(world: World) -> None:
    ada, bob = account(world, "ada", {"role": "operator"}), account(world, "bob")
    with world.client(bob) as client:
        (his,) = client.get("/api/v1/tokens").json()
        assert his["account"] == "bob"
        (hers,) = [one for one in world.get("/tokens") if one["account"] == "ada"]
        assert client.delete(f"/api/v1/tokens/{hers['id']}").status_code == 404
    with world.client(ada) as client:
        assert client.get("/api/v1/me").status_code == 200


def test_a_browser_that_signed_in_loses_what_its_account_loses(world: World) -> None:
    run = world.add_shop()
    token = account(world, "ada", {"role": "developer"})
    (grant,) = world.get("/accounts/ada")["grants"]
    code = world.post("/sign-in-codes", token=token)["code"]
    with world.client(None, follow_redirects=True) as browser:
        assert ">ada<" in browser.get(f"/sign-in?code={code}").text
        assert _hold(world, browser, run).status_code == 200
        with world.client() as admin:
            assert admin.delete(f"/api/v1/grants/{grant['id']}").status_code == 200
        assert browser.get(f"/runs/{run}").status_code == 200
        assert _hold(world, browser, run).status_code == 403
        world.post("/accounts/ada/disable", {"reason": "left"})
        assert browser.get(f"/runs/{run}").status_code == 401


def _hold(world: World, browser: httpx.Client, run: str) -> httpx.Response:
    ((_, cookie),) = browser.cookies.items()
    session = world.api.sign_in.session(cookie)
    assert session is not None
    headers = {"origin": world.address, "sec-fetch-site": "same-origin"}
    return browser.post(f"/runs/{run}/hold", data={"csrf": session.csrf}, headers=headers)


@pytest.mark.parametrize("role", Role)
def test_every_act_on_people_is_recorded_with_who_did_it(world: World, role: Role) -> None:
    account(world, "ada", {"role": role.value})
    (grant,) = world.get("/accounts/ada")["grants"]
    with world.client() as admin:
        admin.delete(f"/api/v1/grants/{grant['id']}")
    world.post("/accounts/ada/disable", {"reason": "left"})
    world.post("/accounts/ada/enable")
    seen = {one["kind"]: one for one in told(world) if one["about"].get("account") == "ada"}
    assert set(seen) >= {
        "account.added", "role.granted", "token.made", "role.revoked", "account.disabled", "account.enabled",
    }  # fmt: skip
    assert {one["actor"]["name"] for one in seen.values()} == {"owner"}
    assert role.value in seen["role.granted"]["text"]


@pytest.mark.parametrize(
    ("path", "body", "status", "said"),
    [
        ("/accounts", {"name": "Ada Lovelace"}, 422, "name"),
        ("/accounts", {"name": "ada"}, 409, "there is an account called ada already"),
        ("/accounts/eve/grants", {"role": "viewer"}, 404, "eve"),
        ("/accounts/ada/grants", {"role": "king"}, 422, "role"),
        ("/accounts/ada/grants", {"role": "viewer", "service": "none"}, 404, "no service called 'none'"),
        ("/accounts/ada/grants", {"role": "viewer", "environment": "mars"}, 404, "no environment called 'mars'"),
        ("/teams/leads/grants", {"role": "viewer"}, 404, "no team called 'leads'"),
        ("/tokens", {"name": "x", "account": "ada", "valid_days": 400}, 422, "valid_days"),
        ("/tokens", {"name": "x"}, 404, "owner"),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(
    world: World, path: str, body: dict[str, Any], status: int, said: str
) -> None:
    world.post("/accounts", {"name": "ada"})
    before = len(told(world))
    with world.client() as admin:
        answer = admin.post(f"/api/v1{path}", json=body)
    assert answer.status_code == status, answer.text
    assert said in answer.text
    assert len(told(world)) == before
