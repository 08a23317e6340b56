"""What a browser may be made to do by pages of others, and how it is refused."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from urllib.parse import urlsplit


def is_known_host(host: str | None, names: Collection[str]) -> bool:
    """Whether a request's `Host` is one by which this server is meant to be called.

    A page of another site whose name was rebound to this address calls it by that name. An address in figures or
    `localhost` cannot be rebound; other names must be among `names`.
    """
    name = _hostname(host)
    if name is None:
        return False
    if name == "localhost" or name.endswith(".localhost") or name in {one.lower() for one in names}:
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def is_same_origin(scheme: str, host: str | None, origin: str | None, fetch_site: str | None) -> bool:
    """Whether the server's own page sent a request: `Origin` and `Sec-Fetch-Site` must say so, as far as they are
    there, and one must be (https://www.w3.org/TR/fetch-metadata/)."""
    if origin is None and fetch_site is None:
        return False
    return fetch_site in (None, "same-origin") and origin in (None, f"{scheme}://{host}")


def session_cookie(host: str | None) -> str:
    """The name of the session's cookie: with the port, since browsers share cookies between all ports of a host."""
    try:
        port = urlsplit(f"//{host}").port if host else None
    except ValueError:
        port = None
    return f"tidegate_session_{port}" if port else "tidegate_session"


def _hostname(host: str | None) -> str | None:
    try:
        parts = urlsplit(f"//{host}") if host else None
        _ = parts.port if parts else None  # raises where it is no number
    except ValueError:
        return None
    return parts.hostname if parts else None
