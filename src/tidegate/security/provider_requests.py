"""How an OpenID Connect provider is asked: for a short while, following no redirect, for an answer of bounded size."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from io import BytesIO
from typing import Any

from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from requests import PreparedRequest, Response

from tidegate.security.provider_problems import ProviderRefuses, away

ANSWER_SECONDS = 5.0
LARGEST_ANSWER = 1024 * 1024
_CHUNK = 64 * 1024


def new_session(issuer: str, **client: Any) -> OAuth2Session:
    """A session of Authlib's. It holds the tokens that it fetched, so it is for one sign-in, or for none."""
    return OAuth2Session(
        **client,
        code_challenge_method="S256",
        default_timeout=ANSWER_SECONDS,
        stream=True,  # else the body is read before anybody can say how much of it
        hooks={"response": partial(_checked, issuer)},
        verify=os.environ.get("SSL_CERT_FILE") or True,  # the name by which the agent knows it too
    )


def fetch_document(session: OAuth2Session, issuer: str, url: str) -> Mapping[str, Any]:
    """What the provider tells anybody. Raises ProviderAway, and ProviderRefuses for what it answers with an error."""
    with _speaking(issuer, url):
        return _document(session.get(url, auth=_as_nobody, allow_redirects=False))


def fetch_claims(session: OAuth2Session, issuer: str, url: str) -> Mapping[str, Any]:
    """What the provider tells whoever holds the session's token. Raises as `fetch_document` does."""
    with _speaking(issuer, url):
        return _document(session.get(url, allow_redirects=False))


def fetch_tokens(session: OAuth2Session, issuer: str, url: str, **grant: str) -> Mapping[str, Any]:
    """What a code is exchanged for. Raises as `fetch_document` does."""
    with _speaking(issuer, url):
        tokens: Mapping[str, Any] = session.fetch_token(
            url, grant_type="authorization_code", allow_redirects=False, **grant
        )
        return tokens


@contextmanager
def _speaking(issuer: str, url: str) -> Iterator[None]:
    try:
        yield
    except OAuthError as refused:  # some say so with status 200
        raise ProviderRefuses(str(refused.error)[:100]) from None
    except OSError as error:  # whatever requests raises is one, and so is a file of certificates that is not there
        raise away(issuer, f"{url}: {_cause(error)}") from error
    except (ValueError, TypeError) as error:
        raise away(issuer, f"{url} answers with what is no answer of OAuth") from error


def _checked(issuer: str, answer: Response, **_: Any) -> Response:
    """The answer, read, where it is a JSON object: for requests, which hands it on in the place of the streamed one."""
    with answer:
        body = bytearray()
        for chunk in answer.iter_content(_CHUNK):
            body += chunk
            if len(body) > LARGEST_ANSWER:
                raise away(issuer, f"{answer.url} answers with more than {LARGEST_ANSWER // 1024} KiB")
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    if answer.status_code in (400, 401, 403) and isinstance(found, dict) and isinstance(found.get("error"), str):
        raise ProviderRefuses(found["error"][:100])
    if not 200 <= answer.status_code < 300 or not isinstance(found, dict):
        raise away(issuer, f"{answer.url} answers with status {answer.status_code}, not with a JSON object")
    whole = Response()
    whole.status_code, whole.url, whole.raw = answer.status_code, answer.url, BytesIO(body)
    return whole


def _document(answer: Response) -> Mapping[str, Any]:
    found: Mapping[str, Any] = answer.json()
    return found


def _as_nobody(request: PreparedRequest) -> PreparedRequest:
    """With neither a token nor a password: without a word about it requests takes one from ~/.netrc."""
    return request


def _cause(error: BaseException) -> str:
    """What went wrong at first; requests and urllib3 wrap it in words about their pools."""
    while error.__context__ is not None:
        error = error.__context__
    return str(error) or type(error).__name__
