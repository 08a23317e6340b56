"""Which port an instance gets."""

from __future__ import annotations

import socket

import pytest

from tidegate.targets.ports import NoPortFree, bindable_on_loopback, free_port


def test_it_begins_where_it_is_told_and_comes_round() -> None:
    ports = range(20000, 20010)
    assert [free_port(taken, ports, 18, lambda _: True) for taken in ((), {20008}, {20008, 20009})] == [
        20008, 20009, 20000,
    ]  # fmt: skip


def test_the_lowest_port_that_nobody_reserved_or_uses_is_chosen() -> None:
    assert free_port({20000, 20001}, range(20000, 20010), 0, lambda port: port != 20002) == 20003


def test_both_ends_of_the_range_count() -> None:
    assert free_port((), range(20000, 20001), 0, lambda _: True) == 20000


def test_a_range_that_is_used_up_says_by_whom() -> None:
    with pytest.raises(NoPortFree, match=r"from 20000 to 20003: 3 are reserved .* and 1 are in use"):
        free_port([20000, 20001, 20003, 30000], range(20000, 20004), 0, lambda _: False)


def test_a_port_on_which_somebody_listens_cannot_be_bound() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert not bindable_on_loopback(port)
    assert bindable_on_loopback(port)
