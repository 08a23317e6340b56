"""What cannot be done is said as problem details: what is wrong, where, and what to do next."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .world import ADMIN, AGENT, World

UNKNOWN = "01hzzzzzzzzzzzzzzzzzzzzzzz"


def _problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert problem["status"] == status
    assert problem["type"].startswith("urn:tidegate:problem:")
    assert problem["title"] and problem["detail"]
    return problem


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("/services/nosuch", "no service called 'nosuch'"),
        (f"/runs/{UNKNOWN}", "no run called"),
        (f"/runs/{UNKNOWN}/events", "no run called"),
        (f"/releases/{UNKNOWN}", "no release called"),
        ("/releases?service=nosuch", "no service called"),
        ("/status?service=nosuch", "no service called"),
        ("/environments/nosuch", "no environment called"),
        (f"/rollouts/{UNKNOWN}", "no rollout called"),
        (f"/steps/{UNKNOWN}/log", "no step run called"),
        ("/nothing", "there is nothing at /api/v1/nothing"),
        (f"/artifacts/sha256:{'0' * 64}", "no artifact"),
    ],
)
def test_what_is_not_there_is_named(world: World, path: str, names: str) -> None:
    with world.client() as client:
        assert names in _problem(client.get(f"/api/v1{path}"), 404)["detail"]


@pytest.mark.parametrize(
    ("method", "path", "body", "says"),
    [
        ("POST", "/services", {}, "body.repository: Field required"),
        ("POST", "/services", {"repository": "/r", "name": "No Good"}, "body.name: should be small letters"),
        ("POST", "/accounts", {"name": "Ä b"}, "body.name: should be small letters, digits and"),
        ("POST", "/services", {"repository": "/r", "colour": "red"}, "body.colour: Extra inputs are not permitted"),
        ("POST", "/services", {"repository": "a\nb"}, "body.repository"),
        ("POST", "/services", {"repository": "/r", "path": "../.."}, 'body.path: "../.." leads out of the repository'),
        ("POST", "/services", {"repository": "/r", "path": "a/../.."}, '"a/../.." leads out of the repository'),
        ("POST", "/services", {"repository": "/r", "path": "/srv/shop"}, "name the service's folder below its root"),
        ("POST", "/services", {"repository": "/r", "path": "a//b"}, '"a//b" has an empty part'),
        ("POST", "/services", {"repository": "/r", "path": " "}, "body.path"),
        ("GET", f"/steps/{UNKNOWN}/log?attempt={'9' * 300}", None, "query.attempt"),
        ("GET", f"/steps/{UNKNOWN}/log.txt?attempt={2**31}", None, "query.attempt"),
        ("GET", f"/steps/{UNKNOWN}/log?first={2**70}", None, "query.first"),
        ("POST", "/rollbacks", {"service": "shop"}, "body.environment: Field required"),
        (
            "POST",
            "/deployments",
            {"service": "shop", "release": "x y", "environment": "production"},
            "body.release: should be letters",
        ),
        ("POST", "/services/shop/mode", {"mode": "sometimes", "reason": "x"}, "body.mode"),
        ("POST", f"/runs/{UNKNOWN}/approve", {"comment": "x" * 3000}, "body.comment"),
        ("POST", f"/runs/{UNKNOWN}/approve", {"comment": "\x1b[2J"}, "control characters are not allowed"),
        ("PUT", "/services/shop/secrets/no-good", {"value": "x"}, "path.secret"),
        ("GET", "/runs?limit=0", None, "query.limit"),
        ("GET", "/runs?limit=1000000", None, "query.limit"),
        ("GET", "/runs?service=No Good", None, "query.service"),
        ("GET", f"/runs/{UNKNOWN}/events?after=-1", None, "query.after"),
    ],
)
def test_bad_input_says_which_field_and_what_is_wrong_with_it(
    world: World, method: str, path: str, body: Any, says: str
) -> None:
    with world.client() as client:
        problem = _problem(client.request(method, f"/api/v1{path}", json=body), 422)
    assert says in problem["detail"]


def test_all_that_is_wrong_is_said_at_once(world: World) -> None:
    with world.client() as client:
        problem = _problem(client.post("/api/v1/deployments", json={"service": "A", "colour": 1}), 422)
    for field in ("body.service", "body.release", "body.environment", "body.colour"):
        assert field in problem["detail"]


def test_a_secret_that_was_refused_is_not_repeated(world: World) -> None:
    with world.client() as client:
        answer = client.put("/api/v1/services/shop/secrets/KEY", json={"value": ["hunter2"], "more": "hunter2"})
    assert "hunter2" not in _problem(answer, 422)["detail"]


@pytest.mark.parametrize("body", [b"{", b"\xff\xfe", b"[]", b'"text"', b"null", b""])
def test_a_body_that_is_no_object_is_refused(world: World, body: bytes) -> None:
    with world.client() as client:
        answer = client.post("/api/v1/services", content=body, headers={"content-type": "application/json"})
    assert _problem(answer, answer.status_code)["status"] in (400, 422)


@pytest.mark.parametrize("text", [r"\ud800", r"\u0000", r"\u001b[31m"])
def test_text_that_is_no_text_is_refused(world: World, text: str) -> None:
    world.add_shop()
    with world.client() as client:
        answer = client.post(
            "/api/v1/services/shop/pause",
            content=f'{{"reason": "{text}"}}',
            headers={"content-type": "application/json"},
        )
    assert "body.reason" in _problem(answer, 422)["detail"]


@pytest.mark.parametrize(
    ("method", "path", "body", "token"),
    [
        ("GET", "/runs?before=%00", None, ADMIN),
        ("DELETE", "/accounts/ada/addresses/%00", None, ADMIN),
        ("POST", "/accounts/ada/addresses", {"address": "a\x00@example.com"}, ADMIN),
        ("POST", "/agents/one/renew", {"held": [{"step_run": "\x00", "attempt": 1, "fence": 1}]}, AGENT),
        (
            "POST",
            "/agents/one/lease",
            {"slots_free": 1, "held": [{"step_run": "\x00", "attempt": 1, "fence": 1}]},
            AGENT,
        ),
    ],
)
def test_nul_does_not_reach_the_database(world: World, method: str, path: str, body: Any, token: str) -> None:
    """PostgreSQL has no text with it, so that it would be an error of the server there."""
    world.post("/accounts", {"name": "ada"})
    with world.client(token) as client:
        _problem(client.request(method, f"/api/v1{path}", json=body), 422)


def test_a_body_that_is_too_large_is_not_read(world: World) -> None:
    def _endless() -> Any:
        for _ in range(40):
            yield b"x" * 100_000

    with world.client() as client:
        declared = client.post("/api/v1/services", content=b"x" * 2_000_000)
        streamed = client.post("/api/v1/services", content=_endless())
    assert "larger than 1024 KiB" in _problem(declared, 413)["detail"]
    assert "larger than 1024 KiB" in _problem(streamed, 413)["detail"]


def test_a_wrong_method_is_named(world: World) -> None:
    with world.client() as client:
        assert "DELETE is not possible" in _problem(client.delete("/api/v1/runs"), 405)["detail"]


def test_refused_acts_say_what_to_do_next(world: World) -> None:
    run = world.shop_in_production()
    with world.client() as client:
        again = _problem(client.post("/api/v1/services", json={"repository": "/repositories/shop"}), 409)
        assert again["remedy"] == "tidegate service remove shop"
        nothing = _problem(client.post("/api/v1/rollbacks", json={"service": "shop", "environment": "production"}), 403)
        assert "nothing to return to" in nothing["detail"]
        assert nothing["remedy"].endswith("--stop")
        assert "has ended" in _problem(client.post(f"/api/v1/runs/{run}/approve"), 409)["detail"]
        assert "nothing to try again" in _problem(client.post(f"/api/v1/runs/{run}/retry"), 409)["detail"]
        going = world.push()
        assert _problem(client.post(f"/api/v1/runs/{going}/retry"), 409)["remedy"] == f"tidegate cancel {going}"
        missing = _problem(client.post("/api/v1/services", json={"repository": "/missing"}), 422)
        assert missing["remedy"] == "tidegate service add REPOSITORY"
        mode = _problem(client.post("/api/v1/services/shop/mode", json={"mode": "deployment", "reason": ""}), 422)
        assert "--reason" in mode["remedy"]


def test_an_error_that_nobody_foresaw_shows_a_number_and_no_traceback(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def _breaks(*_: object) -> None:
        raise RuntimeError("the secret detail")

    run = world.add_shop()
    monkeypatch.setattr(type(world.api.runs), "hold", _breaks)
    with world.client() as client:
        problem = _problem(client.post(f"/api/v1/runs/{run}/hold"), 500)
    assert "the secret detail" not in str(problem)
    number = problem["detail"].rsplit(" ", 1)[1]
    assert any(number in record.getMessage() for record in caplog.records)


def test_a_browser_gets_a_page_instead_of_json(world: World) -> None:
    with world.client() as client:
        answer = client.get("/nothing", headers={"accept": "text/html"})
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/html")


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=20),
    st.just("shop"),
)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3), max_leaves=4)
SLOW = {"/api/v1/agents/{name}/lease"}
"""Waits for work; what it takes is like what `renew` takes."""


def test_whatever_is_sent_to_the_api_is_never_an_error_of_the_server(world: World) -> None:
    """Operations of the OpenAPI document, with values that fit the names of its fields but hardly their types."""
    with world.client() as client, world.client(AGENT) as agent:
        spec = client.get("/api/v1/openapi.json").json()
        operations = [
            (path, method) for path in spec["paths"] if path not in SLOW for method in sorted(spec["paths"][path])
        ]

        @settings(max_examples=150, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @given(st.data(), st.sampled_from(operations))
        def _send(data: st.DataObject, chosen: tuple[str, str]) -> None:
            path, method = chosen
            operation = spec["paths"][path][method]
            request = _drawn(data, spec, path, operation)
            sender = agent if "agents" in operation["tags"] or method == "put" else client
            answer = sender.request(method, **request)
            assert answer.status_code < 500, (method, request, answer.text)
            if answer.status_code >= 400:
                _problem(answer, answer.status_code)

        _send()


def test_the_openapi_document_names_every_operation_once(world: World) -> None:
    with world.client() as client:
        paths = client.get("/api/v1/openapi.json").json()["paths"]
    names = [operation["operationId"] for path in paths.values() for operation in path.values()]
    assert sorted(names) == sorted(set(names))


def _drawn(data: st.DataObject, spec: dict[str, Any], path: str, operation: dict[str, Any]) -> dict[str, Any]:
    query: dict[str, str] = {}
    for parameter in operation.get("parameters", []):
        text = data.draw(st.text(max_size=30) | st.sampled_from(["shop", "production", "1", "-1", "9" * 30]))
        if parameter["in"] == "path":
            path = path.replace(f"{{{parameter['name']}}}", quote(text, safe="") or "x")
        elif parameter["in"] == "query" and data.draw(st.booleans()):
            query[parameter["name"]] = text
    request: dict[str, Any] = {"url": path, "params": query, "headers": {"accept": "application/json"}}
    content = operation.get("requestBody", {}).get("content", {})
    if "application/json" in content:
        fields = sorted(_fields(spec, content["application/json"]["schema"]))
        request["json"] = data.draw(st.fixed_dictionaries({}, optional=dict.fromkeys(fields, VALUES)) | VALUES)
    return request


def _fields(spec: dict[str, Any], schema: dict[str, Any]) -> set[str]:
    """The names of a body's fields, wherever the schema refers to."""
    found = set(schema.get("properties", {}))
    for part in schema.get("anyOf", []):
        found |= _fields(spec, part)
    if "$ref" in schema:
        found |= _fields(spec, spec["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]])
    return found
