"""Durations, percentages, rates and sizes, as people write them and as they are shown to people."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.model.builders import UNHURRIED

from tidegate.model.quantity import (
    format_duration,
    format_rate,
    parse_duration,
    parse_percentage,
    parse_rate,
    parse_share,
    parse_size,
)
from tidegate.model.share import WHOLE_PARTS, Share


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("500ms", timedelta(milliseconds=500)),
        ("30s", timedelta(seconds=30)),
        ("1.5s", timedelta(seconds=1.5)),
        ("10m", timedelta(minutes=10)),
        ("2h", timedelta(hours=2)),
        ("3d", timedelta(days=3)),
        ("1h30m", timedelta(minutes=90)),
        ("0s", timedelta(0)),
    ],
)
def test_a_duration_is_read(text: str, span: timedelta) -> None:
    assert parse_duration(text) == span


@pytest.mark.parametrize("text", ["", "10", "m", "10 m", "-5s", "10M", "1w", "10m!", "ten minutes", " 5s"])
def test_what_is_no_duration_is_refused_with_the_remedy(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration; write one like 30s, 10m, 2h or 3d"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (timedelta(0), "0s"),
        (timedelta(seconds=0.25), "0.25s"),
        (timedelta(seconds=12), "12s"),
        (timedelta(seconds=12.4), "12s"),
        (timedelta(seconds=60), "1m"),
        (timedelta(minutes=90), "1h 30m"),
        (timedelta(days=3, hours=4, minutes=5), "3d 4h"),
        (timedelta(seconds=-90), "-1m 30s"),
    ],
)
def test_a_duration_is_shown_in_its_two_largest_units(span: timedelta, text: str) -> None:
    assert format_duration(span) == text


@UNHURRIED
@given(seconds=st.integers(0, 86400 * 400))
def test_a_shown_duration_is_read_back_up_to_its_two_largest_units(seconds: int) -> None:
    span = timedelta(seconds=seconds)
    back = parse_duration(format_duration(span).replace(" ", ""))
    lost = span - back
    assert timedelta(0) <= lost
    assert lost < (timedelta(hours=1) if seconds >= 86400 else timedelta(minutes=1))


@UNHURRIED
@given(milliseconds=st.integers(0, 10**9))
def test_no_duration_is_shown_in_a_way_that_cannot_be_read(milliseconds: int) -> None:
    parse_duration(format_duration(timedelta(milliseconds=milliseconds)).replace(" ", ""))


def test_a_tiny_duration_is_shown_without_an_exponent() -> None:
    assert "e" not in format_duration(timedelta(microseconds=50))


@pytest.mark.parametrize(("text", "fraction"), [("5%", 0.05), ("99.95%", 0.9995), ("0%", 0.0), ("100%", 1.0)])
def test_a_percentage_is_read_without_a_rounding_error(text: str, fraction: float) -> None:
    assert parse_percentage(text) == fraction


@pytest.mark.parametrize("text", ["5", "%", "5 %", "-5%", "5%%", "five%"])
def test_what_is_no_percentage_is_refused_with_the_remedy(text: str) -> None:
    with pytest.raises(ValueError, match="is not a percentage; write one like 5%"):
        parse_percentage(text)


@UNHURRIED
@given(parts=st.integers(0, WHOLE_PARTS))
def test_every_share_is_read_back_from_how_it_is_shown(parts: int) -> None:
    assert parse_share(str(Share(parts))) == Share(parts)


def test_a_share_of_more_than_the_whole_is_refused() -> None:
    with pytest.raises(ValueError, match="between 0% and 100%"):
        parse_share("101%")


@pytest.mark.parametrize(("text", "per_second"), [("5/s", 5.0), ("300/m", 5.0), ("7200/h", 2.0), ("0.5/s", 0.5)])
def test_a_rate_is_read_as_events_per_second(text: str, per_second: float) -> None:
    assert parse_rate(text) == per_second


@pytest.mark.parametrize("text", ["5", "5/d", "5/ms", "/s", "5 / s", "-1/s"])
def test_what_is_no_rate_is_refused_with_the_remedy(text: str) -> None:
    with pytest.raises(ValueError, match="is not a rate; write one like 5/s or 300/m"):
        parse_rate(text)


@pytest.mark.parametrize(("text", "size"), [("0B", 0), ("7KiB", 7168), ("64MiB", 67_108_864), ("2GiB", 2_147_483_648)])
def test_a_size_is_read_in_bytes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["64", "64MB", "64 MiB", "1.5MiB", "-1B", "MiB"])
def test_what_is_no_size_is_refused_with_the_remedy(text: str) -> None:
    with pytest.raises(ValueError, match="is not a size; write one like 64MiB"):
        parse_size(text)


@pytest.mark.parametrize(
    ("per_second", "text"),
    [(0.05, "3 requests/min"), (1.5, "90 requests/min"), (22.5, "22.5 requests/s"), (12_345.6, "12,346 requests/s")],
)
def test_a_rate_is_told_in_the_unit_in_which_it_is_no_tiny_number(per_second: float, text: str) -> None:
    assert format_rate(per_second) == text
