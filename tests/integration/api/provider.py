"""A small OpenID Connect provider on loopback: it signs with joserfc, checks PKCE, and lies as a test tells it."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey, KeySet

CLIENT, SECRET = "tidegate", "s3cret of the client: %"


@dataclass
class SmallProvider:
    """Lets everybody in at once, as `person`; `lies` are claims that replace those that would be right."""

    address: str = ""
    person: dict[str, Any] = field(default_factory=lambda: {"sub": "1", "preferred_username": "ada"})
    more: dict[str, Any] = field(default_factory=dict)
    """What it says of the person only when asked for it."""

    lies: dict[str, Any] = field(default_factory=dict)
    header: dict[str, Any] = field(default_factory=dict)
    methods: tuple[str, ...] = ("client_secret_basic",)
    public: bool = False
    """Whether its client has no secret."""

    says: dict[str, Any] = field(default_factory=dict)
    """What its answer to a code says besides, or otherwise."""

    refuses: str = ""
    calls_itself: str = ""
    answers: int = 200
    keys: list[ECKey] = field(default_factory=lambda: [_new_key("one")])
    signs_with: ECKey | None = None
    asked: list[str] = field(default_factory=list)
    now: Callable[[], float] = time.time
    codes: dict[str, dict[str, str]] = field(default_factory=dict)

    def rotate(self, kid: str = "two") -> None:
        """Sign with a new key from now on, and publish that one alone."""
        self.keys = [_new_key(kid)]

    def discovery(self) -> dict[str, Any]:
        return {
            "issuer": self.calls_itself or self.address,
            "authorization_endpoint": f"{self.address}/authorize?tenant=one",
            "token_endpoint": f"{self.address}/token",
            "jwks_uri": f"{self.address}/keys",
            "userinfo_endpoint": f"{self.address}/userinfo",
            "end_session_endpoint": f"{self.address}/bye",
            "token_endpoint_auth_methods_supported": list(self.methods),
        }

    def authorize(self, query: dict[str, str]) -> str:
        """Where the browser is sent back to."""
        assert query["tenant"] == "one"
        assert (query["client_id"], query["response_type"]) == (CLIENT, "code")
        assert query["code_challenge_method"] == "S256"
        if self.refuses:
            answer = {"error": self.refuses, "error_description": "<b>no</b>", "state": query["state"]}
        else:
            code = f"code-{len(self.codes)}-{time.monotonic_ns()}"
            self.codes[code] = query
            answer = {"code": code, "state": query["state"], "iss": self.address}
        return f"{query['redirect_uri']}?{urlencode(answer)}"

    def token(self, form: dict[str, str], authorization: str | None) -> tuple[int, dict[str, Any]]:
        """The code's exchange; a code is good once, and only with what it was asked for with."""
        basic = base64.b64encode(b"tidegate:s3cret%20of%20the%20client%3A%20%25").decode()
        proven = authorization == f"Basic {basic}" or form.get("client_secret") == SECRET
        if self.public:
            proven = authorization is None and form.get("client_id") == CLIENT and "client_secret" not in form
        if not proven:
            return 401, {"error": "invalid_client"}
        query = self.codes.pop(form.get("code", ""), None)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        if (
            query is None
            or query["redirect_uri"] != form["redirect_uri"]
            or query["code_challenge"] != challenge.rstrip(b"=").decode()
        ):
            return 400, {"error": "invalid_grant"}
        now = int(self.now())
        claims = {"iss": self.address, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": query["nonce"]}
        claims |= self.person | self.lies
        claims = {name: value for name, value in claims.items() if value is not None}
        key = self.signs_with or self.keys[0]
        header = {"alg": "ES256", "kid": key.kid, **self.header}
        token = jwt.encode(header, claims, key)
        return 200, {"access_token": "access", "token_type": "Bearer", "id_token": token, **self.says}


def _new_key(kid: str) -> ECKey:
    return ECKey.generate_key("P-256", {"kid": kid, "use": "sig"})


@contextmanager
def a_provider() -> Iterator[SmallProvider]:
    """A served one, ended afterwards."""
    provider = SmallProvider()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(provider))
    provider.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _handler_of(provider: SmallProvider) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            provider.asked.append(parts.path)
            match parts.path:
                case "/.well-known/openid-configuration":
                    self._answer(provider.answers, provider.discovery())
                case "/keys":
                    public = KeySet(list(provider.keys)).as_dict(private=False)
                    self._answer(200, {"keys": [{"kty": "of the future"}, *public["keys"]]})
                case "/userinfo":
                    assert self.headers["Authorization"] == "Bearer access"
                    self._answer(200, {"sub": provider.person["sub"], **provider.more})
                case "/authorize":
                    self.send_response(302)
                    self.send_header("Location", provider.authorize(dict(parse_qsl(parts.query))))
                    self.end_headers()
                case _:
                    self._answer(404, {})

        def do_POST(self) -> None:
            form = dict(parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
            provider.asked.append(self.path)
            self._answer(*provider.token(form, self.headers.get("Authorization")))

        def _answer(self, status: int, document: dict[str, Any]) -> None:
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None: ...

    return Handler
