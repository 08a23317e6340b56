"""The part of `tidegate-server.yaml` about signing in with an OpenID Connect provider."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar
from urllib.parse import urlsplit

from pydantic import Field, PlainValidator, WithJsonSchema

from tidegate.config.section import Section
from tidegate.config.values import describe, matching, schema_with, wrong
from tidegate.model.people import NAME
from tidegate.model.provider_person import ProviderSettings, is_loopback

_SETTINGS = ProviderSettings("", "")
_SCOPE = r"[!#-\[\]-~]+"
_DOMAIN = r"[A-Za-z0-9.-]{1,253}"


def _address(what: str, *, path: bool) -> PlainValidator:
    """An https address, http on this machine only; without a path where it is a server's own."""

    def validate(value: object) -> str:
        if not isinstance(value, str):
            raise wrong(f"expected {what}, found {describe(value)}")
        try:
            parts = urlsplit(value)
            plain = bool(parts.hostname) and (parts.port or 1) and not (parts.username or parts.password)
        except ValueError:
            raise wrong(f'"{value}" is not {what}') from None
        if not plain or parts.query or parts.fragment or not value.isascii() or " " in value:
            raise wrong(f'"{value}" is not {what}', "write it like https://id.example")
        if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname)):
            raise wrong(f'"{value}" does not begin with https://', "plain http is for addresses of this machine only")
        if not path and parts.path not in ("", "/"):
            raise wrong(f'"{value}" has a path', "write the server's name alone, like https://tidegate.example")
        return value if path else value.rstrip("/")

    return PlainValidator(validate)


_URL = WithJsonSchema({"type": "string", "format": "uri", "examples": ["https://id.example/realms/corp"]})

IssuerWord = Annotated[str, _address("the address of an issuer", path=True), _URL]
OwnAddress = Annotated[str, _address("the address of this server", path=False), _URL]
ScopeWord = Annotated[
    str, PlainValidator(matching(_SCOPE, "a scope: one word without spaces and quotes")), schema_with(_SCOPE, "openid")
]
DomainWord = Annotated[
    str, PlainValidator(matching(_DOMAIN, "a domain like corp.example")), schema_with(_DOMAIN, "corp.example")
]
TeamName = Annotated[
    str,
    PlainValidator(matching(NAME.pattern, 'the name of a team: small letters, digits and "._-"', str.lower)),
    schema_with(NAME.pattern, "payments"),
]
_FILE = "[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}"
FileInData = Annotated[
    str,
    PlainValidator(matching(_FILE, "the name of a file in the data folder, without a path")),
    schema_with(_FILE, "oidc-secret"),
]
Text = Annotated[str, Field(strict=True, min_length=1, max_length=200)]


class OidcSection(Section):
    """An OpenID Connect provider with which people sign in."""

    misplaced: ClassVar[Mapping[str, str]] = {
        "client_secret": "secrets never stand in this file: put it into one of its own (mode 0600) in the data folder, "
        'and name that with "client_secret_file"',
    }

    issuer: Annotated[IssuerWord, Field(description="The provider's issuer, exactly as its tokens say it.")]
    client_id: Annotated[Text, Field(description="What the provider calls this server.")]
    client_secret_file: Annotated[
        FileInData | None,
        Field(description="A file in the data folder with the client's secret; none for a public client."),
    ] = _SETTINGS.client_secret_file
    label: Annotated[Text, Field(description="What the sign-in page calls the provider.")] = _SETTINGS.label
    scopes: Annotated[
        tuple[ScopeWord, ...], Field(min_length=1, max_length=20, description="What the provider is asked for.")
    ] = _SETTINGS.scopes
    groups_claim: Annotated[Text, Field(description="The claim that lists a person's groups.")] = _SETTINGS.groups_claim
    teams: Annotated[
        dict[Text, TeamName] | None, Field(description="Which group of theirs puts a person into which team of ours.")
    ] = None
    email_domains: Annotated[
        list[DomainWord] | None,
        Field(min_length=1, description="Only people with a verified address of these domains may sign in."),
    ] = None

    def settings(self) -> ProviderSettings:
        """As the sign-in uses them."""
        return ProviderSettings(
            issuer=self.issuer,
            client_id=self.client_id,
            client_secret_file=self.client_secret_file,
            label=self.label,
            scopes=tuple(dict.fromkeys(("openid", *self.scopes))),
            groups_claim=self.groups_claim,
            teams=dict(self.teams or {}),
            email_domains=tuple(self.email_domains or ()),
        )


class SignInSection(Section):
    """How people sign in, besides passwords and tokens."""

    oidc: Annotated[OidcSection | None, Field(description="An OpenID Connect provider.")] = None
