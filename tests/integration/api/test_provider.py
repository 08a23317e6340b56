"""Signing in with an OpenID Connect provider, against a small real one: who is let in as whom, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import OctKey

from tidegate.model.provider_person import ProviderSettings
from tidegate.model.sign_in import BEGUN_VALID
from tidegate.security.provider_documents import KEPT_FOR

from .provider import CLIENT, SECRET, SmallProvider, _new_key, a_provider
from .test_people import account, told
from .test_sign_in import browser
from .world import World, a_world

TEAMS = {"payments-leads": "payments", "/staff": "everybody"}


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, SmallProvider]]:
    """One server and one provider for all tests here; each has people of its own."""
    folder = tmp_path_factory.mktemp("world")
    with a_provider() as small:
        settings = ProviderSettings(small.address, CLIENT, "oidc-secret", "Keycloak", teams=TEAMS)
        (folder / "oidc-secret").write_text(SECRET + "\n")
        with a_world(folder, provider=settings) as world:
            small.now = lambda: world.clock.now().timestamp()
            yield world, small


@pytest.fixture
def world(places: tuple[World, SmallProvider]) -> World:
    return places[0]


@pytest.fixture
def small(places: tuple[World, SmallProvider]) -> SmallProvider:
    """The provider, telling the truth again, and asked anew for what it publishes."""
    _, found = places
    fresh = SmallProvider(found.address)
    for name in ("person", "more", "lies", "header", "methods", "refuses", "calls_itself", "answers", "signs_with"):
        setattr(found, name, getattr(fresh, name))
    return found


@dataclass
class Visit:
    """A browser that goes to the provider and comes back."""

    client: httpx.Client

    def leave(self, then: str = "/") -> str:
        """The address at this server to which the provider sends the browser back."""
        away = self.client.get("/sign-in/oidc", params={"then": then})
        assert away.status_code == 303, away.text
        back = httpx.get(away.headers["location"], verify=False)
        return str(back.headers["location"])

    def come_back(self, then: str = "/") -> httpx.Response:
        return self.client.get(self.leave(then))


@pytest.fixture
def visit(world: World) -> Iterator[Visit]:
    with browser(world) as client:
        yield Visit(client)


def sign_in(world: World, small: SmallProvider, **person: Any) -> httpx.Response:
    small.person = person
    with browser(world) as client:
        answer = Visit(client).come_back()
        return client.get("/account") if answer.status_code == 200 else answer


def test_somebody_new_gets_an_account_and_comes_to_the_page(world: World, small: SmallProvider, visit: Visit) -> None:
    small.person = {"sub": "new", "preferred_username": "Grace", "name": "Grace <b>Hopper</b>"}
    answer = visit.come_back("/queue")
    # a redirect from another site brings no strict cookie along, so the page leads on by itself
    assert answer.status_code == 200
    assert 'url=/queue"' in answer.text
    cookies = {one.name: one for one in visit.client.cookies.jar}
    assert [name for name in cookies if "oidc" in name] == []
    assert ">grace<" in visit.client.get("/queue").text
    found = world.get("/accounts/grace")
    assert (found["full_name"], [one["role"] for one in found["held"]]) == ("Grace <b>Hopper</b>", ["viewer"])
    told_of = [one["kind"] for one in told(world) if one["about"].get("account") == "grace"]
    assert told_of == ["account.added", "sign_in.succeeded"]


def test_the_same_person_has_the_same_account_whatever_the_provider_calls_them(
    world: World, small: SmallProvider
) -> None:
    assert ">before<" in sign_in(world, small, sub="constant", preferred_username="before").text
    assert ">before<" in sign_in(world, small, sub="constant", preferred_username="after").text


@pytest.mark.parametrize(("name", "by"), [("local", "a local account"), ("owner", "the owner's name"), ("taken", "")])
def test_a_name_that_is_taken_is_never_taken_over(world: World, small: SmallProvider, name: str, by: str) -> None:
    if by == "a local account":
        account(world, name, {"role": "admin"})
    elif not by:
        sign_in(world, small, sub="the first", preferred_username=name)
    answer = sign_in(world, small, sub=f"not {name}", preferred_username=name)
    assert answer.status_code == 403
    assert f"The name {name} is taken here" in answer.text
    assert f"tidegate user bind {name} not {name}" in answer.text
    assert "set-cookie" not in answer.headers


def test_an_administrator_binds_an_account_and_takes_that_back(world: World, small: SmallProvider) -> None:
    token = account(world, "bound", {"role": "operator"})
    with world.client(token) as own, world.client() as admin:
        path = "/api/v1/accounts/bound/provider"
        assert own.put(path, json={"subject": "b"}).status_code == 403
        assert admin.put(path, json={"subject": "b"}).json()["issuer"] == small.address
        assert ">bound<" in sign_in(world, small, sub="b", preferred_username="whatever").text
        account(world, "second-of-b")
        other = admin.put("/api/v1/accounts/second-of-b/provider", json={"subject": "b"})
        assert other.status_code == 409 and "has the account bound already" in other.json()["detail"]
        assert len(own.get("/api/v1/me/sessions").json()) == 1
        assert admin.delete(path).status_code == 204
        assert own.get("/api/v1/me/sessions").json() == []
    assert sign_in(world, small, sub="b", preferred_username="bound").status_code == 403


def test_groups_put_into_teams_and_take_out_again_and_other_teams_stay(world: World, small: SmallProvider) -> None:
    def _teams(*groups: str) -> list[str]:
        small.more = {"groups": list(groups)}
        sign_in(world, small, sub="member", preferred_username="member")
        return list(world.get("/accounts/member")["teams"])

    assert _teams("payments-leads", "unmapped") == ["payments"]
    world.put("/teams/by-hand", {"members": ["member"]})
    world.post("/teams/payments/grants", {"role": "operator"})
    assert _teams("/staff", "payments-leads") == ["by-hand", "everybody", "payments"]
    assert _teams("/staff") == ["by-hand", "everybody"]
    assert _teams() == ["by-hand"]
    changes = [one["text"] for one in told(world) if one["kind"] == "team.changed" and "its groups" in one["text"]]
    assert [one.split(", as")[0] for one in changes] == [
        "member joins the team payments",
        "member joins the team everybody",
        "member leaves the team payments",
        "member leaves the team everybody",
    ]


def test_an_address_names_an_account_only_when_it_is_verified(world: World, small: SmallProvider) -> None:
    unverified = sign_in(world, small, sub="mail", email="mail@corp.example", email_verified=False)
    assert unverified.status_code == 403
    assert "no user name, nor a verified address" in unverified.text
    assert ">mail<" in sign_in(world, small, sub="mail", email="mail@corp.example", email_verified=True).text


def test_a_disabled_account_is_not_signed_in(world: World, small: SmallProvider) -> None:
    sign_in(world, small, sub="gone", preferred_username="gone")
    world.post("/accounts/gone/disable", {"reason": "left in May"})
    answer = sign_in(world, small, sub="gone", preferred_username="gone")
    assert answer.status_code == 403
    assert "left in May" in answer.text


@pytest.mark.parametrize(
    ("lies", "says"),
    [
        ({"nonce": "of another sign-in"}, "another sign-in than this one"),
        ({"nonce": None}, "another sign-in than this one"),
        ({"aud": "another client"}, "not for this sign-in"),
        ({"aud": [CLIENT, "another"]}, "made for another client"),
        ({"aud": [CLIENT, "another"], "azp": "another"}, "made for another client"),
        ({"azp": "another"}, "made for another client"),
        ({"iss": "https://evil.example"}, "not for this sign-in"),
        ({"exp": 1_700_000_000}, "expired"),
        ({"exp": None}, "not for this sign-in"),
        ({"iat": 32_503_680_000}, "not for this sign-in"),
        ({"sub": ""}, "not for this sign-in"),
        ({"sub": 1}, "not for this sign-in"),
        ({"sub": None}, "not for this sign-in"),
        ({"sub": "x" * 256}, "names nobody"),
    ],
)
def test_a_token_that_proves_nothing_signs_nobody_in(
    small: SmallProvider, visit: Visit, lies: dict[str, Any], says: str
) -> None:
    small.lies = lies
    answer = visit.come_back()
    assert answer.status_code == 401
    assert says in answer.text
    assert "begin again" in answer.text
    assert not [one for one in visit.client.cookies.jar if "session" in one.name]


def test_a_token_of_a_strangers_key_is_refused_whatever_its_name(small: SmallProvider, visit: Visit) -> None:
    small.signs_with = _new_key(str(small.keys[0].kid))
    answer = visit.come_back()
    assert answer.status_code == 401
    assert "not signed with one of its keys" in answer.text


@pytest.mark.parametrize("algorithm", ["none", "HS256"])
def test_a_token_that_anybody_could_sign_is_refused(
    small: SmallProvider, visit: Visit, algorithm: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the client's secret, or a public key, taken for a key of HMAC."""
    encode = jwt.encode

    def _forged(header: dict[str, Any], claims: dict[str, Any], key: Any) -> str:
        own = OctKey.import_key(SECRET)
        return encode({"alg": algorithm, "kid": key.kid}, claims, own, algorithms=["none", "HS256"])

    monkeypatch.setattr(jwt, "encode", _forged)
    answer = visit.come_back()
    assert answer.status_code == 401
    assert "signed in a way that is not accepted" in answer.text


