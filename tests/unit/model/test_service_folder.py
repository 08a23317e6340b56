"""Where a service is, wherever its file lies and whatever that says."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest

from tidegate.model.service_folder import service_folder


@pytest.mark.parametrize(
    ("folder", "path", "expected"),
    [
        ("/repo", ".", "/repo"),
        (".", "services/shop", "services/shop"),
        ("services/shop", ".", "services/shop"),
        ("/repo/services/shop", ".", "/repo/services/shop"),
        ("/repo/services/shop", "services/shop", "/repo/services/shop"),
        ("/repo", "services/shop", "/repo/services/shop"),
        ("/repo", "./services/shop/", "/repo/services/shop"),
    ],
)
def test_a_services_folder_is_found_from_its_file(folder: str, path: str, expected: str) -> None:
    assert service_folder(PurePosixPath(folder), path) == PurePosixPath(expected)
