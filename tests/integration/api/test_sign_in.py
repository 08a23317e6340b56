"""Signing in: who is let in with what, how often one may try, and when a session is over."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from argon2.profiles import CHEAPEST

from tidegate.engine.browser_sessions import KEPT_AT_MOST
from tidegate.engine.entrance import make_entrance
from tidegate.model.sign_in import IDLE_LIMIT, LINK_VALID, SESSION_LIMIT
from tidegate.security.password_hash import PasswordHashes

from .test_people import account, told
from .world import ADMIN, World, a_world, eventually

PASSWORD, OTHER = "correct horse battery", "staple with a hyphen"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One server for all tests here; each has accounts and an address of its own."""
    with a_world(tmp_path_factory.mktemp("world"), unknown_tokens=30) as found:
        yield found


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[World]:
    """A server without accounts."""
    with a_world(tmp_path) as found:
        yield found


def browser(world: World, address: str = "192.0.2.1") -> httpx.Client:
    """What the pages of this server send, through a proxy that says for whom."""
    headers = {"origin": world.address, "sec-fetch-site": "same-origin", "x-forwarded-for": address}
    return httpx.Client(base_url=world.address, headers={**headers, "accept": "text/html"}, verify=False)


def with_password(world: World, name: str, *roles: dict[str, Any]) -> str:
    """A new account with a password; a token of it."""
    token = account(world, name, *roles)
    world.put(f"/accounts/{name}/password", {"password": PASSWORD})
    return token


def enter(client: httpx.Client, name: str, password: str = PASSWORD, **more: str) -> httpx.Response:
    return client.post("/sign-in/password", data={"name": name, "password": password, **more})


def kinds(world: World, name: str) -> list[str]:
    return [one["kind"] for one in told(world) if one["about"].get("account") == name]


def test_a_name_and_a_password_open_a_session_which_is_recorded(world: World) -> None:
    with_password(world, "ada")
    with browser(world, "192.0.2.77") as client:
        answer = enter(client, " Ada ", then="/queue")
        assert (answer.status_code, answer.headers["location"]) == (303, "/queue")
        cookie = answer.headers["set-cookie"].lower()
        assert "httponly" in cookie and "samesite=strict" in cookie and "secure" not in cookie
        assert ">ada<" in client.get("/").text
    (signed_in,) = [one for one in told(world) if one["kind"] == "sign_in.succeeded"]
    assert signed_in["text"] == "ada signs in with a password"
    assert signed_in["data"]["from"] == "192.0.2.77"


def test_behind_tls_the_cookie_is_sent_over_tls_only(world: World) -> None:
    with_password(world, "tls")
    headers = {"origin": world.address.replace("http:", "https:"), "x-forwarded-proto": "https"}
    with browser(world) as client:
        assert (
            "secure"
            in client.post("/sign-in/password", data={"name": "tls", "password": PASSWORD}, headers=headers)
            .headers["set-cookie"]
            .lower()
        )


def test_the_answer_does_not_tell_what_is_wrong(world: World) -> None:
    for name in ("wrong", "gone", "bare"):
        account(world, name)
    world.put("/accounts/wrong/password", {"password": PASSWORD})
    world.put("/accounts/gone/password", {"password": PASSWORD})
    world.post("/accounts/gone/disable", {"reason": "left"})
    world.post("/accounts", {"name": "robot", "kind": "service"})
    answers = []
    for number, name in enumerate(("wrong", "gone", "bare", "robot", "unknown", "Not A Name", "")):
        with browser(world, f"198.51.100.{number}") as client:
            answer = enter(client, name, OTHER if name == "wrong" else PASSWORD)
        assert "set-cookie" not in answer.headers
        typed = f'value="{name}" required'
        answers.append((answer.status_code, answer.text.replace(typed, 'value="" required')))
    assert set(answers) == {answers[0]}
    assert not any(world.api.entrance.passwords.fits(name, PASSWORD) for name in ("gone", "bare", "robot"))
    assert answers[0][0] == 401
    assert "name or the password is wrong" in answers[0][1]


