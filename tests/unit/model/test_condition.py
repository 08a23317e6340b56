"""Whether a step is wanted: what a condition may say, what it answers, and that it never takes long."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from contextlib import suppress

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tidegate.model.condition import (
    MOST_CHANGED,
    ConditionEvidence,
    ConditionFailed,
    NeededStep,
    Sizes,
    check,
    holds,
    vocabulary,
)
from tidegate.model.expression import DEEPEST_BRACKETS, LONGEST_EXPRESSION, MOST_PARTS
from tidegate.model.expression_check import read
from tidegate.model.expression_functions import FUNCTIONS

NEEDS = {"lint": NeededStep("failed", cached=False), "unit tests": NeededStep("succeeded", cached=True)}


def evidence(
    branch: str | None = "main",
    trigger: str | None = "push",
    author: str | None = "Ada",
    changed: Sequence[str] | None = ("web/a.ts", "docs/x.md"),
) -> ConditionEvidence:
    return ConditionEvidence(branch, trigger, author, changed, NEEDS)


@pytest.mark.parametrize(
    ("expression", "answer"),
    [
        ("true", True),
        ('branch == "main"', True),
        ('branch.startsWith("release/") || author == "Ada"', True),
        ('trigger != "push"', False),
        ('changed.exists(f, f.startsWith("web/"))', True),
        ('changed.all(f, f.endsWith(".md"))', False),
        ('changed.exists_one(f, f.matches("[.]md$"))', True),
        ('"docs/x.md" in changed && size(changed) == 2', True),
        ('["web/", "lib/"].exists(p, changed.exists(f, f.startsWith(p)))', True),
        ('changed.all(f, ["web/", "docs/"].exists(p, f.startsWith(p)))', True),
        ('needs.lint.status == "failed"', True),
        ('needs["unit tests"].cached', True),
        ("needs.exists(name, needs[name].cached)", True),
        ('"lint" in needs && has(needs.lint)', True),
        ('branch == "main" ? needs.lint.cached : true', False),
        ('branch in ["main", author] // the important ones', True),
        ("size(branch + author) == 7", True),
        ("[[1]].exists(x, x.exists(y, y == 1))", True),
        ("[changed].exists(x, x == [])", False),
    ],
)
def test_a_condition_is_answered_from_the_evidence(expression: str, answer: bool) -> None:
    assert check(expression, NEEDS) == ()
    assert holds(expression, evidence()) is answer


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("", "this is not an expression: mismatched input 'the end' at character 1"),
        ("branch ==", "this is not an expression: mismatched input 'the end' at character 10"),
        ("true\n&& (", "this is not an expression: mismatched input 'the end' at character 5 of line 2"),
        ("brnch == 'x'", 'there is no "brnch" here'),
        (".branch == 'x'", 'there is no ".branch" here'),
        ("f == 'x' || changed.exists(f, f == 'x')", 'there is no "f" here'),
        ("needs.lnit.cached", 'the step does not need "lnit"'),
        ("needs['lnit'].cached", 'the step does not need "lnit"'),
        ("needs.lint.statsu == 'x'", 'a needed step has no "statsu"'),
        ("needs.exists(n, needs[n].statsu == 'x')", 'a needed step has no "statsu"'),
        ("frob(branch)", 'there is no function "frob"'),
        ("branch.lowerAscii() == 'x'", 'there is no function "lowerAscii"'),
        ("branch{a: 1}", '"branch{…}" cannot be used: there are no types to make values of'),
        ("changed.filter(f, true) == []", '"filter" cannot be used: it makes something new'),
        ("changed.map(f, f + f) == []", '"map" cannot be used: it makes something new'),
        ("branch.exists(x, x == 'a')", "a loop goes over a list, and a text is none"),
        ("changed.exists(f, f == 1)", "a text never equals a whole number"),
        ("branch == null", "no evidence is ever null"),
        ("changed == {}", "{…} cannot be used here"),
        ("branch.matches(author)", '"matches" takes a pattern that is written out'),
        ("matches(branch, 'x')", '"matches" is asked of a text'),
        ("branch.matches('(')", "'(' is not a pattern"),
        ("branch.matches('a{1000}')", "a pattern cannot count with {…}"),
        ("branch.matches(r'" + r"\w" * 30 + "')", "the pattern is too much work"),
        ("branch", "the expression says a text, neither true nor false"),
        ("size(changed)", "the expression says a number, neither true nor false"),
        ("changed", "the expression says a list, neither true nor false"),
        ("null", "the expression says nothing, neither true nor false"),
        ("branch + 1 == 2", '"+" cannot be asked of a text and a whole number'),
        ("!branch", "a text is neither true nor false"),
        ("size(1) == 1", '"size" cannot be asked of a whole number'),
        ("changed.exists(f, changed.exists(g, f == g))", "this is too much work for a change of 10,000 files"),
        ("changed.exists(f, changed == [f])", "this is too much work for a change of 10,000 files"),
        ("'" + "x" * LONGEST_EXPRESSION + "' == ''", "the expression is longer than 1,000 characters"),
        ("!" * (MOST_PARTS + 1) + "true", f"the expression has {MOST_PARTS + 2} parts; the limit is {MOST_PARTS}"),
        ("(" * 17 + "true" + ")" * 17, f"the brackets are nested 17 deep; the limit is {DEEPEST_BRACKETS}"),
    ],
)
def test_what_is_wrong_with_a_condition_is_told(expression: str, message: str) -> None:
    assert message in [flaw.message for flaw in check(expression, NEEDS)]


def test_a_word_that_nobody_knows_comes_with_those_that_there_are() -> None:
    (flaw,) = check("changed.exists(file, fiel == branch)")
    assert (flaw.word, flaw.known) == ("fiel", ("branch", "trigger", "author", "changed", "needs", "file"))


def test_everything_that_is_wrong_is_told_at_once() -> None:
    assert [flaw.word for flaw in check("brnch == 'x' && foo(athor) && needs.x.y", ["x"])] == [
        "brnch",
        "foo",
        "athor",
        "y",
    ]


def test_without_the_names_of_needed_steps_they_are_not_checked() -> None:
    assert check("needs.anything.cached") == ()


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_function_that_is_offered_is_there(function: str) -> None:
    arguments = {"has": "needs.lint", "int": "'1'", "double": "'1'", "string": "1", "size": "branch"}
    call = f"{function}({arguments[function]})" if function in arguments else f"branch.{function}('x')"
    assert check(f"{call} == {call}", NEEDS) == ()
    assert holds(f"{call} == {call}", evidence()) is True


@pytest.mark.parametrize("name", ["branch", "trigger", "author", "changed"])
def test_evidence_that_is_missing_is_not_an_answer(name: str) -> None:
    missing = evidence(**{name: None})
    with pytest.raises(ConditionFailed, match="that is not known") as failed:
        holds(f"size({name}) == 3", missing)
    assert failed.value.missing == name


def test_evidence_that_is_missing_does_not_matter_where_the_answer_is_known_without_it() -> None:
    nobody_knows = evidence(changed=None)
    assert holds('branch == "main" || "a" in changed', nobody_knows) is True
    assert holds('"a" in changed || branch == "main"', nobody_knows) is True
    assert holds('"a" in changed && branch == "next"', nobody_knows) is False


def test_a_change_of_very_many_files_is_as_one_that_nobody_knows() -> None:
    assert holds("size(changed) > 0", evidence(changed=["x"] * MOST_CHANGED)) is True
    with pytest.raises(ConditionFailed) as failed:
        holds("size(changed) > 0", evidence(changed=["x"] * (MOST_CHANGED + 1)))
    assert failed.value.missing == "changed"


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("branch", "it says a text, neither true nor false"),
        ("needs.other.cached", 'there is no "other" among what it asks'),
        ("changed[5000] == 'x'", "index out of bounds: 5000"),
        ("int(branch) == 1", "Function 'int' error: string parse error"),
        ("branch ==", "this is not an expression"),
        ("frob(branch)", 'there is no function "frob"'),
        ("changed.exists(f, changed.exists(g, f == g))", "it is too much work for 5,000 changed files"),
    ],
)
def test_a_condition_without_an_answer_says_why(expression: str, message: str) -> None:
    with pytest.raises(ConditionFailed) as failed:
        holds(expression, evidence(changed=["x"] * 5000))
    assert str(failed.value).startswith(message)
    assert failed.value.missing is None


def files(count: int, length: int = 40) -> list[str]:
    return [f"{number:06}/".ljust(length, "x") for number in range(count)]


@pytest.mark.parametrize(
    ("expression", "changed"),
    [
        ('changed.exists(f, f == "")', files(MOST_CHANGED)),
        ('changed.exists(f, changed.exists(g, f == ""))', files(600)),
        ("changed.all(f, size(changed + changed + changed) > 1)", files(600)),
        ("changed.all(f, [" + ", ".join(['"a"'] * 100) + "].all(p, !f.startsWith(p)))", files(1000)),
        ("changed.exists(f, " + "+".join(["f"] * 150) + ' == "")', files(30, 4000)),
        ('changed.exists(f, f.matches("^zz.*[.]ts$"))', files(2000)),
        (r'changed.exists(f, f.matches(r"' + r"\W" * 15 + '"))', files(100)),
        ('changed.exists(f, f.matches("' + "x?" * 200 + 'y"))', files(50, 4000)),
    ],
)
def test_the_work_that_is_foretold_is_an_upper_bound(expression: str, changed: list[str]) -> None:
    foretold = read(expression, vocabulary(Sizes(len(changed), len(NEEDS), len(changed[0])))).microseconds
    begin = time.process_time()
    holds(expression, evidence(changed=changed))
    took = (time.process_time() - begin) * 1_000_000
    assert took < 2 * foretold + 100_000


DEEP = [
    "!" * (MOST_PARTS - 1) + "true",
    "branch" + ".a" * 190 + " == 1",
    "size(" * 16 + "branch" + ")" * 16 + " == 1",
    '["a"].all(a, ' * 8 + "true" + ")" * 8,
    "1" + " in [1]" * 90,
    " || ".join(["branch == ''"] * 60),
]


def test_no_condition_is_too_deep_for_a_small_stack() -> None:
    found: list[object] = []
    before = threading.stack_size(512 * 1024)
    try:
        thread = threading.Thread(target=lambda: found.extend(check(one) for one in DEEP))
        thread.start()
        thread.join()
    finally:
        threading.stack_size(before)
    assert len(found) == len(DEEP)


WORDS = st.sampled_from(
    [
        *(
            "branch",
            "changed",
            "needs",
            "f",
            "g",
            "n",
            "Foo",
            "true",
            "null",
            "1",
            "2.5",
            '"a"',
            "'web/'",
            'r"',
            "b'x'",
        ),
        *(
            ".exists(f,",
            ".all(g,",
            ".map(f,",
            ".startsWith(",
            ".matches(",
            ".size()",
            "size(",
            "has(",
            "int(",
            "string(",
        ),
        *(".status", ".cached", ".lint", '["lint"]', "needs[n]", "changed[0]", "f + f", "1e", "0x1", ".5"),
        *(
            "(",
            ")",
            "[",
            "]",
            "{",
            "}",
            ",",
            ".",
            "?",
            ":",
            "&&",
            "||",
            "!",
            "-",
            "+",
            "==",
            "<",
            " in ",
            " ",
            "//",
            "\n",
        ),
        *('"', "'", '"""', "\\", "%", "@", "`", "é", "\x00"),
    ]
)


@settings(max_examples=400, deadline=None)
@given(st.lists(WORDS, max_size=20).map("".join) | st.text(max_size=30))
@example("needs[")
@example("changed.exists(")
@example("[")
@example('"' * 999)
def test_whatever_is_written_is_refused_or_answered(expression: str) -> None:
    flaws = check(expression, NEEDS)
    with suppress(ConditionFailed):
        assert holds(expression, evidence()) in (True, False)
        assert not flaws, "what can be answered is not refused"
