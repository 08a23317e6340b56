"""Signing in with an OpenID Connect provider: the authorization code flow with PKCE (RFC 6749, RFC 7636, RFC 9207).

The flow is Authlib's; the ID token is read with joserfc, which is Authlib's part for that.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from authlib.common.urls import add_params_to_uri
from authlib.integrations.requests_client import OAuth2Session

from tidegate.model.provider_person import ProviderPerson, ProviderSettings
from tidegate.security.id_token import UnknownKey, WrongToken, claims_of, person_of
from tidegate.security.private_file import read_private
from tidegate.security.provider_documents import Endpoints, ProviderDocuments
from tidegate.security.provider_problems import ProviderAway, ProviderRefuses, SignInFailed, away
from tidegate.security.provider_requests import fetch_claims, fetch_tokens, new_session

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
        self._documents = ProviderDocuments(settings.issuer, new_session(settings.issuer), now)

    def look_at_secret(self) -> None:
        """Take the right to read the client's secret from others. Raises SignInFailed where it cannot be read."""
        self._secret()

    def begin(self, return_to: str) -> tuple[str, Begun]:
        """The address that the browser is sent to, and what to remember of it. Raises ProviderAway."""
        begun = Begun(*(secrets.token_urlsafe(32) for _ in range(3)))
        place = self._documents.endpoints().authorization
        with new_session(self._settings.issuer, client_id=self._settings.client_id) as session:
            address, _ = session.create_authorization_url(
                place,
                state=begun.state,
                nonce=begun.nonce,
                code_verifier=begun.verifier,
                redirect_uri=return_to,
                scope=self._settings.scopes,
            )
        return address, begun

    def finish(self, answer: Mapping[str, str], begun: Begun, return_to: str) -> ProviderPerson:
        """Who the provider says has signed in, from what the browser brought back.

        Raises SignInFailed and ProviderAway.
        """
        self._check_answer(answer, begun)
        endpoints = self._documents.endpoints()
        with self._session(endpoints) as session:
            tokens = self._tokens(session, endpoints, answer["code"], begun, return_to)
            try:
                claims = self._claims(str(tokens.get("id_token", "")), begun)
            except WrongToken as error:
                raise SignInFailed(f"the sign-in provider's answer proves nothing: {error}; {_AGAIN}") from error
            return self._person(session, endpoints, claims, tokens.get("access_token"))

    def sign_out_address(self, back_to: str) -> str | None:
        """Where the browser signs out of the provider as well, where that has such a place."""
        try:
            place = self._documents.endpoints().end_session
        except ProviderAway:
            return None
        query = {"client_id": self._settings.client_id, "post_logout_redirect_uri": back_to}
        return add_params_to_uri(place, query) if place else None

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

    def _session(self, endpoints: Endpoints) -> OAuth2Session:
        """This server as the provider's client, in the way that the provider wants it proven. Raises SignInFailed."""
        client, secret, method = self._settings.client_id, self._secret(), "none"
        if secret is not None and endpoints.takes_basic:
            # Authlib joins the two as they are; each half has to be form-encoded (RFC 6749, section 2.3.1)
            client, secret, method = quote(client, safe=""), quote(secret, safe=""), "client_secret_basic"
        elif secret is not None:
            method = "client_secret_post"
        return new_session(
            self._settings.issuer, client_id=client, client_secret=secret, token_endpoint_auth_method=method
        )

    def _tokens(
        self, session: OAuth2Session, endpoints: Endpoints, code: str, begun: Begun, return_to: str
    ) -> Mapping[str, Any]:
        """What a code is exchanged for (RFC 6749, section 4.1.3)."""
        grant = {"code": code, "redirect_uri": return_to, "code_verifier": begun.verifier}
        try:
            return fetch_tokens(session, self._settings.issuer, endpoints.token, **grant)
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

    def _person(
        self, session: OAuth2Session, endpoints: Endpoints, claims: dict[str, Any], access: object
    ) -> ProviderPerson:
        """The person; what the token does not say is asked of the provider, as far as it answers such questions."""
        issuer, claim = self._settings.issuer, self._settings.groups_claim
        person = person_of(claims, issuer, claim)
        lacks = person.username is None or person.email is None or (person.groups is None and self._settings.teams)
        if not lacks or endpoints.userinfo is None or not isinstance(access, str):
            return person
        # just received: when it expires by the provider's clock, and how the provider writes "Bearer", is no matter
        session.token = {"access_token": access, "token_type": "Bearer"}
        try:
            more = fetch_claims(session, issuer, endpoints.userinfo)
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
