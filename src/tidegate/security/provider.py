"""Signing in with an OpenID Connect provider: the authorization code flow with PKCE (RFC 6749, RFC 7636, RFC 9207).

The whole protocol is four requests: discovery, keys, the code for a token, and the person's claims. They are made with
httpx; the tokens are read with joserfc.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

import httpx

from tidegate.model.provider_person import ProviderPerson, ProviderSettings
from tidegate.security.id_token import UnknownKey, WrongToken, claims_of, person_of
from tidegate.security.private_file import read_private
from tidegate.security.provider_documents import ANSWER_SECONDS, Endpoints, ProviderDocuments, fetch
from tidegate.security.provider_problems import ProviderAway, ProviderRefuses, SignInFailed, away

_AGAIN = "begin again at /sign-in"


@dataclass(frozen=True, slots=True)
class Begun:
    """A sign-in that was begun: what only this browser may bring back, and what proves that the answer is to it."""

    state: str
    nonce: str
    verifier: str


class Provider:
    """One provider, and this server as its client. `folder` is where the client's secret lies."""

    def __init__(self, settings: ProviderSettings, folder: Path, now: Callable[[], datetime]) -> None:
        self._settings = settings
        self._folder = folder
        self._now = now
        self._client = httpx.Client(timeout=ANSWER_SECONDS, follow_redirects=False)
        self._documents = ProviderDocuments(settings.issuer, self._client, now)

    def look_at_secret(self) -> None:
        """Take the right to read the client's secret from others. Raises SignInFailed where it cannot be read."""
        self._secret()

    def begin(self, return_to: str) -> tuple[str, Begun]:
        """The address that the browser is sent to, and what to remember of it. Raises ProviderAway."""
        begun = Begun(*(secrets.token_urlsafe(32) for _ in range(3)))
        query = {
            "response_type": "code",
            "client_id": self._settings.client_id,
            "redirect_uri": return_to,
            "scope": " ".join(self._settings.scopes),
            "state": begun.state,
            "nonce": begun.nonce,
            "code_challenge": _challenge(begun.verifier),
            "code_challenge_method": "S256",
        }
        return _with_query(self._documents.endpoints().authorization, query), begun

    def finish(self, answer: Mapping[str, str], begun: Begun, return_to: str) -> ProviderPerson:
        """Who the provider says has signed in, from what the browser brought back.

        Raises SignInFailed and ProviderAway.
        """
        self._check_answer(answer, begun)
        endpoints = self._documents.endpoints()
        tokens = self._tokens(endpoints, answer.get("code", ""), begun, return_to)
        try:
            claims = self._claims(str(tokens.get("id_token", "")), begun)
        except WrongToken as error:
            raise SignInFailed(f"the sign-in provider's answer proves nothing: {error}; {_AGAIN}") from error
        return self._person(endpoints, claims, tokens)

    def sign_out_address(self, back_to: str) -> str | None:
        """Where the browser signs out of the provider as well, where that has such a place."""
        try:
            place = self._documents.endpoints().end_session
        except ProviderAway:
            return None
        query = {"client_id": self._settings.client_id, "post_logout_redirect_uri": back_to}
        return _with_query(place, query) if place else None

    def _check_answer(self, answer: Mapping[str, str], begun: Begun) -> None:
        if not hmac.compare_digest(answer.get("state", "").encode(), begun.state.encode()):
            raise SignInFailed(f"this answer belongs to another sign-in than the one that this browser began; {_AGAIN}")
        if answer.get("iss", self._settings.issuer) != self._settings.issuer:
            raise SignInFailed(f"this answer comes from another provider; {_AGAIN}")
        if "error" in answer:
            said = " ".join(answer[key][:200] for key in ("error", "error_description") if answer.get(key))
            raise SignInFailed(f"the sign-in provider says no: {said}; {_AGAIN}, or ask whoever looks after it")
        if not answer.get("code"):
            raise SignInFailed(f"the sign-in provider's answer has no code; {_AGAIN}")

    def _tokens(self, endpoints: Endpoints, code: str, begun: Begun, return_to: str) -> Mapping[str, Any]:
        """What a code is exchanged for (RFC 6749, section 4.1.3)."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": return_to,
            "code_verifier": begun.verifier,
            "client_id": self._settings.client_id,
        }
        secret, headers = self._secret(), {"Accept": "application/json"}
        if secret is not None and endpoints.takes_basic:
            headers["Authorization"] = _basic(self._settings.client_id, secret)
        elif secret is not None:
            form["client_secret"] = secret
        try:
            return fetch(self._client, self._settings.issuer, "POST", endpoints.token, data=form, headers=headers)
        except ProviderRefuses as refused:
            if str(refused) == "invalid_grant":
                raise SignInFailed(f"this sign-in is over: its code was used before, or is too old; {_AGAIN}") from None
            raise SignInFailed(
                f"the sign-in provider does not accept this server ({refused}); an administrator compares client_id "
                "and the client's secret with what the provider has"
            ) from None

    def _claims(self, token: str, begun: Begun) -> dict[str, Any]:
        """Of a token whose signature fits no known key, once more with the keys that the provider has now."""
        for anew in (False, True):
            keys = self._documents.keys(anew=anew)
            try:
                return claims_of(token, keys, self._settings.issuer, self._settings.client_id, begun.nonce, self._now())
            except UnknownKey:
                if anew:
                    raise
        raise AssertionError("unreachable")

    def _person(self, endpoints: Endpoints, claims: dict[str, Any], tokens: Mapping[str, Any]) -> ProviderPerson:
        """The person; what the token does not say is asked of the provider, as far as it answers such questions."""
        issuer, claim = self._settings.issuer, self._settings.groups_claim
        person = person_of(claims, issuer, claim)
        lacks = person.username is None or person.email is None or (person.groups is None and self._settings.teams)
        access = tokens.get("access_token")
        if not lacks or endpoints.userinfo is None or not isinstance(access, str):
            return person
        try:
            more = fetch(self._client, issuer, "GET", endpoints.userinfo, headers={"Authorization": f"Bearer {access}"})
        except ProviderRefuses as refused:
            raise away(issuer, f"it does not say who signed in ({refused})") from None
        if more.get("sub") != claims["sub"]:
            raise SignInFailed(f"the sign-in provider speaks of two people at once; {_AGAIN}")
        return person_of({**more, **claims}, issuer, claim)

    def _secret(self) -> str | None:
        """Read at each sign-in, so that a new one counts at once. Raises SignInFailed."""
        if self._settings.client_secret_file is None:
            return None
        file = self._folder / self._settings.client_secret_file
        try:
            return read_private(file)
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or "it is empty, or no text"
            raise SignInFailed(
                f"the server cannot read {self._settings.client_secret_file} in its data folder ({why}); an "
                "administrator puts the client's secret there, for the server's user alone (mode 0600)"
            ) from error


def _challenge(verifier: str) -> str:
    """The S256 code challenge (RFC 7636, section 4.2)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def _basic(client: str, secret: str) -> str:
    """The client's password, each half form-encoded (RFC 6749, section 2.3.1)."""
    pair = f"{quote(client, safe='')}:{quote(secret, safe='')}"
    return f"Basic {base64.b64encode(pair.encode()).decode()}"


def _with_query(url: str, query: Mapping[str, str]) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(query="&".join(filter(None, (parts.query, urlencode(query))))))
