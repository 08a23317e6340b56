"""What a browser may be made to do by the pages of others, and which requests are refused for it."""

from __future__ import annotations

import pytest

from tidegate.security.browser import is_known_host, is_same_origin, session_cookie

NAMES = frozenset({"Tidegate.example"})
HOST = "tidegate.example:8470"


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "localhost:8470",
        "LOCALHOST:8470",
        "shop.localhost:8470",
        "127.0.0.1:8470",
        "10.1.2.3",
        "[::1]:8470",
        "[fe80::1]",
        "tidegate.example",
        HOST,
        "TIDEGATE.example",
    ],
)
def test_addresses_in_figures_localhost_and_its_own_names_are_the_servers(host: str) -> None:
    assert is_known_host(host, NAMES)


@pytest.mark.parametrize(
    "host",
    [
        None,
        "",
        "evil.example",
        "evil.example:8470",
        "tidegate.example.evil.example",
        "xtidegate.example",
        "localhost.evil.example",
        "notlocalhost",
        "127.0.0.1.evil.example",
        "localhost:port",
        "[::1",
        "2130706433x",
    ],
)
def test_a_name_that_may_have_been_rebound_to_this_address_is_not_the_servers(host: str | None) -> None:
    assert not is_known_host(host, NAMES)


@pytest.mark.parametrize(
    ("origin", "fetch_site"),
    [(f"http://{HOST}", "same-origin"), (f"http://{HOST}", None), (None, "same-origin")],
)
def test_the_servers_own_page_may_ask(origin: str | None, fetch_site: str | None) -> None:
    assert is_same_origin("http", HOST, origin, fetch_site)


@pytest.mark.parametrize(
    ("origin", "fetch_site"),
    [
        (None, None),
        ("https://evil.example", None),
        ("https://evil.example", "same-origin"),
        (f"http://{HOST}", "cross-site"),
        (f"http://{HOST}", "same-site"),
        (f"https://{HOST}", None),
        ("http://tidegate.example", None),
        ("http://tidegate.example:9000", None),
        ("null", None),
        ("null", "cross-site"),
        ("", None),
        (None, "none"),
        (None, "same-site"),
        (None, "Same-Origin"),
    ],
)
def test_whoever_does_not_say_that_it_is_the_servers_own_page_is_refused(
    origin: str | None, fetch_site: str | None
) -> None:
    assert not is_same_origin("http", HOST, origin, fetch_site)


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("127.0.0.1:8470", "tidegate_session_8470"),
        ("[::1]:8471", "tidegate_session_8471"),
        ("tidegate.example", "tidegate_session"),
        (None, "tidegate_session"),
        ("localhost:port", "tidegate_session"),
    ],
)
def test_servers_on_two_ports_of_a_host_do_not_end_each_others_sessions(host: str | None, name: str) -> None:
    assert session_cookie(host) == name
