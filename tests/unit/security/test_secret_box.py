"""Sealed secrets: only the key opens them, and a wrong or lost key says what to do."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tidegate.security.secret_box import SecretBox, WrongKey

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    return tmp_path / "secret-key"


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=TEXTS)
def test_what_was_sealed_is_opened_by_the_same_key_after_a_restart_too(key_file: Path, value: str) -> None:
    sealed = SecretBox(key_file).seal(value)
    assert SecretBox(key_file).open(sealed) == value


def test_sealed_text_tells_nothing_not_even_whether_two_values_are_equal(key_file: Path) -> None:
    box = SecretBox(key_file)
    first, second = box.seal("postgres://tide:gate@db"), box.seal("postgres://tide:gate@db")
    assert first != second
    assert "tide" not in first
    assert first.isascii()


def test_a_new_key_is_made_for_the_servers_own_user_only(key_file: Path) -> None:
    SecretBox(key_file)
    assert key_file.stat().st_mode & 0o777 == 0o600


def test_another_key_opens_nothing_and_the_message_says_what_to_do(key_file: Path) -> None:
    sealed = SecretBox(key_file).seal("value")
    key_file.write_text(Fernet.generate_key().decode())
    with pytest.raises(WrongKey) as refused:
        SecretBox(key_file).open(sealed)
    assert str(key_file) in str(refused.value)
    assert "put back the key file" in str(refused.value)
    assert "tidegate secret set" in str(refused.value)


@pytest.mark.parametrize("place", [0, 20, -5])
def test_sealed_text_that_was_changed_is_not_opened(key_file: Path, place: int) -> None:
    box = SecretBox(key_file)
    changed = bytearray(box.seal("value").encode())
    changed[place] ^= 1
    with pytest.raises(WrongKey):
        box.open(changed.decode())


@pytest.mark.parametrize("nothing", ["", "not sealed", "é" * 50])
def test_text_that_was_never_sealed_is_not_opened(key_file: Path, nothing: str) -> None:
    with pytest.raises(WrongKey):
        SecretBox(key_file).open(nothing)


@pytest.mark.parametrize("content", [b"", b"\n", b"hunter2", b"\xff\xfe", b"QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVoxMjM0N"])
def test_a_file_that_holds_no_key_is_named_and_left_alone(key_file: Path, content: bytes) -> None:
    key_file.write_bytes(content)
    with pytest.raises(WrongKey) as refused:
        SecretBox(key_file)
    assert f"{key_file} holds no key" in str(refused.value)
    assert "from a backup" in str(refused.value)
    assert key_file.read_bytes() == content
