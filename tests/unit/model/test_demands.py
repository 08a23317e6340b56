"""What the server demands is said in words, one line a floor; a floor that demands nothing says nothing."""

from __future__ import annotations

from tidegate.model.demands import demands_of
from tidegate.model.floor import Floor
from tidegate.model.gate_rules import ApprovalGroup, ApprovalRule, GateRules
from tidegate.model.ids import EnvironmentName
from tidegate.model.policy import Policy


def test_each_demand_has_its_words() -> None:
    groups = (ApprovalGroup(2, ("leads",)), ApprovalGroup())
    rules = GateRules(
        ApprovalRule(1, all_of=groups, not_author=True, delegates=False),
        source="floor regulated",
        policies=(Policy("tests", "release.tests.failed == 0"),),
    )
    floor = Floor(rules, ("billing-*",), (EnvironmentName("staging"),), deployment=False)
    assert demands_of([Floor(GateRules(source="environment production")), floor]) == (
        "floor regulated: a person opens the gate, whatever is granted; only artifacts that passed in staging; "
        "2 approvals from leads and 1 approval, not by an author, not in another's place; "
        "policy release.tests.failed == 0",
    )
    assert floor.concerns("billing-eu") and not floor.concerns("shop")
