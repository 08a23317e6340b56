"""How a sign-in provider is asked: what is sent to it, and what it cannot do to this server by an odd answer."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import httpx
import pytest

from tidegate.model.provider_person import ProviderPerson, ProviderSettings
from tidegate.security.provider import Begun, Provider
from tidegate.security.provider_problems import ProviderAway, ProviderRefuses, SignInFailed
from tidegate.security.provider_requests import LARGEST_ANSWER, fetch_document, new_session

from .provider import CLIENT, SECRET, SmallProvider, a_provider

RETURN = "https://tidegate.example/return"


@pytest.fixture(scope="module")
def serving() -> Iterator[SmallProvider]:
    with a_provider() as small:
        yield small


@pytest.fixture
def small(serving: SmallProvider) -> SmallProvider:
    serving.methods, serving.public, serving.says, serving.more = ("client_secret_basic",), False, {}, {}
    serving.person = {"sub": "1", "preferred_username": "ada"}
    return serving


def server_with(small: SmallProvider, folder: Path, *, secret: str | None = SECRET, **more: Any) -> Provider:
    if secret is not None:
        (folder / "oidc-secret").write_text(secret)
    settings = ProviderSettings(small.address, CLIENT, "oidc-secret" if secret is not None else None, **more)
    return Provider(settings, folder, lambda: datetime.now(UTC))


def left(provider: Provider) -> tuple[Begun, dict[str, str]]:
    """A browser that went to the provider, and what it brings back."""
    address, begun = provider.begin(RETURN)
    back = httpx.get(address).headers["location"]
    return begun, dict(parse_qsl(urlsplit(back).query))


def person(provider: Provider) -> ProviderPerson:
    begun, answer = left(provider)
    return provider.finish(answer, begun, RETURN)


def test_the_browser_is_sent_with_all_that_the_flow_needs_and_no_secret(small: SmallProvider, tmp_path: Path) -> None:
    address, begun = server_with(small, tmp_path).begin(RETURN)
    query = parse_qs(urlsplit(address).query)
    challenge = query.pop("code_challenge")
    assert query == {
        "tenant": ["one"],
        "response_type": ["code"],
        "client_id": [CLIENT],
        "redirect_uri": [RETURN],
        "scope": ["openid profile email"],
        "state": [begun.state],
        "nonce": [begun.nonce],
        "code_challenge_method": ["S256"],
    }
    assert len(challenge[0]) == 43 and challenge != [begun.verifier]
    assert len({begun.state, begun.nonce, begun.verifier}) == 3


def test_a_public_client_sends_its_name_alone(small: SmallProvider, tmp_path: Path) -> None:
    small.public = True
    assert person(server_with(small, tmp_path, secret=None)).username == "ada"


def test_a_secret_beyond_latin_is_refused_like_any_wrong_one(small: SmallProvider, tmp_path: Path) -> None:
    with pytest.raises(SignInFailed, match="does not accept this server"):
        person(server_with(small, tmp_path, secret="пароль €"))


def test_sign_ins_at_the_same_time_are_kept_apart(small: SmallProvider, tmp_path: Path) -> None:
    provider = server_with(small, tmp_path)
    begun = []
    for name in ("ada", "grace"):
        small.person = {"sub": name, "preferred_username": name}
        begun.append(left(provider))
    (of_ada, her_answer), (of_grace, other_answer) = begun
    with pytest.raises(SignInFailed, match="another sign-in"):
        provider.finish(her_answer, of_grace, RETURN)
    with pytest.raises(SignInFailed, match="code was used before"):  # another's verifier does not prove it
        provider.finish(her_answer, Begun(of_ada.state, of_ada.nonce, of_grace.verifier), RETURN)
    assert provider.finish(other_answer, of_grace, RETURN).subject == "grace"


@pytest.mark.parametrize(
    "says", [{"expires_in": 1}, {"token_type": None}, {"token_type": "bearer", "expires_in": "60"}]
)
def test_what_the_token_lacks_is_asked_for_however_the_provider_describes_the_access_token(
    small: SmallProvider, tmp_path: Path, says: dict[str, Any]
) -> None:
    small.says, small.more = says, {"groups": ["staff"]}
    assert person(server_with(small, tmp_path, teams={"staff": "everybody"})).groups == ("staff",)


def test_an_error_with_status_200_is_an_error(small: SmallProvider, tmp_path: Path) -> None:
    small.says = {"error": "invalid_grant"}
    with pytest.raises(SignInFailed, match="code was used before"):
        person(server_with(small, tmp_path))


@pytest.mark.parametrize("odd", ["soon", [1], {"in": 1}])
def test_an_answer_that_oauth_does_not_know_is_the_providers_trouble(
    small: SmallProvider, tmp_path: Path, odd: object
) -> None:
    small.says = {"expires_in": odd}
    with pytest.raises(ProviderAway, match="/token answers with what is no answer of OAuth"):
        person(server_with(small, tmp_path))


class Odd(BaseHTTPRequestHandler):
    """Answers that a good provider does not give."""

    seen: list[tuple[str, str | None]]

    def do_GET(self) -> None:
        self.seen.append((self.path, self.headers.get("Authorization")))
        status, body = 200, b"{}"
        match self.path:
            case "/endless":
                body = b'{"a": "' + b"x" * LARGEST_ANSWER + b'"}'
            case "/elsewhere":
                status = 302
            case "/deep":
                body = b"[" * 100_000
            case "/refusing":
                status, body = 401, b'{"error": "invalid_token"}'
        self.send_response(status)
        self.send_header("Location", "/found")
        # more than is sent, where the connection is to break
        self.send_header("Content-Length", str(len(body) + (self.path == "/broken")))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None: ...


@pytest.fixture(scope="module")
def odd() -> Iterator[Callable[[str], Any]]:
    Odd.seen = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Odd)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    address = f"http://127.0.0.1:{server.server_port}"
    try:
        yield lambda path: fetch_document(new_session(address), address, address + path)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/endless", r"/endless answers with more than 1024 KiB\. Try again"),
        ("/elsewhere", "/elsewhere answers with status 302, not with a JSON object"),
        ("/deep", "/deep answers with status 200, not with a JSON object"),
        ("/broken", "/broken: IncompleteRead"),
    ],
)
def test_an_odd_answer_is_refused_and_named(odd: Callable[[str], Any], path: str, says: str) -> None:
    with pytest.raises(ProviderAway, match=says):
        odd(path)
    assert Odd.seen[-1][0] == path  # and no redirect was followed


def test_an_error_of_oauth_is_told_by_its_word(odd: Callable[[str], Any]) -> None:
    with pytest.raises(ProviderRefuses, match=r"^invalid_token$"):
        odd("/refusing")


def test_a_password_of_the_servers_user_is_not_sent(
    odd: Callable[[str], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "netrc"
    file.write_text("default login somebody password of-theirs\n")
    file.chmod(0o600)
    monkeypatch.setenv("NETRC", str(file))
    odd("/fine")
    assert Odd.seen[-1] == ("/fine", None)


def test_a_connection_that_is_refused_is_told_in_plain_words() -> None:
    address = "http://127.0.0.1:9"
    with pytest.raises(ProviderAway) as told:
        fetch_document(new_session(address), address, f"{address}/keys")
    assert f"{address}/keys: [Errno" in str(told.value)
    assert "Pool" not in str(told.value)


def test_certificates_that_are_not_there_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for other in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(other, raising=False)
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/ca.pem")
    address = "https://127.0.0.1:9"
    with pytest.raises(ProviderAway, match=r"/nowhere/ca\.pem"):
        fetch_document(new_session(address), address, address)


def test_a_server_without_a_provider_loads_nothing_of_it() -> None:
    script = (
        "import sys, tidegate.cli.server_wiring, tidegate.web.provider, tidegate.engine.entrance\n"
        "loaded = {'authlib', 'joserfc', 'requests'} & set(sys.modules)\n"
        "assert not loaded, loaded\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
