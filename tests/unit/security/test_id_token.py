"""ID tokens: whatever a provider sends, it proves somebody or is refused in words."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet

from tidegate.security.id_token import LEEWAY_SECONDS, WrongToken, claims_of, key_set, person_of

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
ISSUER, CLIENT, NONCE = "https://id.example", "tidegate", "n0nce"
KEY = ECKey.generate_key("P-256", {"kid": "one"})
KEYS = KeySet([KEY])
RIGHT: dict[str, Any] = {
    "iss": ISSUER,
    "aud": CLIENT,
    "sub": "1",
    "nonce": NONCE,
    "iat": int(NOW.timestamp()),
    "exp": int(NOW.timestamp()) + 300,
}


def signed(**claims: Any) -> str:
    return jwt.encode({"alg": "ES256", "kid": "one"}, RIGHT | claims, KEY)


def read(token: str, keys: KeySet = KEYS) -> dict[str, Any]:
    return claims_of(token, keys, ISSUER, CLIENT, NONCE, NOW)


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"aud": [CLIENT]},
        {"aud": [CLIENT, "other"], "azp": CLIENT},
        {"exp": int(NOW.timestamp()) - LEEWAY_SECONDS + 1},
        {"iat": int(NOW.timestamp()) + LEEWAY_SECONDS},
    ],
)
def test_a_right_token_says_who_it_is(claims: dict[str, Any]) -> None:
    assert read(signed(**claims))["sub"] == "1"


@given(some.text(max_size=60) | some.binary(max_size=60).map(lambda raw: base64.urlsafe_b64encode(raw).decode() + ".."))
def test_what_is_no_token_is_refused_in_words(text: str) -> None:
    with pytest.raises(WrongToken):
        read(text)


@given(
    some.dictionaries(
        some.sampled_from(["alg", "kid", "typ", "crit", "b64", "jwk", "enc", "x"]),
        some.none() | some.booleans() | some.integers() | some.text(max_size=5) | some.sampled_from(["ES256", "one"]),
    )
)
def test_no_header_makes_a_signature_right(header: dict[str, Any]) -> None:
    head = base64.urlsafe_b64encode(json.dumps(header).encode()).rstrip(b"=").decode()
    _, body, signature = signed().split(".")
    with pytest.raises(WrongToken):
        read(f"{head}.{body}.{signature}")


@given(
    some.sampled_from(sorted(RIGHT)),
    some.none() | some.booleans() | some.floats() | some.text(max_size=5) | some.lists(some.text(max_size=5)),
)
def test_no_claim_of_another_kind_is_taken_for_the_right_one(name: str, value: Any) -> None:
    try:
        found = read(signed(**{name: value}))
    except WrongToken:
        return
    assert name in ("sub", "iat", "exp") and found[name] == value


@pytest.mark.parametrize("document", [{}, {"keys": []}, {"keys": [{"kty": "oct", "k": "c2VjcmV0"}, {}, 1, "x"]}])
def test_keys_that_sign_nothing_make_nothing_right(document: dict[str, Any]) -> None:
    with pytest.raises(WrongToken):
        read(signed(), key_set(document))


def test_groups_and_names_are_taken_as_they_are_or_not_at_all() -> None:
    def _groups(value: Any) -> tuple[str, ...] | None:
        return person_of({"sub": "1", "groups": value}, ISSUER, "groups").groups

    assert _groups(["a", 1, None, "b"]) == ("a", "b")
    assert _groups("a") == ("a",)
    assert _groups(None) is None
    assert _groups({"a": 1}) is None
    person = person_of({"sub": "1", "preferred_username": 7, "name": "A\nda\x00", "email": "a@b"}, ISSUER, "groups")
    assert (person.username, person.full_name, person.email) == (None, "Ada", None)