def test_who_guesses_has_to_wait_and_who_waited_may_try_again(world: World) -> None:
    token = with_password(world, "guessed")
    with browser(world, "203.0.113.1") as client:
        assert [enter(client, "guessed", OTHER).status_code for _ in range(6)] == [401] * 5 + [429]
        refused = enter(client, "guessed")
        assert refused.status_code == 429
        assert refused.headers["retry-after"] == "1"
        assert "too many failed attempts" in refused.text
        assert enter(client, "nobody-else").status_code == 401
        with world.client(token) as program:
            assert program.get("/api/v1/me").status_code == 200
        world.clock.forward(timedelta(seconds=1))
        assert enter(client, "guessed").status_code == 303


@pytest.mark.parametrize(
    ("method", "path", "form", "address"),
    [
        ("GET", "/sign-in?code=guess", None, "2001:db8:0:1::1"),
        ("GET", "/welcome?code=guess", None, "2001:db8:0:2::1"),
        ("POST", "/welcome", {"code": "guess"}, "2001:db8:0:3::1"),
        ("POST", "/sign-in", {"token": "guess"}, "2001:db8:0:4::1"),
    ],
)
def test_codes_links_and_tokens_are_not_to_be_guessed(
    world: World, method: str, path: str, form: dict[str, str] | None, address: str
) -> None:
    with browser(world, address) as client:
        answered = [client.request(method, path, data=form).status_code for _ in range(21)]
    assert answered == [401] * 20 + [429]


def test_unknown_tokens_are_held_up_at_their_address_and_known_ones_go_on(world: World) -> None:
    token = account(world, "steady")
    bad = {"authorization": "Bearer guess", "x-forwarded-for": "203.0.113.7"}
    good = {"authorization": f"Bearer {token}", "x-forwarded-for": "203.0.113.7"}
    with world.client(None) as client:
        assert client.get("/api/v1/me", headers=good).status_code == 200
        answers = [client.get("/api/v1/me", headers=bad) for _ in range(31)]
        assert [one.status_code for one in answers] == [401] * 30 + [429]
        assert answers[-1].headers["retry-after"] == "1"
        assert client.get("/api/v1/me", headers=good).status_code == 200
        assert client.get("/api/v1/me", headers={**bad, "x-forwarded-for": "203.0.113.8"}).status_code == 401


def test_failures_are_recorded_once_a_minute_and_never_with_what_was_typed(world: World) -> None:
    with_password(world, "often")
    with browser(world, "203.0.113.2") as client:
        for _ in range(4):
            enter(client, "often", OTHER)
        enter(client, "my secret password")
        world.clock.forward(timedelta(minutes=1))
        enter(client, "often", OTHER)
        eventually(lambda: kinds(world, "often").count("sign_in.failed") == 2, "the second record")
    first, second = [
        one for one in told(world) if one["kind"] == "sign_in.failed" and one["about"].get("account") == "often"
    ]
    assert first["text"] == "a sign-in of often with a password failed"
    assert second["text"] == "a sign-in of often with a password failed, after 3 more"
    assert second["data"] == {"from": "203.0.113.2", "before": 3}
    assert "my secret password" not in str(told(world))


def test_a_password_is_kept_as_a_hash_and_told_nowhere(world: World) -> None:
    with_password(world, "kept")
    with world.database.reading() as connection:
        dump = str(connection.exec_driver_sql("SELECT * FROM password").all())
    assert "$argon2id$" in dump
    assert PASSWORD not in dump + str(told(world))
    assert kinds(world, "kept") == ["account.added", "token.made", "password.set"]


def test_ones_own_password_is_changed_with_the_old_one_and_nobody_elses(world: World) -> None:
    token = with_password(world, "bob")
    account(world, "eve")
    with world.client(token) as bob, browser(world) as first, browser(world) as second:
        for client in (first, second):
            enter(client, "bob")
            assert client.get("/").status_code == 200
        for body in ({"password": OTHER}, {"password": OTHER, "old": "guess"}):
            answer = bob.put("/api/v1/accounts/bob/password", json=body)
            assert answer.status_code == 403
            assert "not the old password" in answer.json()["detail"]
        assert bob.put("/api/v1/accounts/eve/password", json={"password": OTHER}).status_code == 403
        assert bob.put("/api/v1/accounts/bob/password", json={"password": OTHER, "old": PASSWORD}).status_code == 200
        assert [client.get("/").status_code for client in (first, second)] == [401, 401]
        assert enter(first, "bob").status_code == 401
        assert enter(first, "bob", OTHER).status_code == 303


