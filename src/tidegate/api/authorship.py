"""Whose changes are whose: addresses and keys that somebody vouches for."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import Path
from pydantic import StringConstraints

from tidegate.api.answers import Answer
from tidegate.api.fields import Body
from tidegate.api.idempotency import ActRoute
from tidegate.api.people import NamePath
from tidegate.api.routing import noun_router
from tidegate.api.security import Administrator, Parts, Reader
from tidegate.engine.refusal import not_found
from tidegate.model.authorship import AuthorAddress, AuthorKey
from tidegate.security.permission import Permission
from tidegate.store import rows

router = noun_router("people", prefix="/accounts/{name}", route_class=ActRoute)

_LINE = r"^[^\x00-\x1f\x7f]+$"
LineField = Annotated[str, StringConstraints(max_length=20_000, pattern=_LINE)]
AddressPath = Annotated[str, Path(max_length=300, pattern=_LINE)]
FingerprintPath = Annotated[str, Path(pattern=r"^SHA256:[A-Za-z0-9+/]{43}$")]


class AddressRequest(Body):
    """An e-mail address, as commits have it."""

    address: Annotated[str, StringConstraints(max_length=300, pattern=_LINE)]


class KeyRequest(Body):
    """An SSH public key: the line of its `.pub` file."""

    public_key: LineField


class AddressAnswer(Answer):
    """An address in commits that is an account's."""

    address: str
    account: str
    given_by: str
    given_at: datetime


class KeyAnswer(Answer):
    """A key that signs commits and is an account's."""

    fingerprint: str
    account: str
    public_key: str
    given_by: str
    given_at: datetime


class AuthorshipAnswer(Answer):
    """All by which an account is known as an author."""

    addresses: list[AddressAnswer]
    keys: list[KeyAnswer]


@router.get("/authorship")
def show_authorship(parts: Parts, _: Reader, name: NamePath) -> AuthorshipAnswer:
    """The addresses and keys by which an account is known as an author."""
    with parts.engine.parts.database.reading() as connection:
        addresses = rows.every_equal(connection, AuthorAddress, account=name)
        keys = rows.every_equal(connection, AuthorKey, account=name)
    return AuthorshipAnswer(
        addresses=[AddressAnswer.model_validate(one) for one in addresses],
        keys=[KeyAnswer.model_validate(one) for one in keys],
    )


@router.post("/addresses", status_code=201)
def know_address(parts: Parts, who: Administrator, name: NamePath, body: AddressRequest) -> AddressAnswer:
    """Vouch that an address in commits is the account's."""
    parts.authority.check(who, Permission.ADMINISTER)
    return AddressAnswer.model_validate(parts.authorship.know_address(name, body.address, who.actor))


@router.delete("/addresses/{address}")
def forget_address(parts: Parts, who: Administrator, name: NamePath, address: AddressPath) -> AddressAnswer:
    """Vouch for an address no more."""
    parts.authority.check(who, Permission.ADMINISTER)
    with parts.engine.parts.database.reading() as connection:
        known = rows.find(connection, AuthorAddress, address=address.strip().casefold(), account=name)
    if known is None:
        raise not_found("address", address, f"tidegate user show {name}")
    return AddressAnswer.model_validate(parts.authorship.forget_address(known.address, who.actor))


@router.post("/keys", status_code=201)
def know_key(parts: Parts, who: Administrator, name: NamePath, body: KeyRequest) -> KeyAnswer:
    """Vouch that a key which signs commits is the account's."""
    parts.authority.check(who, Permission.ADMINISTER)
    return KeyAnswer.model_validate(parts.authorship.know_key(name, body.public_key, who.actor))


@router.delete("/keys/{fingerprint:path}")
def forget_key(parts: Parts, who: Administrator, name: NamePath, fingerprint: FingerprintPath) -> KeyAnswer:
    """Vouch for a key no more."""
    parts.authority.check(who, Permission.ADMINISTER)
    with parts.engine.parts.database.reading() as connection:
        known = rows.find(connection, AuthorKey, fingerprint=fingerprint, account=name)
    if known is None:
        raise not_found("key", fingerprint, f"tidegate user show {name}")
    return KeyAnswer.model_validate(parts.authorship.forget_key(fingerprint, who.actor))