def test_new_keys_are_fetched_when_a_signature_needs_them(world: World, small: SmallProvider) -> None:
    sign_in(world, small, sub="rotated", preferred_username="rotated")
    small.asked.clear()
    small.rotate("three")
    assert ">rotated<" in sign_in(world, small, sub="rotated", preferred_username="rotated").text
    assert small.asked.count("/keys") == 1


def test_an_answer_to_another_sign_in_is_refused(world: World, small: SmallProvider, visit: Visit) -> None:
    """Else a page could sign a browser in as somebody else: with the attacker's code, or a guessed state."""
    with browser(world) as attacker:
        theirs = Visit(attacker).leave()
    visit.leave()
    answer = visit.client.get(theirs)
    assert answer.status_code == 401
    assert "belongs to another sign-in" in answer.text
    with browser(world) as without:
        assert "has begun no sign-in" in without.get(theirs).text


@pytest.mark.parametrize("cookie", ["", "garbage", "gAAAAABm" + "A" * 100])
def test_a_cookie_that_this_server_did_not_seal_is_worth_nothing(visit: Visit, cookie: str) -> None:
    back = visit.leave()
    (name,) = [one.name for one in visit.client.cookies.jar]
    visit.client.cookies.clear()
    answer = visit.client.get(back, headers={"cookie": f"{name}={cookie}"})
    assert answer.status_code == 401
    assert "has begun no sign-in" in answer.text


