"""Asking an HTTP address outside: whom a service's file may have the server call, and what is read of the answer.

Files of many people name such addresses, and the server stands where they do not: so it calls no address of its own
machine unless its administrator names the host, never one of the link (where clouds keep credentials), follows no
redirect, uses no proxy, connects to the very address that was checked, and reads little and not for long.
"""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from fnmatch import fnmatchcase
from typing import Protocol
from urllib.parse import SplitResult, urlsplit

LARGEST_ANSWER = 64 * 1024
LONGEST_ANSWER = timedelta(seconds=15)
_CONNECT_SECONDS = 5.0

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_THIS_NETWORK = ipaddress.ip_network("0.0.0.0/8")


class NotTaken(Exception):
    """The question did not reach its address, or nobody there took it; the message says why."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What an address answered at once."""

    status: int
    body: bytes


class Outside(Protocol):
    """Asks an HTTP address."""

    def ask(self, url: str, body: bytes, headers: Mapping[str, str]) -> Heard:
        """Send the body by POST. Raises NotTaken."""


class Nobody:
    """For a server that asks nobody."""

    def ask(self, url: str, body: bytes, headers: Mapping[str, str]) -> Heard:
        """Raises NotTaken."""
        raise NotTaken("this server asks no address")


class HttpOutside:
    """Asks by HTTP or HTTPS. Where `hosts` are named (patterns like `*.example.com`), only those."""

    def __init__(self, hosts: Sequence[str] = (), *, longest: timedelta = LONGEST_ANSWER) -> None:
        self._hosts = tuple(one.casefold() for one in hosts)
        self._longest = longest

    def ask(self, url: str, body: bytes, headers: Mapping[str, str]) -> Heard:
        """Send the body by POST, and read at most 64 KiB within 15 seconds. Raises NotTaken."""
        parts = urlsplit(url)
        host, port = self._checked(parts)
        path = parts.path or "/"
        target = f"{path}?{parts.query}" if parts.query else path
        late = threading.Event()
        try:
            with self._connection(parts.scheme, host, port, late) as connection:
                connection.request("POST", target, body, {"Connection": "close", **headers})
                answer = connection.getresponse()
                read = answer.read(LARGEST_ANSWER + 1)
        except (OSError, http.client.HTTPException, ValueError) as error:
            if late.is_set() or isinstance(error, TimeoutError):
                raise NotTaken(f"it did not answer within {self._longest.total_seconds():g} seconds") from error
            raise NotTaken(_in_words(error)) from error
        if late.is_set():
            raise NotTaken(f"it did not answer within {self._longest.total_seconds():g} seconds")
        if len(read) > LARGEST_ANSWER:
            raise NotTaken(f"its answer is longer than {LARGEST_ANSWER // 1024} KiB")
        return Heard(answer.status, read)

    def _checked(self, parts: SplitResult) -> tuple[str, int]:
        host = (parts.hostname or "").casefold()
        if parts.scheme not in ("http", "https") or not host or parts.username or parts.password:
            raise NotTaken("it is no http:// or https:// address")
        if self._hosts and not any(fnmatchcase(host, one) for one in self._hosts):
            raise NotTaken(f"the server may not ask {host}: it is none of external.hosts in tidegate-server.yaml")
        try:
            return host, parts.port or (443 if parts.scheme == "https" else 80)
        except ValueError as error:
            raise NotTaken("its port is none") from error

    def _address(self, host: str, port: int) -> str:
        """The one address that is called: a name that means several, one of them forbidden, is not asked at all."""
        found = [str(one[4][0]) for one in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
        for text in found:
            self._check(host, ipaddress.ip_address(text.partition("%")[0]))
        return found[0]

    def _check(self, host: str, address: _Address) -> None:
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
            address = address.ipv4_mapped
        if address.is_link_local or address.is_multicast or address.is_unspecified:
            raise NotTaken(f"the server may not ask {host}: {address} is no address of a service")
        own = address.is_loopback or (address.version == 4 and address in _THIS_NETWORK)
        if own and not self._hosts:
            raise NotTaken(
                f"the server may not ask {host}, which is its own machine; to allow it: "
                f"external: {{hosts: [{host}]}} in tidegate-server.yaml"
            )

    @contextlib.contextmanager
    def _connection(
        self, scheme: str, host: str, port: int, late: threading.Event
    ) -> Iterator[http.client.HTTPConnection]:
        """A connection that is cut when time is up, however slowly something drips out of it."""
        used = socket.create_connection((self._address(host, port), port), _CONNECT_SECONDS)
        used.settimeout(self._longest.total_seconds())

        def cut() -> None:
            late.set()
            with contextlib.suppress(OSError):
                socket.socket.shutdown(used, socket.SHUT_RDWR)

        timer = threading.Timer(self._longest.total_seconds(), cut)
        timer.daemon = True
        timer.start()
        try:
            connection = http.client.HTTPConnection(host, port)
            if scheme == "https":
                context = ssl.create_default_context()
                used = encrypted = context.wrap_socket(used, server_hostname=host, do_handshake_on_connect=False)
                encrypted.do_handshake()
                connection.default_port = http.client.HTTPS_PORT
            connection.sock = used
            yield connection
        finally:
            timer.cancel()
            used.close()


def _in_words(error: Exception) -> str:
    match error:
        case ssl.SSLCertVerificationError():
            return f"its certificate is not accepted: {error.verify_message}"
        case socket.gaierror():
            return "there is no host of that name"
        case OSError() if error.strerror:
            return error.strerror
    return f"its answer is no HTTP ({type(error).__name__})"
