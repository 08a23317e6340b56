"""Which port an instance gets."""

from __future__ import annotations

import socket
from collections.abc import Callable, Collection
from itertools import chain


class NoPortFree(Exception):
    """Every port of the range is reserved or in use; the message says how many of each."""


def free_port(taken: Collection[int], ports: range, begin: int, bindable: Callable[[int], bool]) -> int:
    """The first of these ports that is not in `taken` and that `bindable` accepts.

    They are tried in their order from the one at `begin` (of any size) on. Raises NoPortFree.
    """
    refused = []
    begin %= len(ports)
    for port in chain(ports[begin:], ports[:begin]):
        if port in taken:
            continue
        if bindable(port):
            return port
        refused.append(port)
    reserved = len(ports) - len(refused)
    raise NoPortFree(
        f"no port is free from {ports[0]} to {ports[-1]}: {reserved} are reserved by deployments and {len(refused)} "
        "are in use by other programs; give the server a wider range, or remove deployments that are not needed"
    )


def bindable_on_loopback(port: int) -> bool:
    """Whether a server could listen on the port of this machine's loopback address now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # as servers do: connections of an ended one that linger are no obstacle
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
