"""Signed messages: only who knows the secret makes them, and only for five minutes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.security.signature import is_signed, sign

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


def test_a_signature_is_what_others_compute_too() -> None:
    """`printf '1772452800.{}' | openssl dgst -sha256 -hmac secret`."""
    assert sign("secret", b"{}", NOW) == (
        "t=1772452800,v1=ed27af7df6d2d5a33313fa417c47513d6fbcf29415e32e3ff14c87dd1f95aff7"
    )


@pytest.mark.parametrize(("minutes", "fresh"), [(-6, False), (-5, True), (0, True), (5, True), (6, False)])
def test_a_message_is_fresh_for_five_minutes(minutes: int, fresh: bool) -> None:
    assert is_signed("secret", b"{}", sign("secret", b"{}", NOW + timedelta(minutes=minutes)), NOW) is fresh


@given(st.binary(max_size=50), st.integers(0, 49), st.integers(1, 255))
def test_another_byte_is_another_message(body: bytes, place: int, change: int) -> None:
    header = sign("secret", body, NOW)
    assert is_signed("secret", body, header, NOW)
    assert not is_signed("Secret", body, header, NOW)
    if place < len(body):
        other = body[:place] + bytes([body[place] ^ change]) + body[place + 1 :]
        assert not is_signed("secret", other, header, NOW)


@given(st.text(max_size=120))
def test_no_text_is_a_signature_by_chance(header: str) -> None:
    assert not is_signed("secret", b"{}", header, NOW)
