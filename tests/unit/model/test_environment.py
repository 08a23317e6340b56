"""The environments of a new data folder: only production is protected."""

from __future__ import annotations

from tidegate.model.environment import DEFAULT_ENVIRONMENTS


def test_of_the_environments_of_a_new_data_folder_production_alone_is_protected() -> None:
    assert {name: one.protected for name, one in DEFAULT_ENVIRONMENTS.items()} == {
        "dev": False,
        "staging": False,
        "production": True,
    }
    assert all(one.name == name for name, one in DEFAULT_ENVIRONMENTS.items())
