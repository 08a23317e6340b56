"""Which port an instance gets."""

from __future__ import annotations

import socket

import pytest

from tidegate.targets.ports import NoPortFree, bindable_on_loopback, free_port


def test_the_lowest_port_that_nobody_reserved_or_uses_is_chosen() -> None:
    assert free_port({20000, 20001}, 20000, 20009, lambda port: port != 20002) == 20003


def test_both_ends_of_the_range_count() -> None:
    assert free_port((), 20000, 20000, lambda _: True) == 20000


def test_a_range_that_is_used_up_says_by_whom() -> None:
    with pytest.raises(NoPortFree, match=r"from 20000 to 20003: 3 are reserved .* and 1 are in use"):
        free_port([20000, 20001, 20003, 30000], 20000, 20003, lambda _: False)


def test_a_port_on_which_somebody_listens_cannot_be_bound() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert not bindable_on_loopback(port)
    assert bindable_on_loopback(port)
