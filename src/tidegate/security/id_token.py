"""ID tokens: what an OpenID Connect provider says of somebody, signed (OpenID Connect Core 1.0, section 3.1.3.7)."""

from __future__ import annotations

import contextlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from joserfc import jwk, jwt
from joserfc.errors import (
    BadSignatureError,
    ExpiredTokenError,
    InvalidClaimError,
    InvalidKeyIdError,
    JoseError,
    MissingClaimError,
    UnsupportedAlgorithmError,
)
from joserfc.jwk import KeySet

from tidegate.model.provider_person import LONGEST_SUBJECT, ProviderPerson

ALGORITHMS = (
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519",
)  # fmt: skip
"""Signatures with a public key only: with `none` or HMAC anybody, or whoever knows the client's secret, could sign."""

_KINDS_OF_KEYS = ("RSA", "EC", "OKP")

LEEWAY_SECONDS = 60
"""How far the provider's clock may be from this one."""


class WrongToken(Exception):
    """The token proves nothing; the message says why."""


class UnknownKey(WrongToken):
    """It was not signed with a key that is known: the provider may have new ones by now."""


def key_set(document: Mapping[str, Any]) -> KeySet:
    """The keys that a provider publishes (RFC 7517); those of a kind that is not known here are left out."""
    found, keys = document.get("keys"), []
    for one in found if isinstance(found, list) else ():
        if isinstance(one, dict) and one.get("kty") in _KINDS_OF_KEYS:
            with contextlib.suppress(JoseError, ValueError, TypeError, KeyError):
                keys.append(jwk.import_key(one))
    return KeySet(list(keys))


def claims_of(token: str, keys: KeySet, issuer: str, client: str, nonce: str, now: datetime) -> dict[str, Any]:
    """What a token says, once it is proven that the issuer said it, to this client, just now and in answer to us.

    Raises WrongToken.
    """
    try:
        decoded = jwt.decode(token, keys, algorithms=list(ALGORITHMS))
    except (BadSignatureError, InvalidKeyIdError) as error:
        raise UnknownKey("its ID token is not signed with one of its keys") from error
    except UnsupportedAlgorithmError as error:
        raise WrongToken("its ID token is signed in a way that is not accepted here") from error
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise WrongToken("what it sent is no ID token") from error
    claims: dict[str, Any] = decoded.claims
    _check(claims, issuer, client, now)
    if not hmac.compare_digest(str(claims.get("nonce", "")).encode(), nonce.encode()):
        raise WrongToken("its ID token answers another sign-in than this one (nonce)")
    return claims


def person_of(claims: Mapping[str, Any], issuer: str, groups_claim: str) -> ProviderPerson:
    """Whom claims describe. An address counts only where the provider says that it verified it."""
    verified = claims.get("email_verified") in (True, "true")
    return ProviderPerson(
        issuer=issuer,
        subject=str(claims["sub"]),
        username=_text(claims.get("preferred_username")),
        email=_text(claims.get("email")) if verified else None,
        full_name=_text(claims.get("name")) or "",
        groups=_groups(claims.get(groups_claim)),
    )


def _check(claims: dict[str, Any], issuer: str, client: str, now: datetime) -> None:
    registry = jwt.JWTClaimsRegistry(
        now=int(now.timestamp()),
        leeway=LEEWAY_SECONDS,
        iss={"essential": True, "value": issuer},
        aud={"essential": True, "value": client},
        sub={"essential": True},
        exp={"essential": True},
        iat={"essential": True},
    )
    try:
        registry.validate(claims)
    except ExpiredTokenError as error:
        raise WrongToken("its ID token is expired; are the clocks of both right?") from error
    except (InvalidClaimError, MissingClaimError) as error:
        raise WrongToken(f"its ID token is not for this sign-in: {error.description or error.error}") from error
    except JoseError as error:
        raise WrongToken(f"its ID token is not valid: {error.error}") from error
    several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
    if (several or "azp" in claims) and claims.get("azp") != client:
        raise WrongToken("its ID token was made for another client (azp)")
    if not 0 < len(claims["sub"]) <= LONGEST_SUBJECT:
        raise WrongToken("its ID token names nobody (sub)")


def _text(value: object) -> str | None:
    if not isinstance(value, str):
        return None
    text = "".join(one for one in value if one.isprintable()).strip()
    return text[:200] or None


def _groups(value: object) -> tuple[str, ...] | None:
    match value:
        case str():
            return (value,)
        case Sequence():
            return tuple(one for one in value if isinstance(one, str))
        case _:
            return None
