"""Versions come from tags, are ordered, and fit what is required, or not."""

from __future__ import annotations

import pytest

from tidegate.model.version import check_specifier, fits, version_of


@pytest.mark.parametrize(
    ("described", "version"),
    [
        ("v1.4.2-0-g1a2b3c4", "1.4.2"),
        ("1.4.2-0-g1a2b3c4", "1.4.2"),
        ("v1.4.2-3-g1a2b3c4", "1.4.2.post3"),
        ("v1.5.0-rc.1-0-g1a2b3c4", "1.5.0rc1"),
        ("v1.5.0-rc.1-2-g1a2b3c4", "1.5.0rc1.post2"),
        ("v1.5.dev4-2-g1a2b3c4", "1.5.dev6"),
        ("v1.4.2.post1-2-g1a2b3c4", "1.4.2.post3"),
        ("v1.4.2+debian-1-g1a2b3c4", "1.4.2.post1"),
        ("v2024-12-24x-1-g1a2b3c4", None),
        ("1a2b3c4", None),
        ("", None),
    ],
)
def test_the_nearest_tag_and_the_changes_after_it_make_a_version(described: str, version: str | None) -> None:
    assert version_of(described) == version


@pytest.mark.parametrize(
    ("version", "specifier", "fit"),
    [
        ("1.4", ">=1.4", True),
        ("1.4.2.post3", ">=1.4", True),
        ("1.3.9", ">=1.4", False),
        ("1.4.2.post3", ">=1.4.3", False),
        ("1.4.2.post3", "==1.4.2", False),
        ("1.5.0rc1", ">=1.4", True),
        ("1.5.0rc1", ">=1.5", False),
        ("2.0", ">=1.4, <2", False),
        ("1.10", "~=1.4", True),
    ],
)
def test_a_version_fits_what_is_required_by_its_order(version: str, specifier: str, fit: bool) -> None:
    assert fits(version, specifier) is fit


@pytest.mark.parametrize("text", ["1.4", "", "^1.4", ">=x", "latest"])
def test_what_says_no_versions_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"write (them|one) like"):
        check_specifier(text)
