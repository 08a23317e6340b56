"""What an OpenID Connect provider publishes: where it is asked what (discovery), and the keys that it signs with."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from authlib.integrations.requests_client import OAuth2Session
from joserfc.jwk import KeySet

from tidegate.model.provider_person import is_loopback
from tidegate.security.id_token import key_set
from tidegate.security.provider_problems import ProviderAway, ProviderRefuses, away
from tidegate.security.provider_requests import fetch_document

KEPT_FOR = timedelta(minutes=10)
"""How long a key that the provider withdrew may still be accepted."""

AWAY_FOR = timedelta(seconds=5)
"""For so long nobody asks again a provider that did not answer."""


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where a provider is asked what (OpenID Connect Discovery 1.0, section 3)."""

    authorization: str
    token: str
    keys: str
    userinfo: str | None
    end_session: str | None
    takes_basic: bool
    """Whether the client's secret goes into a header, else into the form."""


class ProviderDocuments:
    """Fetched when they are needed, and kept for a while. Safe to be asked by several threads."""

    def __init__(self, issuer: str, session: OAuth2Session, now: Callable[[], datetime]) -> None:
        self._issuer = issuer
        self._session = session
        self._now = now
        self._lock = threading.Lock()
        self._endpoints: tuple[datetime, Endpoints] | None = None
        self._keys: tuple[datetime, KeySet] | None = None
        self._away: tuple[datetime, ProviderAway] | None = None

    def endpoints(self) -> Endpoints:
        """Where the provider is asked what. Raises ProviderAway."""
        with self._lock, self._asking():
            return self._known_endpoints()

    def keys(self, *, anew: bool = False) -> KeySet:
        """The keys that it signs with; fetched `anew` where a signature fits none. Raises ProviderAway."""
        with self._lock, self._asking():
            if anew or self._keys is None or not self._is_fresh(self._keys[0]):
                self._keys = (
                    self._now(),
                    key_set(fetch_document(self._session, self._issuer, self._known_endpoints().keys)),
                )
            return self._keys[1]

    def _known_endpoints(self) -> Endpoints:
        if self._endpoints is None or not self._is_fresh(self._endpoints[0]):
            place = f"{self._issuer.rstrip('/')}/.well-known/openid-configuration"
            document = fetch_document(self._session, self._issuer, place)
            self._endpoints = (self._now(), _endpoints(document, self._issuer))
        return self._endpoints[1]

    def _is_fresh(self, at: datetime) -> bool:
        return timedelta(0) <= self._now() - at < KEPT_FOR

    @contextmanager
    def _asking(self) -> Iterator[None]:
        """Where the provider did not answer a moment ago, nobody waits for it again."""
        if self._away and timedelta(0) <= self._now() - self._away[0] < AWAY_FOR:
            raise self._away[1]
        try:
            yield
        except ProviderRefuses as refused:
            raise away(self._issuer, f"it answers with an error ({refused})") from None
        except ProviderAway as error:
            self._away = (self._now(), error)
            raise
        self._away = None


def _endpoints(document: Mapping[str, Any], issuer: str) -> Endpoints:
    if document.get("issuer") != issuer:
        said = str(document.get("issuer"))[:200]
        raise away(issuer, f'it calls itself "{said}"; write exactly that as sign_in.oidc.issuer if it is right')
    methods = document.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
    return Endpoints(
        authorization=_url(document, "authorization_endpoint", issuer),
        token=_url(document, "token_endpoint", issuer),
        keys=_url(document, "jwks_uri", issuer),
        userinfo=_url(document, "userinfo_endpoint", issuer) if document.get("userinfo_endpoint") else None,
        end_session=_url(document, "end_session_endpoint", issuer) if document.get("end_session_endpoint") else None,
        takes_basic="client_secret_basic" in methods,
    )


def _url(document: Mapping[str, Any], name: str, issuer: str) -> str:
    url = document.get(name)
    parts = urlsplit(url) if isinstance(url, str) else None
    safe = parts and (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname)))
    if not isinstance(url, str) or not safe:
        raise away(issuer, f"its {name} is no https address")
    return url