def test_a_sign_in_is_finished_once_and_within_ten_minutes(world: World, small: SmallProvider, visit: Visit) -> None:
    small.person = {"sub": "once", "preferred_username": "once"}
    back = visit.leave()
    (kept,) = visit.client.cookies.jar
    cookie = f"{kept.name}={kept.value}"
    assert visit.client.get(back).status_code == 200
    with browser(world) as replaying:
        again = replaying.get(back, headers={"cookie": cookie})
        assert again.status_code == 401
        assert "finished before" in again.text
        late = Visit(replaying).leave()
        world.clock.forward(BEGUN_VALID)
        assert "longer than ten minutes" in replaying.get(late).text
        world.clock.forward(-BEGUN_VALID)


def test_a_code_that_was_used_is_refused_by_the_provider(small: SmallProvider, visit: Visit) -> None:
    back = visit.leave()
    small.codes.clear()
    answer = visit.client.get(back)
    assert answer.status_code == 401
    assert "code was used before" in answer.text


def test_what_the_provider_refuses_is_said_as_text(small: SmallProvider, visit: Visit) -> None:
    small.refuses = "access_denied"
    answer = visit.come_back()
    assert answer.status_code == 401
    assert "says no: access_denied &lt;b&gt;no&lt;/b&gt;" in answer.text


