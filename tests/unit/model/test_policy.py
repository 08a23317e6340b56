"""Policies: what they may say, what they answer, what missing evidence does, and that none takes long."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.model import largest_evidence

from tidegate.model.ask_policy import MOST_MICROSECONDS, ask, check, moves
from tidegate.model.evidence_schema import vocabulary
from tidegate.model.expression_check import read
from tidegate.model.expression_paths import part_of
from tidegate.model.expression_types import weight
from tidegate.model.policy import Policy, PolicyAnswer, PolicyResult

STAGES = ("staging", "production")


def change(*verified: bool, files: int = 3) -> dict[str, Any]:
    authors = [{"name": "Ada", "email": "ada@example.org", "verified": one} for one in verified]
    return {"commit": "c" * 40, "subject": "Sell more", "authors": authors, "files": files}


EVIDENCE: dict[str, Any] = {
    "now": datetime(2026, 7, 1, 22, 30, tzinfo=UTC),
    "release": {
        "label": "cccccccc",
        "order": 7,
        "age": timedelta(hours=30),
        "tests": {"total": 10, "failed": 2, "skipped": 0},
        "coverage": {"line": 81.5},
    },
    "service": {"name": "shop", "risk": "high", "mode": "deployment"},
    "environment": {"name": "production", "protected": True},
    "changes": [change(True), change(True, False, files=9)],
    "stages": {"staging": {"state": "passed", "verdict": "pass"}, "production": {"state": "gate"}},
    "risk": {"score": 40, "reasons": ["many changes"]},
}


def asked(expression: str, evidence: dict[str, Any] = EVIDENCE, message: str = "") -> PolicyResult:
    return ask(Policy("policy", expression, message), "tidegate.yaml", evidence)


@pytest.mark.parametrize(
    ("expression", "answer"),
    [
        ("release.tests.failed == 0", False),
        ("release.tests.failed <= 2 && release.coverage.line >= 80.0", True),
        ("release.coverage.line >= 80", True),
        ('service.risk in ["low", "standard"] || risk.score < 50', True),
        ("changes.all(c, c.authors.all(a, a.verified))", False),
        ("changes.exists(c, c.authors.exists(a, !a.verified && c.files > 5))", True),
        ("size(changes) == 2 && changes[0].files == 3", True),
        ('stages.staging.verdict == "pass"', True),
        ('stages.all(s, s == "production" || stages[s].state == "passed")', True),
        ('"load test" in stages', False),
        ("has(release.scan)", False),
        ("!has(release.scan) || release.scan.critical == 0", True),
        ('release.age > duration("24h")', True),
        ('now > timestamp("2026-07-01T00:00:00Z")', True),
        ("now.getHours() == 22", True),
        ('now.getHours("Europe/London") == 23', True),
        ('now.getHours("Asia/Tokyo") == 7 && now.getDate("Asia/Tokyo") == 2', True),
        ('now.getDayOfWeek("Asia/Tokyo") == 4 && now.getDayOfWeek() == 3', True),
        ('now.getMonth("Europe/London") == 6 && now.getDayOfYear() == 181', True),
        ('risk.score > 50 ? environment.protected : service.name == "shop"', True),
    ],
)
def test_a_policy_is_answered_from_the_evidence(expression: str, answer: bool) -> None:
    assert check(expression, STAGES) == ()
    assert asked(expression).answer is PolicyAnswer(str(answer).lower())


@pytest.mark.parametrize(
    ("zone", "hour"),
    [
        ("2026-03-29T00:59:00Z", 0),
        ("2026-03-29T01:00:00Z", 2),
        ("2026-10-25T00:59:00Z", 1),
        ("2026-10-25T01:00:00Z", 1),
    ],
)
def test_the_hour_of_a_zone_is_right_across_changes_of_the_clock(zone: str, hour: int) -> None:
    at = datetime.fromisoformat(zone)
    assert asked(f'now.getHours("Europe/London") == {hour}', {"now": at}).holds


@pytest.mark.parametrize(
    ("expression", "at", "message"),
    [
        ('release.tests.failed == "0"', 21, "a whole number never equals a text"),
        ("release.coverage.line && true", 17, "a number is neither true nor false"),
        ("release.tests", None, "the expression says release.tests as a whole, neither true nor false"),
        ("release.tests.faild == 0", 14, 'release.tests has no "faild"'),
        ("relaese.tests.failed == 0", 0, 'there is no "relaese" here'),
        ("changes.all(c, c.author)", 17, 'changes[] has no "author"'),
        ("changes.all(c, change.nobody)", 22, 'change has no "nobody"'),
        ("changes.tests == 1", 8, 'a list has no "tests"'),
        ('release["scan"] == 1', 7, "[…] cannot be asked of release as a whole"),
        ('"scan" in release', 7, '"in" asks a list, and release as a whole is none'),
        ("release == release", 8, "release as a whole never equals release as a whole"),
        ("release.scan == null", 13, "no evidence is ever null"),
        ('service.risk == "hgih"', 16, 'it is never "hgih"'),
        ('service.risk in ["low", "hgih"]', 24, 'it is never "hgih"'),
        ('stages.stagin.state == "passed"', 7, 'the pipeline has no stage "stagin"'),
        ('stages["load"].state == "passed"', 7, 'the pipeline has no stage "load"'),
        ("release.tests.failed + 0.5 > 1.0", 21, '"+" cannot be asked of a whole number and a number'),
        ("release.age > 3", 12, "a duration is neither less nor more than a whole number"),
        ('release.age > duration("3d")', 23, '"3d" is not a duration'),
        ('now > timestamp("2026-02-30T00:00:00Z")', 16, '"2026-02-30T00:00:00Z" is not a moment'),
        ("now > timestamp(release.label)", 6, '"timestamp" takes a text that is written out'),
        ('now.getHours("Europe/Londn") < 9', 13, 'there is no time zone "Europe/Londn"'),
        ("has(release)", 4, "this is not an expression: invalid argument to has() macro at character 5"),
        ("size(release.tests) == 1", 0, '"size" cannot be asked of release.tests as a whole'),
        ("release.tests.failed.size() == 1", 21, '"size" cannot be asked of a whole number like this'),
        ("changes.map(c, c.files) == []", 8, '"map" cannot be used: it makes something new'),
        ("true ? 1 : 'a'", 5, "this is either a whole number or a text"),
        ("[1, 'a'] == []", 4, "a list holds values of one type, and a text is another"),
        ("release.tests.failed == 0 &&", 28, "this is not an expression: mismatched input 'the end' at character 29"),
        ("changes.all(c, changes.all(d, changes.all(e, c.files == e.files)))", None, "this is too much work: up to"),
        ("1u == 1u", 0, "1u cannot be used as a number"),
        ('b"a" == b"a"', 0, 'b"a" cannot be used: there are no bytes to compare it with'),
        ("[1].all(a, [1].all(b, [1].all(c, [1].all(d, true))))", 37, "loops are nested more than 3 deep"),
    ],
)
def test_what_is_wrong_with_a_policy_is_told_with_its_place(expression: str, at: int | None, message: str) -> None:
    flaw = check(expression, STAGES)[0]
    assert flaw.message.startswith(message)
    assert flaw.at == at


def test_a_policy_of_a_floor_may_name_any_stage() -> None:
    assert check('stages.whatever.state == "passed"') == ()


@pytest.mark.parametrize(
    ("expression", "missing", "text"),
    [
        ("release.scan.critical == 0", "release.scan", "no scan was reported"),
        ("release.tests.failed < 9 && release.scan.critical == 0", "release.scan", "no scan was reported"),
        ("changes.all(c, c.reviews.exists(r, r.approved))", "changes[].reviews", "no reviews were reported"),
        (
            "changes.all(c, c.authors.exists(a, a.account == 'ada'))",
            "changes[].authors[].account",
            "nobody has verified",
        ),
        ("error_budget.left > 10.0", "error_budget", "the file names no objective there"),
        ("size(incidents) == 0", "incidents", "there were more than 100 incidents"),
        ('stages["load test"].state == "passed"', 'stages["load test"]', "is missing"),
        ("release.coverage.change >= 0.0", "release.coverage.change", "nothing with a coverage serves there"),
    ],
)
def test_missing_evidence_is_not_zero_and_is_named(expression: str, missing: str, text: str) -> None:
    result = asked(expression)
    assert result.answer is PolicyAnswer.MISSING
    assert not result.holds
    assert result.missing == missing
    assert text in result.text


def test_missing_evidence_does_not_matter_where_the_answer_is_the_same_whatever_it_is() -> None:
    assert asked("release.scan.critical == 0 || release.tests.total == 10").holds
    assert asked("release.scan.critical == 0 && release.tests.total == 9").answer is PolicyAnswer.FALSE


@pytest.mark.parametrize(
    "expression", ["1 / release.tests.skipped == 1", "changes[9].files == 1", "int(release.label) > 1"]
)
def test_a_policy_without_an_answer_does_not_hold_and_says_why(expression: str) -> None:
    result = asked(expression)
    assert result.answer is PolicyAnswer.ERROR
    assert "has no answer: " in result.text


def test_a_policy_that_was_never_checked_is_an_error_not_an_answer() -> None:
    assert asked("release.tset.failed == 0").answer is PolicyAnswer.ERROR
    assert asked("release.tests.failed ==").answer is PolicyAnswer.ERROR


def test_the_result_keeps_the_values_that_were_read_and_no_others() -> None:
    result = asked("release.tests.failed == 0 && has(release.coverage) && now.getHours() < 9")
    assert result.text == "the policy does not hold: release.tests.failed is 2"
    assert result.inputs == {
        "release.tests.failed": 2,
        "release.coverage": {"line": 81.5},
        "now": "2026-07-01T22:30:00+00:00",
    }


def test_a_message_is_said_where_the_policy_does_not_hold() -> None:
    result = ask(Policy("tests", "release.tests.failed == 0", "the tests must pass"), "tidegate.yaml", EVIDENCE)
    assert result.text == 'the tests must pass (the policy "tests" does not hold): release.tests.failed is 2'


@pytest.mark.parametrize(
    ("expression", "moving"),
    [("now.getHours() < 9", True), ('release.age > duration("1h")', True), ("release.tests.failed == 0", False)],
)
def test_it_is_known_whether_time_alone_may_change_the_answer(expression: str, moving: bool) -> None:
    assert moves(expression) is moving


TERMS = {
    "truth": ["environment.protected", "run.by_person", "has(release.scan)", "true", "changes[0].authors[0].verified"],
    "whole": [
        "release.order",
        "release.tests.failed",
        "size(changes)",
        "3",
        "now.getHours('Asia/Tokyo')",
        "changes[0].files",
    ],
    "number": ["release.coverage.line", "1.5", "double(risk.score)"],
    "text": ["release.label", "service.risk", "'high'", "stages['stage-0'].state", "changes[0].subject"],
    "moment": ["now", "release.built_at", "timestamp('2026-07-01T00:00:00Z')"],
    "span": ["release.age", "duration('1h')"],
}
ANY = st.sampled_from([term for terms in TERMS.values() for term in terms])


@st.composite
def expressions(draw: st.DrawFn, depth: int = 3) -> str:
    """Anything that can be written with these terms: most of it has wrong types."""
    if depth == 0:
        return draw(ANY)
    one, other = draw(expressions(depth - 1)), draw(expressions(depth - 1))
    form = draw(
        st.sampled_from(
            [
                *(
                    f"({{0}} {sign} {{1}})"
                    for sign in ("&&", "||", "==", "!=", "<", ">=", "+", "-", "*", "/", "%", "in")
                ),
                *("!{0}", "-{0}", "({0} ? {1} : {0})", "[{0}, {1}]", "{0}.contains({1})", "size({0})", "string({0})"),
                *("changes.all(c, {0} == {1})", "[{0}].exists(x, x == {1})", "risk.reasons.exists(x, x == {0})"),
            ]
        )
    )
    return form.format(one, other)


SMALL = largest_evidence.evidence(at_most=2, text="high")
_ARITHMETIC = ("division by zero", "overflow", "index out of bounds", "Division by zero", "Overflow", "Arithmetic")


@settings(max_examples=200, deadline=None)
@given(expressions())
def test_what_is_found_right_never_fails_because_of_a_type_or_a_name(expression: str) -> None:
    if check(expression):
        return
    result = asked(expression, SMALL)
    assert result.answer in (PolicyAnswer.TRUE, PolicyAnswer.FALSE) or any(one in result.text for one in _ARITHMETIC), (
        expression,
        result.text,
    )


@settings(max_examples=80, deadline=None)
@given(expressions(), st.sets(st.sampled_from(["tests", "coverage", "scan", "artifacts"])))
def test_with_evidence_missing_a_policy_answers_as_before_or_not_at_all(expression: str, gone: set[str]) -> None:
    if check(expression) or "has(" in expression:
        return
    release = {name: value for name, value in SMALL["release"].items() if name not in gone}
    before, after = asked(expression, SMALL), asked(expression, SMALL | {"release": release})
    assert after.answer in (before.answer, PolicyAnswer.MISSING)


@pytest.mark.parametrize(
    "expression",
    [
        "changes.all(c, c.authors.all(a, a.verified))",
        'changes.all(c, c.subject.matches("^[A-Z].*"))',
        "changes.all(c, c.reviews.exists(r, r.approved && !c.authors.exists(a, a.account == r.account)))",
        'stages.all(s, s == "production" || stages[s].state == "passed")',
        'stages.staging.figures.all(f, f.verdict != "fail")',
        "release.artifacts.all(a, a.size < 1000000)",
    ],
)
def test_what_people_want_to_ask_is_within_the_bound(expression: str) -> None:
    reading = read(expression, vocabulary())
    assert not reading.flaws
    assert reading.microseconds <= MOST_MICROSECONDS


@pytest.mark.parametrize("expression", ["size(changes) == 1", "size(stages) == 1", "changes.all(c, c.files > 0)"])
def test_what_is_handed_over_is_no_more_than_what_was_counted(expression: str) -> None:
    reads = read(expression, vocabulary()).reads
    tree = reads.tree()
    handed = part_of(largest_evidence.evidence(), tree)
    counted = sum(weight(vocabulary().names[name].type, inner) for name, inner in tree.items())
    assert _values(handed) - 1 <= counted


def _values(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + sum(_values(one) for one in inner)