def test_the_old_password_is_not_to_be_guessed_either(world: World) -> None:
    token = with_password(world, "stolen")
    with world.client(token) as thief:
        guesses = [
            thief.put("/api/v1/accounts/stolen/password", json={"password": OTHER, "old": "guess"}) for _ in range(6)
        ]
    assert [one.status_code for one in guesses] == [403] * 5 + [429]
    with browser(world, "192.0.2.99") as client:
        world.clock.forward(timedelta(seconds=1))
        assert enter(client, "stolen").status_code == 303


def test_a_token_alone_sets_no_first_password(world: World) -> None:
    token = account(world, "tokened")
    with world.client(token) as client:
        answer = client.put("/api/v1/accounts/tokened/password", json={"password": PASSWORD, "old": ""})
    assert answer.status_code == 403
    assert "tidegate user link tokened" in answer.json()["remedy"]


@pytest.mark.parametrize(
    ("name", "password", "status", "says"),
    [
        ("plain", "too short", 422, "at least 12"),
        ("plain", "x" * 300, 422, "at most 256"),
        ("long-enough-a-name", "long-enough-a-name", 422, "name"),
        ("machine", PASSWORD, 409, "service account"),
        ("away", PASSWORD, 409, "disabled"),
        ("nobody", PASSWORD, 404, "no account"),
    ],
)
def test_what_cannot_be_a_password_is_refused(world: World, name: str, password: str, status: int, says: str) -> None:
    with world.client() as admin:
        for one in ("plain", "long-enough-a-name", "away"):
            admin.post("/api/v1/accounts", json={"name": one})
        admin.post("/api/v1/accounts", json={"name": "machine", "kind": "service"})
        admin.post("/api/v1/accounts/away/disable", json={"reason": "left"})
        answer = admin.put(f"/api/v1/accounts/{name}/password", json={"password": password})
    assert answer.status_code == status
    assert says in answer.json()["detail"]
    assert password not in answer.text or name == password


def test_a_password_is_hashed_anew_where_the_parameters_changed(world: World) -> None:
    with_password(world, "older")
    stronger = PasswordHashes(replace(CHEAPEST, time_cost=2))
    passwords = make_entrance(world.engine, str, stronger).passwords
    assert passwords.fits("older", PASSWORD)
    with world.database.reading() as connection:
        kept = connection.exec_driver_sql("SELECT hash FROM password WHERE account = 'older'").scalar()
    assert "t=2" in str(kept)
    assert passwords.fits("older", PASSWORD)


# --- sessions ---------------------------------------------------------------------------------------------------


def test_a_session_outlives_the_server_and_only_its_hash_is_kept(world: World) -> None:
    with_password(world, "patient")
    with browser(world) as client:
        enter(client, "patient")
        ((_, cookie),) = client.cookies.items()
        before = world.api.sign_in.session(cookie)
        restarted = make_entrance(world.engine, world.csrf_of, PasswordHashes(CHEAPEST)).sessions.find(cookie)
        assert restarted is not None and restarted == before
        with world.database.reading() as connection:
            dump = str(connection.exec_driver_sql("SELECT * FROM browser_session").all())
        assert cookie not in dump and restarted.csrf not in dump


def test_a_session_is_over_when_it_was_not_used_for_half_a_day_or_after_a_week(fresh: World) -> None:
    with_password(fresh, "ada")
    with browser(fresh) as used, browser(fresh) as idle:
        enter(used, "ada")
        enter(idle, "ada")
        passed, step = timedelta(0), IDLE_LIMIT - timedelta(minutes=5)
        while passed + step < SESSION_LIMIT:
            assert used.get("/").status_code == 200
            fresh.clock.forward(step)
            passed += step
        assert used.get("/").status_code == 200
        assert idle.get("/").status_code == 401
        fresh.clock.forward(SESSION_LIMIT - passed)
        assert used.get("/").status_code == 401


