"""Who may do what: an agent's token does an agent's work and nothing else."""

from __future__ import annotations

import pytest

from tidegate.model.actor import SYSTEM
from tidegate.security.permission import Identity, Permission, Role

MAY = {
    Role.ADMIN: {
        Permission.READ,
        Permission.OPERATE,
        Permission.ADMINISTER,
        Permission.SIGN_IN,
        Permission.FETCH,
    },
    Role.AGENT: {Permission.PERFORM, Permission.FETCH},
}


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("permission", Permission)
def test_each_role_may_do_exactly_what_it_is_for(role: Role, permission: Permission) -> None:
    assert Identity(SYSTEM, role).may(permission) is (permission in MAY[role])
