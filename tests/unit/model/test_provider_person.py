"""People whom a provider knows: which name they get, and which teams."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as some

from tidegate.model.people import Team
from tidegate.model.provider_person import ProviderPerson, TeamChange, account_name, is_of_domain, team_changes

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("username", "email", "name"),
    [
        ("ada", None, "ada"),
        ("Ada", None, "ada"),
        ("ada@corp.example", "other@corp.example", "ada"),
        (None, "ada.lovelace@corp.example", "ada.lovelace"),
        ("Ada Lovelace", "ada@corp.example", "ada"),
        ("Ada Lovelace", None, None),
        ("../etc", None, None),
        ("", "", None),
        (None, None, None),
        ("a" * 64, None, None),
    ],
)
def test_a_new_account_gets_the_user_name_else_the_address_and_nothing_is_bent(
    username: str | None, email: str | None, name: str | None
) -> None:
    assert account_name(ProviderPerson("https://id.example", "1", username, email)) == name


@pytest.mark.parametrize(
    ("email", "domains", "fits"),
    [
        ("ada@corp.example", (), True),
        (None, (), True),
        ("ada@corp.example", ("corp.example",), True),
        ("ada@Corp.Example", ("corp.example",), True),
        ("ada@corp.example.evil", ("corp.example",), False),
        ("ada@evil@corp.example", ("corp.example",), True),
        ("corp.example", ("corp.example",), False),
        (None, ("corp.example",), False),
    ],
)
def test_only_a_verified_address_of_the_domain_counts(email: str | None, domains: tuple[str, ...], fits: bool) -> None:
    assert is_of_domain(ProviderPerson("https://id.example", "1", "ada", email), domains) is fits


NAMES = some.sampled_from(["a", "b", "c", "d"])


@given(
    groups=some.sets(some.sampled_from(["A", "B", "C", "X"])),
    mapping=some.dictionaries(some.sampled_from(["A", "B", "C"]), NAMES),
    member_of=some.sets(NAMES),
)
def test_afterwards_one_is_in_the_mapped_teams_of_ones_groups_and_all_other_teams_are_as_they_were(
    groups: set[str], mapping: dict[str, str], member_of: set[str]
) -> None:
    teams = [Team(name, NOW, ("ada",) if name in member_of else ()) for name in "abcd"]
    changes = team_changes("ada", groups, mapping, teams)
    after = (member_of | {one.team for one in changes if one.joins}) - {one.team for one in changes if not one.joins}
    mapped = set(mapping.values())
    assert after & mapped == {mapping[group] for group in groups if group in mapping}
    assert after - mapped == member_of - mapped
    assert all((one.team in member_of) is not one.joins for one in changes)


def test_a_team_that_does_not_exist_yet_is_joined() -> None:
    assert team_changes("ada", ["staff"], {"staff": "everybody"}, []) == (TeamChange("everybody", True),)
