"""Who opens the gate to a protected environment: the stricter of the file's wish and a person's grant."""

from __future__ import annotations

import pytest

from tidegate.model.pipeline import Mode
from tidegate.model.service import effective_mode

DELIVERY, DEPLOYMENT = Mode.DELIVERY, Mode.DEPLOYMENT


@pytest.mark.parametrize(
    ("wish", "grant", "effective", "why"),
    [
        (DELIVERY, None, DELIVERY, "mode: delivery"),
        (DELIVERY, DELIVERY, DELIVERY, "mode: delivery"),
        (DELIVERY, DEPLOYMENT, DELIVERY, "mode: delivery"),
        (DEPLOYMENT, None, DELIVERY, "not granted"),
        (DEPLOYMENT, DELIVERY, DELIVERY, "not granted"),
        (DEPLOYMENT, DEPLOYMENT, DEPLOYMENT, "wished and granted"),
    ],
)
def test_policy_opens_a_protected_gate_only_where_it_is_wished_and_granted(
    wish: Mode, grant: Mode | None, effective: Mode, why: str
) -> None:
    decided = effective_mode(wish, grant, protected=True)
    assert decided.mode is effective
    assert why in decided.because.text


@pytest.mark.parametrize("wish", list(Mode))
@pytest.mark.parametrize("grant", [None, *Mode])
def test_policy_opens_every_gate_that_is_not_protected_and_says_so(wish: Mode, grant: Mode | None) -> None:
    decided = effective_mode(wish, grant, protected=False)
    assert decided.mode is DEPLOYMENT
    assert "not protected" in decided.because.text


def test_a_wish_that_is_not_granted_names_the_command_that_grants_it() -> None:
    assert (effective_mode(DEPLOYMENT, None, protected=True).because.remedy or "").startswith("tidegate service mode")


def test_a_service_that_burnt_its_budget_is_demoted_whatever_was_granted() -> None:
    decided = effective_mode(DEPLOYMENT, DEPLOYMENT, protected=True, demoted_because="its error budget is used up")
    assert decided.mode is DELIVERY
    assert "it was taken away (its error budget is used up)" in decided.because.text
    assert (decided.because.remedy or "").startswith("tidegate service mode")
    assert effective_mode(DEPLOYMENT, DEPLOYMENT, protected=False, demoted_because="x").mode is DEPLOYMENT