def test_the_secret_also_goes_into_the_form_and_a_wrong_one_is_told(
    world: World, small: SmallProvider, visit: Visit, tmp_path: Path
) -> None:
    small.methods = ("client_secret_post",)
    world.clock.forward(KEPT_FOR)
    small.person = {"sub": "form", "preferred_username": "form"}
    assert visit.come_back().status_code == 200
    file = Path(world.database.url.removeprefix("sqlite:///")).parent / "oidc-secret"
    assert file.stat().st_mode & 0o077 == 0  # steps run beside the data folder
    try:
        file.write_text("wrong")
        wrong = visit.come_back()
        file.unlink()
        missing = visit.come_back()
    finally:
        file.write_text(SECRET)
        world.clock.forward(-KEPT_FOR)
    assert wrong.status_code == missing.status_code == 401
    assert "does not accept this server (invalid_client)" in wrong.text
    assert "cannot read oidc-secret in its data folder" in missing.text


@pytest.mark.parametrize("trouble", ["away", "broken", "another"])
def test_a_provider_that_cannot_be_asked_is_named_with_what_to_do(
    tmp_path: Path, small: SmallProvider, trouble: str
) -> None:
    issuer = "http://127.0.0.1:9" if trouble == "away" else small.address
    small.answers = 500 if trouble == "broken" else 200
    small.calls_itself = "https://evil.example" if trouble == "another" else ""
    with a_world(tmp_path, provider=ProviderSettings(issuer, CLIENT)) as world, browser(world) as client:
        answer = client.get("/sign-in/oidc")
        assert answer.status_code == 503
        assert f"The sign-in provider {issuer} cannot be asked at present" in answer.text
        assert "password or a token here can sign in with that meanwhile" in answer.text
        asked = len(small.asked)
        client.get("/sign-in/oidc")
        assert len(small.asked) == asked  # nor again at once
        if trouble == "broken":
            small.answers = 200
            world.clock.forward(timedelta(seconds=5))
            assert client.get("/sign-in/oidc").status_code == 303


def test_only_people_of_the_domain_sign_in(tmp_path: Path, small: SmallProvider) -> None:
    settings = ProviderSettings(small.address, CLIENT, "oidc-secret", email_domains=("corp.example",))
    (tmp_path / "oidc-secret").write_text(SECRET)
    with a_world(tmp_path, provider=settings) as world:
        for verified, status in ((False, 403), (True, 200)):
            answer = sign_in(
                world, small, sub="1", preferred_username="eve", email="eve@corp.example", email_verified=verified
            )
            assert answer.status_code == status


def test_signing_out_offers_to_sign_out_of_the_provider_as_well(
    world: World, small: SmallProvider, visit: Visit
) -> None:
    small.person = {"sub": "leaves", "preferred_username": "leaves"}
    visit.come_back()
    session = next(one for one in visit.client.cookies.jar if "session" in one.name)
    known = world.api.sign_in.session(session.value)
    assert known is not None
    answer = visit.client.post("/sign-out", data={"csrf": known.csrf})
    assert "Sign out of Keycloak as well" in answer.text
    assert f"{small.address}/bye?client_id=tidegate" in answer.text
    assert visit.client.get("/").status_code == 401


def test_where_no_provider_is_configured_there_is_nothing(tmp_path: Path) -> None:
    with a_world(tmp_path) as world, browser(world) as client, world.client() as admin:
        assert client.get("/sign-in/oidc").status_code == 404
        assert client.get("/sign-in/oidc/return").status_code == 404
        world.post("/accounts", {"name": "ada"})
        assert admin.put("/api/v1/accounts/ada/provider", json={"subject": "1"}).status_code == 404
