"""All rules of a gate at once: it opens exactly where none speaks against it, and no rule opens it for another."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import time
from enum import Enum, auto

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.model.builders import ANNA, BEN, HOUR, MINUTE, NOON, PRODUCTION, RUN, STAGING, UNHURRIED, an_approval
from tests.unit.model.test_gate_policy import FALSE, MISSING, TRUE, evidence

from tidegate.model.break_glass import BreakGlass
from tidegate.model.decide_gate import decide_gate
from tidegate.model.external import ExternalRule
from tidegate.model.freeze import Freeze
from tidegate.model.gate import GateState
from tidegate.model.gate_question import GateQuestion
from tidegate.model.gate_rules import ApprovalGroup, ApprovalRule, GateRules
from tidegate.model.ids import ReleaseId, StageName
from tidegate.model.known_people import KnownPeople
from tidegate.model.pipeline import Mode
from tidegate.model.policy import Policy
from tidegate.model.schedule import Schedule
from tidegate.model.service import effective_mode
from tidegate.model.window import Hours, Weekday, Window

NOW = NOON + MINUTE
EVIDENCE = evidence(now=NOW)
OPEN, SHUT = (Window("UTC", tuple(Weekday), Hours(time(begins), time(begins + 2))) for begins in (11, 13))
GLASS = BreakGlass("1", RUN, StageName("production"), ReleaseId("r"), BEN, "it burns", NOON)
FREEZE = Freeze("f1", PRODUCTION, NOON - HOUR, NOON + HOUR, "the great sale", BEN, NOON - HOUR)
LEADS = KnownPeople(accounts=frozenset({ANNA.name}), teams={"leads": frozenset({ANNA.name})})


class Demand(Enum):
    """What a floor demands of people."""

    NOTHING = auto()
    ANNA = auto()
    SOMEBODY_ELSE = auto()


@dataclass(frozen=True)
class Case:
    """One combination."""

    wish: Mode
    granted: bool
    founded: bool
    approved: bool
    policy: Policy | None
    window: Window | None
    frozen: bool
    floor: Demand
    promoted: bool
    glass: bool

    @property
    def opens(self) -> bool:
        """The oracle: what a person who knows the rules would say."""
        person = self.wish is Mode.DELIVERY or not (self.granted and self.founded)
        against = (
            person and not self.approved,
            self.policy in (FALSE, MISSING),
            self.window is SHUT,
            self.frozen,
            self.floor is Demand.SOMEBODY_ELSE or (self.floor is Demand.ANNA and not self.approved),
            not self.promoted,
        )
        return self.glass or not any(against)

    def question(self) -> GateQuestion:
        """As the engine would ask it."""
        demands = {
            Demand.NOTHING: None,
            Demand.ANNA: ApprovalRule(1, sources=("leads",)),
            Demand.SOMEBODY_ELSE: ApprovalRule(1, sources=("ben",)),
        }
        file = GateRules(policies=(self.policy,) if self.policy else (), windows=(self.window,) if self.window else ())
        grant = Mode.DEPLOYMENT if self.granted else None
        return GateQuestion(
            run=RUN,
            order=5,
            environment="production",
            protected=True,
            mode=effective_mode(self.wish, grant, True, lacks=() if self.founded else ("tests",)),
            rules=(file, GateRules(demands[self.floor], source="floor regulated")),
            approvals=[an_approval(ANNA)] if self.approved else [],
            people=LEADS,
            break_glass=GLASS if self.glass else None,
            newest_order=4,
            must_have_passed=(STAGING,),
            passed_in=frozenset({STAGING}) if self.promoted else frozenset(),
            freezes=(FREEZE,) if self.frozen else (),
            evidence=EVIDENCE,
        )


def cases() -> Iterator[Case]:
    both = (False, True)
    policies = (None, TRUE, FALSE, MISSING)
    for values in itertools.product(Mode, both, both, both, policies, (None, OPEN, SHUT), both, Demand, both, both):
        yield Case(*values)


def test_the_gate_opens_exactly_where_no_rule_speaks_against_it_and_says_what_opened_it_or_keeps_it_shut() -> None:
    wrong = []
    for case in cases():
        decision = decide_gate(case.question(), NOW)
        is_open = decision.state is GateState.OPEN
        says = (bool(decision.opened_by), not decision.blocking) == (is_open, is_open)
        if is_open != case.opens or not says or decision.opened_by.startswith("break-glass") != case.glass:
            wrong.append((case, decision))
    assert not wrong, f"{len(wrong)} combinations, the first: {wrong[0]}"


approvals = st.builds(
    ApprovalRule,
    st.integers(0, 2),
    sources=st.sampled_from([(), ("leads",), ("ben",)]),
    not_author=st.booleans(),
    comment=st.booleans(),
) | st.builds(ApprovalRule, st.just(1), all_of=st.just((ApprovalGroup(1, ("leads",)), ApprovalGroup(1))))
rules = st.builds(
    GateRules,
    approvals=st.none() | approvals,
    source=st.sampled_from(["tidegate.yaml", "environment production", "floor regulated"]),
    windows=st.sampled_from([(), (OPEN,), (SHUT,), (OPEN, SHUT)]),
    schedule=st.none() | st.just(Schedule("0 12 * * *", "UTC", HOUR)) | st.just(Schedule("0 13 * * *", "UTC", HOUR)),
    external=st.none() | st.just(ExternalRule("https://tickets.example.com/x", "KEY")),
    policies=st.sampled_from([(), (TRUE,), (FALSE,), (MISSING,)]),
)
questions = st.builds(Case.question, st.sampled_from(list(cases())))


@UNHURRIED
@given(question=questions, file=rules, more=rules)
def test_a_rule_more_never_opens_a_gate_that_was_shut(question: GateQuestion, file: GateRules, more: GateRules) -> None:
    file = replace(file, source="tidegate.yaml")
    before = replace(question, rules=(file, *question.rules[1:]))
    after = replace(before, rules=(*before.rules, replace(more, source="floor more")))
    if decide_gate(before, NOW).state is not GateState.OPEN:
        assert decide_gate(after, NOW).state is not GateState.OPEN


@UNHURRIED
@given(question=questions, floor=rules, file=rules)
def test_no_file_weakens_a_floor(question: GateQuestion, floor: GateRules, file: GateRules) -> None:
    """What a floor alone keeps out stays out, whatever the file says and wishes."""
    floor = replace(floor, source="floor regulated")
    anything = effective_mode(Mode.DEPLOYMENT, Mode.DEPLOYMENT, True)
    alone = replace(question, rules=(GateRules(), floor), mode=anything, freezes=(), passed_in=frozenset({STAGING}))
    if decide_gate(alone, NOW).state is not GateState.OPEN:
        weakened = replace(question, rules=(replace(file, source="tidegate.yaml"), floor))
        assert decide_gate(weakened, NOW).state is not GateState.OPEN
