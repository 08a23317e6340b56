"""Policies at a gate: all of every source hold, missing evidence keeps it shut, and what policy alone would decide."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.model.builders import (
    ANNA,
    BEN,
    DAY,
    MINUTE,
    NOON,
    PRODUCTION,
    RUN,
    UNHURRIED,
    a_pipeline,
    a_release,
    a_run,
    a_service,
    an_approval,
    an_environment,
    stage_runs,
)

from tidegate.model.break_glass import BreakGlass
from tidegate.model.change import Author, Change
from tidegate.model.decide_gate import decide_gate
from tidegate.model.evidence import MOST_AUTHORS, MOST_CHANGES, Evidence
from tidegate.model.evidence_schema import lacks, plain, vocabulary
from tidegate.model.expression_types import Choices, ListOf, MapOf, Record, Scalar, Type
from tidegate.model.gate import GateDecision, GateState
from tidegate.model.gate_question import GateQuestion
from tidegate.model.gate_rules import GateRules
from tidegate.model.gather_evidence import EvidenceSources, gather
from tidegate.model.ids import Commit, ReleaseId, StageName
from tidegate.model.known_people import KnownPeople
from tidegate.model.lease import TestReport
from tidegate.model.pipeline import Mode
from tidegate.model.policy import Policy, PolicyAnswer
from tidegate.model.run import StageState
from tidegate.model.service import effective_mode

TRUE, FALSE = Policy("true", "release.tests.failed == 0"), Policy("false", "release.tests.failed > 0")
MISSING, BROKEN = Policy("missing", "release.scan.critical == 0"), Policy("broken", "1 / release.tests.failed == 1")
LATER = Policy("later", 'release.age >= duration("1h")')


def sources(failed: int = 0) -> EvidenceSources:
    pipeline = a_pipeline()
    release = replace(a_release(pipeline), tests=TestReport(10, failed, 0), line_coverage=80.0, created_at=NOON)
    return EvidenceSources(
        run=a_run(pipeline),
        release=release,
        service=a_service(),
        mode=Mode.DELIVERY,
        environment=an_environment(),
        stages=stage_runs(pipeline),
    )


def evidence(failed: int = 0, now: datetime = NOON + MINUTE) -> Evidence:
    return gather(sources(failed), now)


def a_question(
    *rules: GateRules, mode: Mode = Mode.DEPLOYMENT, approved: bool = False, now: datetime = NOON + MINUTE
) -> GateQuestion:
    return GateQuestion(
        run=RUN,
        order=5,
        environment="production",
        protected=True,
        mode=effective_mode(mode, Mode.DEPLOYMENT, protected=True),
        rules=rules or (GateRules(),),
        approvals=[an_approval(ANNA)] if approved else [],
        newest_order=4,
        evidence=evidence(now=now),
    )


def asking(*policies: Policy, source: str = "tidegate.yaml") -> GateRules:
    return GateRules(source=source, policies=policies)


def decided(question: GateQuestion, now: datetime = NOON + MINUTE) -> GateDecision:
    return decide_gate(question, now)


@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize("approved", [False, True])
@pytest.mark.parametrize("glass", [False, True])
@pytest.mark.parametrize("of_file", [(), (TRUE,), (FALSE,), (MISSING,), (BROKEN,), (TRUE, FALSE), (TRUE, TRUE)])
@pytest.mark.parametrize("of_floor", [(), (TRUE,), (FALSE,), (MISSING,)])
def test_the_gate_opens_only_where_all_policies_of_every_source_hold(
    mode: Mode, approved: bool, glass: bool, of_file: Sequence[Policy], of_floor: Sequence[Policy]
) -> None:
    question = a_question(asking(*of_file), asking(*of_floor, source="floor all"), mode=mode, approved=approved)
    if glass:
        broken = BreakGlass("1", RUN, StageName("production"), ReleaseId("r"), BEN, "it burns", NOON)
        question = replace(question, break_glass=broken)
    holds = all(one is TRUE for one in (*of_file, *of_floor))
    asked = mode is Mode.DEPLOYMENT or approved
    decision = decided(question)
    assert (decision.state is GateState.OPEN) == (glass or (holds and asked))
    assert [one.name for one in decision.policies] == [one.name for one in (*of_file, *of_floor)]


def test_each_policy_says_what_it_read_and_where_it_is_written() -> None:
    decision = decided(a_question(asking(TRUE, FALSE), asking(MISSING, source="floor scanned")))
    texts = [one.text for one in decision.because if one.rule == "policy"]
    assert texts == [
        'the policy "true" holds: release.tests.failed is 0',
        'the policy "false" does not hold: release.tests.failed is 0',
        'the policy "missing" waits: no scan was reported (release.scan) (floor scanned)',
    ]
    assert [one.answer for one in decision.policies] == [PolicyAnswer.TRUE, PolicyAnswer.FALSE, PolicyAnswer.MISSING]
    assert {one.remedy for one in decision.blocking} == {f"tidegate policy show {RUN}"}


def test_without_evidence_a_gate_with_policies_stays_shut() -> None:
    question = replace(a_question(asking(TRUE)), evidence=None)
    assert decided(question).state is GateState.WAITING
    assert decided(question).policies[0].missing == "release"


def test_a_policy_that_the_time_may_change_is_looked_at_again_at_the_next_minute() -> None:
    now = NOON + timedelta(minutes=59, seconds=30)
    decision = decided(a_question(asking(LATER), now=now), now)
    assert decision.state is GateState.WAITING
    assert decision.look_again_at == NOON + timedelta(hours=1)
    assert decided(a_question(asking(LATER), now=NOON + timedelta(hours=1))).state is GateState.OPEN
    assert decided(a_question(asking(FALSE))).look_again_at is None


def test_a_decision_within_one_minute_is_the_same_so_that_waiting_writes_nothing() -> None:
    first, second = (NOON + timedelta(minutes=5, seconds=seconds) for seconds in (1, 59))
    one, other = (decided(a_question(asking(LATER), now=at), at) for at in (first, second))
    assert one == other


def test_the_reason_stays_the_same_while_nothing_but_time_goes_by() -> None:
    first, second = NOON + 5 * MINUTE, NOON + 25 * MINUTE
    one, other = (decided(a_question(asking(LATER), now=at), at) for at in (first, second))
    assert one.because == other.because
    assert one.policies != other.policies


@pytest.mark.parametrize(
    ("policies", "alone"),
    [
        ((), "policy would open"),
        ((TRUE,), "policy would open"),
        ((TRUE, MISSING), 'policy would wait: the policy "missing" waits: no scan was reported (release.scan)'),
    ],
)
def test_what_policy_alone_would_decide_is_said_beside_the_question_to_a_person(
    policies: Sequence[Policy], alone: str
) -> None:
    for approved in (False, True):
        assert decided(a_question(asking(*policies), mode=Mode.DELIVERY, approved=approved)).policy_alone == alone
    assert decided(a_question(asking(*policies), mode=Mode.DEPLOYMENT)).policy_alone == ""


def test_what_moves_at_the_placement_is_no_opinion_of_policy() -> None:
    question = replace(a_question(mode=Mode.DELIVERY), busy_with="shop/production is moving")
    assert decided(question).policy_alone == "policy would open"


POLICIES = st.lists(st.sampled_from([TRUE, FALSE, MISSING, BROKEN, LATER]), max_size=3).map(tuple)


@UNHURRIED
@given(POLICIES, POLICIES, st.sampled_from(Mode), st.booleans(), st.sampled_from([TRUE, FALSE, MISSING, BROKEN, LATER]))
def test_one_more_policy_never_opens_a_gate_that_was_shut(
    file: tuple[Policy, ...], floor: tuple[Policy, ...], mode: Mode, approved: bool, more: Policy
) -> None:
    before = decided(a_question(asking(*file), asking(*floor, source="floor"), mode=mode, approved=approved))
    for rules in (
        (asking(*file, more), asking(*floor, source="floor")),
        (asking(*file), asking(*floor, more, source="floor")),
    ):
        after = decided(a_question(*rules, mode=mode, approved=approved))
        assert after.state.strictness >= before.state.strictness


# the evidence


def fits(kind: Type, value: object) -> bool:
    match kind, value:
        case Record(_, fields), dict():
            there = all(name in fields and fits(fields[name].type, inner) for name, inner in value.items())
            return there and all(name in value or field.missing for name, field in fields.items())
        case MapOf(of), dict():
            return all(fits(of, one) for one in value.values())
        case ListOf(item, at_most), list():
            return len(value) <= at_most and all(item is not None and fits(item, one) for one in value)
        case Choices(words), _:
            return value in words
    kinds = {
        Scalar.TRUTH: bool,
        Scalar.WHOLE: int,
        Scalar.NUMBER: float,
        Scalar.TEXT: str,
        Scalar.MOMENT: datetime,
        Scalar.SPAN: timedelta,
    }
    return (
        isinstance(kind, Scalar)
        and type(value) in (kinds[kind],)
        and (kind is not Scalar.TEXT or len(str(value)) <= 200)
    )


def changes(count: int, authors: int = 1) -> list[Change]:
    others = tuple(Author(f"A{number}", f"a{number}@example.org") for number in range(1, authors))
    return [
        Change(Commit(f"{number:040x}"), "Anna", "anna@example.org", NOON, "x" * 500, merged=others)
        for number in range(count)
    ]


@pytest.mark.parametrize(("count", "authors"), [*itertools.product((0, 1, MOST_CHANGES, MOST_CHANGES + 1), (1, 2, 9))])
def test_whatever_is_gathered_has_the_declared_types_and_sizes(count: int, authors: int) -> None:
    found = gather(replace(sources(), brings=changes(count, authors)), NOON + DAY)
    assert fits(Record("", vocabulary().names), plain(found))


def test_more_changes_than_can_be_looked_at_are_missing_and_never_cut() -> None:
    many = plain(gather(replace(sources(), brings=changes(MOST_CHANGES + 1)), NOON))
    assert "changes" not in many
    crowd = plain(gather(replace(sources(), brings=changes(1, MOST_AUTHORS + 1)), NOON))
    assert "authors" not in crowd["changes"][0]
    assert ("changes[].authors", f"it has more than {MOST_AUTHORS} authors") in [
        (one.place, one.because) for one in lacks(crowd)
    ]


def test_an_author_is_verified_by_the_address_that_somebody_vouched_for() -> None:
    people = KnownPeople(addresses={"anna@example.org": "anna"})
    known = plain(gather(replace(sources(), people=people, brings=changes(1, 2)), NOON))["changes"][0]["authors"]
    assert [(one["email"], one["verified"], one.get("account")) for one in known] == [
        ("anna@example.org", True, "anna"),
        ("a1@example.org", False, None),
    ]


def test_who_signed_what_another_wrote_is_an_author_beside_the_other() -> None:
    people = KnownPeople(addresses={"anna@example.org": "anna"}, keys={"SHA256:key": "ben"})
    signed = replace(changes(1)[0], key="SHA256:key")
    known = plain(gather(replace(sources(), people=people, brings=[signed]), NOON))["changes"][0]["authors"]
    assert [one["account"] for one in known] == ["anna", "ben"]


def test_coverage_is_compared_with_what_serves() -> None:
    before = replace(sources().release, line_coverage=82.5)
    assert plain(gather(replace(sources(), serving=before), NOON))["release"]["coverage"] == {
        "line": 80.0,
        "change": -2.5,
    }


def test_what_is_known_adds_up_to_the_risk_and_is_named() -> None:
    calm = evidence().risk
    worse = gather(replace(sources(failed=2), brings=changes(12), rollbacks_in_a_row=1), NOON).risk
    assert calm.score < worse.score <= 100
    reasons = {"2 tests failed", "12 changes at once", "the last rollout there was rolled back for cause"}
    assert reasons <= {*worse.reasons}


def test_the_stages_say_how_they_went() -> None:
    stages = [replace(one, state=StageState.PASSED, began_at=NOON, ended_at=NOON + MINUTE) for one in sources().stages]
    found = plain(gather(replace(sources(), stages=stages), NOON))["stages"]
    assert found["staging"] == {"state": "passed", "environment": "staging", "seconds": 60.0}
    assert found["production"]["environment"] == PRODUCTION
