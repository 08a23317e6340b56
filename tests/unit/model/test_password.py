"""What may be a password: long enough, and not the account's name."""

from __future__ import annotations

import pytest

from tidegate.model.password import normal_form, why_unfit


@pytest.mark.parametrize(
    ("password", "says"),
    [
        ("", "at least 12"),
        ("elevenchars", "at least 12"),
        ("twelve chars", None),
        ("x" * 256, None),
        ("x" * 257, "at most 256"),
        ("ada-lovelace", "account's name"),
        ("Ada-Lovelace ", "account's name"),
        ("ada-lovelace!", None),
        ("ﬃﬃﬃﬃ", None),  # four characters that are twelve in their normal form
    ],
)
def test_a_password_is_long_enough_and_not_the_accounts_name(password: str, says: str | None) -> None:
    found = why_unfit(password, "ada-lovelace")
    assert found is None if says is None else says in (found or "")


def test_a_password_is_the_same_however_a_keyboard_makes_its_characters() -> None:
    assert normal_form("pa\u0301ssword") == normal_form("p\u00e1ssword")