@pytest.mark.parametrize("end", ["disabled", "ended", "ended by the administrator", "signed out", "password", "link"])
def test_what_ends_sessions_ends_them_at_once(world: World, end: str) -> None:
    name = f"ends-{end.rsplit(maxsplit=1)[-1]}"
    token = with_password(world, name)
    with browser(world) as client, world.client(token) as own:
        enter(client, name)
        csrf = re.search(r'name="csrf" value="([0-9a-f]+)"', client.get("/").text)
        (known,) = own.get("/api/v1/me/sessions").json()
        assert (known["way"], known["address"]) == ("password", "192.0.2.1")
        match end:
            case "disabled":
                world.post(f"/accounts/{name}/disable", {"reason": "left"})
                world.post(f"/accounts/{name}/enable")
            case "ended":
                assert own.delete("/api/v1/me/sessions").json() == {"ended": 1}
            case "ended by the administrator":
                with world.client() as admin:
                    assert admin.delete(f"/api/v1/accounts/{name}/sessions").json() == {"ended": 1}
            case "signed out":
                assert csrf is not None
                assert client.post("/sign-out", data={"csrf": csrf[1]}).status_code == 200
            case "password":
                world.put(f"/accounts/{name}/password", {"password": OTHER})
            case _:
                code = _code(world.post(f"/accounts/{name}/password-link"))
                with browser(world) as other:
                    form = {"code": code, "password": OTHER, "again": OTHER}
                    assert other.post("/welcome", data=form).status_code == 303
        assert client.get("/").status_code == 401


def test_nobody_sees_or_ends_the_sessions_of_others_but_an_administrator(world: World) -> None:
    with_password(world, "watched")
    token = account(world, "curious")
    with browser(world) as client, world.client(token) as curious:
        enter(client, "watched")
        assert curious.get("/api/v1/accounts/watched/sessions").status_code == 403
        assert curious.delete("/api/v1/accounts/watched/sessions").status_code == 403
        assert curious.post("/api/v1/accounts/watched/password-link").status_code == 403
        assert len(world.get("/accounts/watched/sessions")) == 1
        assert client.get("/").status_code == 200


def test_a_browser_that_signed_in_with_a_token_stays_no_longer_than_the_token(world: World) -> None:
    token = account(world, "tok", days=1)
    (known,) = [one for one in world.get("/tokens") if one["account"] == "tok"]
    with browser(world) as by_token, browser(world) as by_code:
        by_token.post("/sign-in", data={"token": token})
        by_code.get(f"/sign-in?code={world.post('/sign-in-codes', token=token)['code']}")
        assert [one.get("/").status_code for one in (by_token, by_code)] == [200, 200]
        with world.client() as admin:
            admin.delete(f"/api/v1/tokens/{known['id']}")
        assert [one.get("/").status_code for one in (by_token, by_code)] == [401, 401]


def test_a_service_account_opens_no_pages(world: World) -> None:
    world.post("/accounts", {"name": "bot", "kind": "service"})
    token = world.post("/tokens", {"name": "ci", "account": "bot"})["text"]
    with browser(world) as client:
        answer = client.post("/sign-in", data={"token": token})
        assert answer.status_code == 401
        assert "service account" in answer.text
        code = world.post("/sign-in-codes", token=token)["code"]
        assert client.get(f"/sign-in?code={code}").status_code == 401


def test_so_many_sessions_of_an_account_are_kept_and_the_oldest_give_way(world: World) -> None:
    account(world, "many")
    identity = world.people.identity_for("many")
    assert identity is not None
    cookies = [world.api.sign_in.redeem(world.api.sign_in.new_code(identity)) for _ in range(KEPT_AT_MOST + 1)]
    assert world.api.sign_in.session(cookies[0]) is None
    assert world.api.sign_in.session(cookies[1]) is not None
    assert len(world.get("/accounts/many/sessions")) == KEPT_AT_MOST


# --- one-time links ---------------------------------------------------------------------------------------------


def _code(link: dict[str, Any]) -> str:
    return str(httpx.URL(link["address"]).params["code"])


def _welcome(client: httpx.Client, code: str, **form: str) -> httpx.Response:
    return client.post("/welcome", data={"code": code, "password": PASSWORD, "again": PASSWORD, **form})


