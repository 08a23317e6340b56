"""The sections about answers from outside: whom a gate asks, and whom the server may ask."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, PlainValidator, WithJsonSchema

from tidegate.config.section import Section
from tidegate.config.values import PositiveDuration, describe, matching, schema_with, wrong

LONGEST_URL = 2000
_SECRET = "[A-Za-z_][A-Za-z0-9_]{0,99}"  # noqa: S105  the form of names
_HOST = r"[a-z0-9*?\[\]:.-]{1,253}"


def http_url(value: object) -> str:
    """An address that can be asked. Raises the error of `wrong`."""
    if not isinstance(value, str):
        raise wrong(f"expected an address, found {describe(value)}")
    remedy = "write one like https://tickets.example.com/tidegate"
    if len(value) > LONGEST_URL or re.search(r"[^!-~]", value):
        raise wrong("an address has no spaces, only ASCII characters, and at most 2000 of them", remedy)
    try:
        parts = urlsplit(value)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise wrong(f'"{value}" is no http:// or https:// address', remedy)
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise wrong("an address in a file holds no password and no fragment", "messages are signed with the secret")
    return value


HttpUrl = Annotated[
    str,
    PlainValidator(http_url),
    WithJsonSchema({"type": "string", "format": "uri", "pattern": "^https?://", "examples": ["https://example.com/"]}),
]
SecretWord = Annotated[
    str,
    PlainValidator(matching(_SECRET, "the name of a secret: letters, digits and underscores")),
    schema_with(_SECRET, "TICKETS_KEY"),
]
HostPattern = Annotated[
    str,
    PlainValidator(matching(_HOST, "the name of a host, like tickets.example.com or *.example.com", str.lower)),
    schema_with(_HOST, "*.example.com"),
]


class ExternalSection(Section):
    """An address that is asked, and must say yes."""

    url: Annotated[HttpUrl, Field(description="Asked by HTTP POST.")]
    secret: Annotated[
        SecretWord, Field(description="The secret of the service (tidegate secret set) with which both sides sign.")
    ]
    timeout: Annotated[
        PositiveDuration, Field(description="The time that it has to answer; after that the gate stays shut.")
    ] = timedelta(hours=1)


class OutsideSection(Section):
    """Whom the server may ask for gates."""

    hosts: Annotated[
        tuple[HostPattern, ...],
        Field(
            min_length=1,
            max_length=1000,
            description="Names of hosts, or patterns; only they are asked. Without this section all are, but for the "
            "server's own machine.",
        ),
    ]
