"""Who may do what: which role has which permission, and where."""

from __future__ import annotations

from itertools import product

import pytest

from tidegate.model.actor import SYSTEM
from tidegate.model.people import Held, Role
from tidegate.security.permission import Identity, Permission, everywhere, local_agent_identity

FROM = {
    Permission.READ: Role.VIEWER,
    Permission.FETCH: Role.VIEWER,
    Permission.SIGN_IN: Role.VIEWER,
    Permission.DEVELOP: Role.DEVELOPER,
    Permission.APPROVE: Role.APPROVER,
    Permission.OPERATE: Role.OPERATOR,
    Permission.REHEARSE: Role.OPERATOR,
    Permission.AUDIT: Role.OPERATOR,
    Permission.ADMINISTER: Role.ADMIN,
    Permission.PERFORM: None,
}
"""The least role that has a permission; None for none of them."""


@pytest.mark.parametrize(("role", "permission"), list(product(Role, Permission)))
def test_each_role_may_do_what_it_is_for_and_what_the_lesser_ones_may(role: Role, permission: Permission) -> None:
    order, least = list(Role), FROM[permission]
    may = least is not None and order.index(role) >= order.index(least)
    assert everywhere(SYSTEM, role).may(permission) is may


@pytest.mark.parametrize("permission", Permission)
def test_an_agent_performs_and_nothing_else(permission: Permission) -> None:
    may = permission in (Permission.PERFORM, Permission.FETCH)
    assert local_agent_identity().may(permission, "shop", "production") is may
    assert local_agent_identity().may_somewhere(permission) is may


@pytest.mark.parametrize(
    ("held", "service", "environment", "may"),
    [
        (Held(Role.OPERATOR), None, None, True),
        (Held(Role.OPERATOR), "shop", "production", True),
        (Held(Role.OPERATOR, "shop"), "shop", "production", True),
        (Held(Role.OPERATOR, "shop"), "shop", None, True),
        (Held(Role.OPERATOR, "shop"), "mail", "production", False),
        (Held(Role.OPERATOR, "shop"), None, None, False),
        (Held(Role.OPERATOR, environment="staging"), "shop", "staging", True),
        (Held(Role.OPERATOR, environment="staging"), "shop", "production", False),
        (Held(Role.OPERATOR, environment="staging"), "shop", None, False),
        (Held(Role.OPERATOR, "shop", "staging"), "shop", "staging", True),
        (Held(Role.OPERATOR, "shop", "staging"), "shop", "production", False),
        (Held(Role.OPERATOR, "shop", "staging"), "mail", "staging", False),
        (Held(Role.OPERATOR, "shop", "staging"), "shop", None, False),
    ],
)
def test_a_role_counts_where_it_was_given(held: Held, service: str | None, environment: str | None, may: bool) -> None:
    identity = Identity(SYSTEM, (Held(Role.VIEWER), held))
    assert identity.may(Permission.OPERATE, service, environment) is may
    assert identity.may_somewhere(Permission.OPERATE)
    assert not identity.may_somewhere(Permission.ADMINISTER)
