"""Which roles an account holds: its own and its teams', none where it is disabled, none above a token's."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.model.people import (
    NAME,
    AccessToken,
    Account,
    AccountKind,
    Held,
    HolderKind,
    Role,
    RoleGrant,
    Team,
    roles_held,
)

NOW = datetime(2026, 11, 25, tzinfo=UTC)
ADA = Account("ada", AccountKind.PERSON, NOW)
READS = Held(Role.VIEWER)


def grant(kind: HolderKind, holder: str, role: Role, service: str | None = None, env: str | None = None) -> RoleGrant:
    return RoleGrant("1", kind, holder, role, service, env, "owner", NOW)


def test_whoever_has_an_account_may_read() -> None:
    assert roles_held(ADA, [], []) == (READS,)


def test_its_own_roles_and_those_of_its_teams_count_and_nobody_elses() -> None:
    teams = [Team("leads", NOW, ("ada", "bob")), Team("other", NOW, ("bob",))]
    grants = [
        grant(HolderKind.ACCOUNT, "ada", Role.DEVELOPER, "shop"),
        grant(HolderKind.TEAM, "leads", Role.APPROVER, env="production"),
        grant(HolderKind.TEAM, "other", Role.ADMIN),
        grant(HolderKind.ACCOUNT, "bob", Role.ADMIN),
        grant(HolderKind.ACCOUNT, "leads", Role.OPERATOR),
        grant(HolderKind.TEAM, "ada", Role.OPERATOR),
    ]
    assert set(roles_held(ADA, teams, grants)) == {
        READS,
        Held(Role.DEVELOPER, "shop"),
        Held(Role.APPROVER, None, "production"),
    }


def test_a_disabled_account_holds_nothing() -> None:
    grants = [grant(HolderKind.ACCOUNT, "ada", Role.ADMIN)]
    assert roles_held(replace(ADA, disabled_because="left"), [], grants) == ()


ROLES = st.sampled_from(Role)
PLACES = st.sampled_from([None, "shop", "mail"])


@given(st.lists(st.tuples(ROLES, PLACES, PLACES)), ROLES)
def test_with_a_cap_nothing_above_it_is_held_and_nothing_below_it_is_lost(
    given_: list[tuple[Role, str | None, str | None]], cap: Role
) -> None:
    order = list(Role)
    grants = [grant(HolderKind.ACCOUNT, "ada", *one) for one in given_]
    whole, capped = roles_held(ADA, [], grants), roles_held(ADA, [], grants, cap)
    assert all(order.index(one.role) <= order.index(cap) for one in capped)
    least = [Held(min(one.role, cap, key=order.index), one.service, one.environment) for one in whole]
    assert set(capped) == set(least)


@pytest.mark.parametrize(
    ("change", "seconds", "opens"),
    [({}, 0, True), ({}, 59, True), ({}, 60, False), ({}, 61, False), ({"revoked_at": NOW}, 1, False)],
)
def test_a_token_opens_until_it_expires_or_is_revoked(change: dict[str, datetime], seconds: int, opens: bool) -> None:
    token = AccessToken("1", "ada", "laptop", "hash", NOW, "ada", NOW + timedelta(seconds=60))
    assert replace(token, **change).opens(NOW + timedelta(seconds=seconds)) is opens  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["ada", "a", "ada.b-c_d", "0", "x" * 63])
def test_names_that_can_be(name: str) -> None:
    assert NAME.fullmatch(name)


@pytest.mark.parametrize("name", ["", "Ada", "-a", ".a", "a b", "a\n", "x" * 64, "ä", "a/b"])
def test_names_that_cannot(name: str) -> None:
    assert not NAME.fullmatch(name)