def test_the_first_administrator_makes_an_account_with_a_link_once_and_never_again(fresh: World) -> None:
    code = _code(fresh.post("/first-admin-link"))
    with browser(fresh) as client, browser(fresh) as other:
        assert "The first administrator" in client.get(f"/welcome?code={code}").text
        answer = _welcome(client, code, name="Ada", full_name="Ada Lovelace")
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        assert ">ada<" in client.get("/").text
        assert fresh.get("/accounts/ada")["held"][0]["role"] == "admin"
        assert _welcome(other, code, name="eve").status_code == 401
        assert other.get(f"/welcome?code={code}").status_code == 401
    with fresh.client() as owner:
        answer = owner.post("/api/v1/first-admin-link")
        assert answer.status_code == 409
        assert answer.json()["remedy"] == "for a lost password: tidegate user link ada"
    assert [one["name"] for one in fresh.get("/accounts")] == ["ada"]
    assert {"account.added", "role.granted", "password.set", "sign_in.succeeded"} <= set(kinds(fresh, "ada"))


def test_a_link_is_void_as_soon_as_there_is_an_administrator(fresh: World) -> None:
    code = _code(fresh.post("/first-admin-link"))
    account(fresh, "ada", {"role": "admin"})
    with browser(fresh) as client:
        answer = _welcome(client, code, name="eve")
    assert answer.status_code == 422
    assert "an administrator already" in answer.text
    assert [one["name"] for one in fresh.get("/accounts")] == ["ada"]


def test_a_link_ends_after_a_day_and_when_another_is_made_and_survives_what_was_mistyped(fresh: World) -> None:
    account(fresh, "ada")
    first = _code(fresh.post("/accounts/ada/password-link"))
    second = _code(fresh.post("/accounts/ada/password-link"))
    with browser(fresh) as client:
        assert _welcome(client, first).status_code == 401
        mistyped = _welcome(client, second, again="something else")
        assert mistyped.status_code == 422 and "not the same" in mistyped.text
        short = client.post("/welcome", data={"code": second, "password": "short", "again": "short"})
        assert short.status_code == 422 and "at least 12" in short.text
        assert _welcome(client, second, name="eve").status_code == 303  # the name is the link's
        assert enter(client, "ada").status_code == 303
        third = _code(fresh.post("/accounts/ada/password-link"))
        fresh.clock.forward(LINK_VALID)
        assert _welcome(client, third).status_code == 401
    assert [one["name"] for one in fresh.get("/accounts")] == ["ada"]
    with fresh.database.reading() as connection:
        assert second not in str(connection.exec_driver_sql("SELECT * FROM one_time_link").all())


def test_forms_of_other_sites_sign_nobody_in(world: World) -> None:
    """Else a page could sign a browser in to an account of its own, whose acts then look like its user's."""
    with_password(world, "victim")
    with httpx.Client(base_url=world.address, headers={"origin": "https://evil.example"}) as client:
        for path, form in (
            ("/sign-in/password", {"name": "victim", "password": PASSWORD}),
            ("/sign-in", {"token": ADMIN}),
            ("/welcome", {"code": "x"}),
        ):
            answer = client.post(path, data=form)
            assert answer.status_code == 403
            assert "set-cookie" not in answer.headers


def test_changing_the_password_on_the_page_keeps_this_browser_and_signs_the_others_out(world: World) -> None:
    with_password(world, "pager")
    with browser(world) as client, browser(world) as other:
        enter(client, "pager")
        enter(other, "pager")
        csrf = re.search(r'name="csrf" value="([0-9a-f]+)"', client.get("/account").text)
        assert csrf is not None
        form = {"csrf": csrf[1], "old": PASSWORD, "password": OTHER, "again": OTHER}
        wrong = client.post("/account/password", data={**form, "old": "guess"})
        assert wrong.status_code == 422 and "not the old password" in wrong.text
        answer = client.post("/account/password", data=form)
        assert (answer.status_code, answer.headers["location"]) == (303, "/account")
        assert client.get("/account").status_code == 200
        assert other.get("/account").status_code == 401
