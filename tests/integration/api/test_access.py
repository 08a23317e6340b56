"""Who may do what: no route is open by accident, and an agent's token does an agent's work only."""

from __future__ import annotations

import httpx
import pytest

from tidegate.model.people import Role
from tidegate.security.permission import PERMISSIONS, Permission

from .routes import routes_of
from .world import ADMIN, AGENT, World

OPEN = {
    "GET /api/v1/openapi.json",
    "GET /healthz",
    "GET /readyz",
    "GET /metrics",
    "POST /sign-in",
    "POST /sign-in/password",
    "POST /welcome",
    "GET /sign-in/oidc",
    "GET /sign-in/oidc/return",
    "MOUNT /static/",
}
"""What nobody has to be signed in for, on purpose. None of it names a service."""

ASKS_TO_SIGN_IN = "GET /sign-in"
FOR_AGENTS = {
    "POST /api/v1/agents/{name}/lease",
    "POST /api/v1/agents/{name}/renew",
    "POST /api/v1/steps/{step_run}/log",
    "POST /api/v1/steps/{step_run}/result",
    "PUT /api/v1/artifacts",
    "GET /api/v1/git/{name}.git/info/refs",
    "POST /api/v1/git/{name}.git/git-upload-pack",
}
FOR_ALL_TOKENS = {"GET /api/v1/artifacts/{digest}"}


def test_nothing_but_what_is_listed_answers_without_credentials(world: World) -> None:
    routes = routes_of(world.app)
    assert len(routes) > 50
    assert {str(one) for one in routes} >= OPEN | FOR_AGENTS | FOR_ALL_TOKENS | {ASKS_TO_SIGN_IN}
    with world.client(None) as nobody:
        answered = {str(one): nobody.request(one.method, one.example) for one in routes if str(one) not in OPEN}
    assert {name: answer.status_code for name, answer in answered.items() if answer.status_code != 401} == {}
    for name, answer in answered.items():
        if " /api/" in name:
            assert answer.headers["www-authenticate"] == "Bearer", name
            assert "admin-token" in answer.json()["remedy"], name


@pytest.mark.parametrize(
    "credentials",
    [
        {"authorization": "Bearer wrong"},
        {"authorization": "Bearer x y"},
        {"authorization": f"Basic {ADMIN}"},
        {"authorization": ADMIN},
        {"cookie": "tidegate_session=wrong"},
    ],
)
def test_wrong_credentials_open_nothing(world: World, credentials: dict[str, str]) -> None:
    with httpx.Client(base_url=world.address, headers=credentials) as client:
        for one in routes_of(world.app):
            if str(one) not in OPEN:
                assert client.request(one.method, one.example).status_code == 401, one


def test_what_is_open_tells_nothing_of_the_services(world: World) -> None:
    world.shop_in_production()
    with world.client(None) as nobody:
        for path in ("/healthz", "/readyz", "/metrics", "/api/v1/openapi.json", "/static/tidegate.css", "/sign-in"):
            answer = nobody.get(path)
            assert "shop" not in answer.text, path
            assert "Add discounts" not in answer.text, path


def test_an_agents_token_does_only_an_agents_work(world: World) -> None:
    with world.client(AGENT) as agent:
        for one in routes_of(world.app):
            if not one.path.startswith("/api/") or str(one) in OPEN:
                continue
            status = agent.request(one.method, one.example).status_code
            if str(one) in FOR_AGENTS | FOR_ALL_TOKENS:
                assert status not in (401, 403), one
            else:
                assert status == 403, one


def test_a_persons_token_does_no_agents_work(world: World) -> None:
    with world.client(ADMIN) as admin:
        for one in routes_of(world.app):
            if str(one) in FOR_AGENTS:
                answer = admin.request(one.method, one.example)
                assert answer.status_code == 403, one
                assert "lacks the permission 'perform'" in answer.json()["detail"]


def test_a_token_opens_no_page_and_a_pages_cookie_no_agents_route(world: World) -> None:
    with world.client(ADMIN) as admin:
        assert admin.get("/").status_code == 401
    assert Permission.PERFORM not in PERMISSIONS[Role.ADMIN]


def test_a_browsers_session_reads_the_api_and_needs_the_pages_token_to_change_something(world: World) -> None:
    run = world.add_shop()
    with world.client(None) as browser:
        browser.get(f"/sign-in?code={world.api.sign_in.new_code()}")
        assert browser.get(f"/api/v1/runs/{run}").status_code == 200
        own = {"origin": world.address, "sec-fetch-site": "same-origin"}
        for headers in ({}, own, {"origin": "http://evil.example"}):
            answer = browser.post(f"/api/v1/runs/{run}/hold", headers=headers)
            assert answer.status_code == 403, headers
        ((_, cookie),) = browser.cookies.items()
        session = world.api.sign_in.session(cookie)
        assert session is not None
        answer = browser.post(f"/api/v1/runs/{run}/hold", headers={**own, "x-csrf-token": session.csrf})
        assert answer.json()["held_by"] == "owner"


def test_a_server_answers_only_to_its_own_names(world: World) -> None:
    """A page whose name was rebound to this address calls the server by that name."""
    with world.client(None) as client:
        for host in ("evil.example", "localhost.evil.example", "127.0.0.1.evil.example", ""):
            answer = client.get("/sign-in", headers={"host": host})
            assert answer.status_code in (400, 421), host
        for host in ("localhost:8470", "[::1]", "tidegate.example"):
            assert client.get("/healthz", headers={"host": host}).status_code == 200, host


def test_a_sign_in_code_is_for_who_asked(world: World) -> None:
    code = world.post("/sign-in-codes", token="second-token-for-tests")
    assert code["address"].startswith(f"{world.address}/sign-in?code=")
    with world.client(None, follow_redirects=True) as browser:
        assert ">second<" in browser.get(code["address"]).text


def test_every_answer_carries_the_headers_that_protect_it(world: World) -> None:
    with world.client() as client:
        for path in ("/api/v1/services", "/healthz", "/nothing", "/static/tidegate.js", "/sign-in"):
            headers = client.get(path).headers
            assert headers["x-content-type-options"] == "nosniff", path
            assert headers["x-frame-options"] == "DENY", path
            assert "default-src 'none'" in headers["content-security-policy"], path
        assert client.get("/api/v1/services").headers["cache-control"] == "no-store"
