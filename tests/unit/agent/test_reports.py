"""Figures of reports: counted as the tools mean them, and never out of a file that is something else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.agent.reports import LONGEST_NAME, ReportUnreadable, name_of_test, parse_coverage, parse_junit, together
from tidegate.model.lease import MOST_FAILURES, TestReport

CASES = {
    "passed": "<testcase name='a'/>",
    "failed": "<testcase name='b'><failure>no</failure></testcase>",
    "error": "<testcase name='c'><error/></testcase>",
    "skipped": "<testcase name='d'><skipped/></testcase>",
    "failed twice": "<testcase name='e'><failure/><error/></testcase>",
    "failed when skipped": "<testcase name='f'><skipped/><failure/></testcase>",
    "skipped when failed": "<testcase name='h'><failure/><skipped/></testcase>",
    "said much": "<testcase name='g'><system-out>&lt;failure/&gt;</system-out></testcase>",
}
FAILING = {"failed", "error", "failed twice", "failed when skipped", "skipped when failed"}


@given(names=st.lists(st.sampled_from(sorted(CASES)), max_size=20), depth=st.integers(1, 3))
def test_each_test_case_counts_once_at_whatever_depth_it_stands(names: list[str], depth: int) -> None:
    inner = "".join(CASES[name] for name in names)
    suites = "<testsuite>" * depth + inner + "</testsuite>" * depth
    report = parse_junit(f"<testsuites tests='999' failures='999'>{suites}</testsuites>".encode())
    failed = len([name for name in names if name in FAILING])
    assert (report.total, report.failed, report.skipped) == (len(names), failed, names.count("skipped"))
    assert report.failures == tuple(CASES[name].split("'")[1] for name in names if name in FAILING)
    assert report.failed_only({"b", "c", "e", "f", "h"}) is bool(failed)


def test_a_suite_alone_and_one_with_a_name_space_are_reports_too() -> None:
    assert parse_junit(b"<testsuite><testcase/></testsuite>") == TestReport(1, 0, 0)
    with_space = b"<j:testsuites xmlns:j='urn:j'><j:testcase><j:failure/></j:testcase></j:testsuites>"
    assert parse_junit(with_space) == TestReport(1, 1, 0)


def test_a_failure_outside_of_a_test_case_counts_for_none() -> None:
    assert parse_junit(b"<testsuite><failure/><testcase/></testsuite>") == TestReport(1, 0, 0)


def test_of_the_watched_tests_those_are_named_that_passed_and_never_failed_beside() -> None:
    names = ["passed", "failed", "skipped", "failed twice", "said much"]
    cases = "".join(CASES[name] for name in names) + "<testcase name='e'/><testcase/>"
    report = parse_junit(f"<testsuite>{cases}</testsuite>".encode(), watched={"a", "b", "d", "e", "nosuch"})
    assert report.passed == ("a",)


def test_tests_without_a_name_and_more_than_so_many_are_only_counted() -> None:
    assert parse_junit(b"<testsuite><testcase><failure/></testcase></testsuite>") == TestReport(1, 1, 0)
    cases = "".join(f"<testcase name='n{n}'><failure/></testcase>" for n in range(MOST_FAILURES + 1))
    report = parse_junit(f"<testsuite>{cases}</testsuite>".encode())
    assert (len(report.failures), report.failed_only(report.failures)) == (MOST_FAILURES, False)


@pytest.mark.parametrize(
    ("file", "classname", "name", "called"),
    [
        ("tests/test_a.py", "tests.test_a", "test_x", "tests/test_a.py::test_x"),
        ("tests/test_a.py", "tests.test_a.TestX.TestY", "test_x[a::b]", "tests/test_a.py::TestX::TestY::test_x[a::b]"),
        ("tests/test_a.py", "", "tests.test_a", "tests/test_a.py"),
        ("tests/test_a.py", "tests.test_ab", "test_x", "tests.test_ab::test_x"),
        ("", "tests.test_a.TestX", "test_x", "tests.test_a.TestX::test_x"),
        ("src/a.test.js", "Cart", "sums up", "Cart::sums up"),
        ("", "com.acme.CartTest", "sums()", "com.acme.CartTest::sums()"),
        ("", "", "alone", "alone"),
        ("", "", "two\nlines\x1b", "two lines"),
        ("", "c", "n" * 1000, ("c::" + "n" * 1000)[:LONGEST_NAME]),
        ("", "", "", ""),
    ],
)
def test_a_test_is_called_as_its_tool_takes_it(file: str, classname: str, name: str, called: str) -> None:
    assert name_of_test(file, classname, name) == called


def test_reports_of_the_same_tests_are_known_by_their_digest_in_whichever_order() -> None:
    def ran(*names: str) -> str:
        return parse_junit(f"<testsuite>{''.join(CASES[name] for name in names)}</testsuite>".encode()).ran

    assert ran("passed", "failed") == ran("failed", "passed") != ""
    assert ran("passed", "failed", "skipped") == ran("passed", "failed")
    assert len({ran(), ran("passed"), ran("failed"), ran("passed", "failed")}) == 4
    one, two = (parse_junit(f"<testsuite>{CASES[name]}</testsuite>".encode()) for name in ("passed", "failed"))
    assert together([one, two]).ran == together([two, one]).ran
    assert together([one, two]).ran != together([one]).ran


LAUGHS = b"<!DOCTYPE x [<!ENTITY a 'ha'><!ENTITY b '&a;&a;'>]><testsuite><testcase name='&b;'/></testsuite>"
OUTSIDE = b"<!DOCTYPE x SYSTEM 'file:///etc/passwd'><testsuite/>"


@pytest.mark.parametrize("parse", [parse_junit, parse_coverage])
@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "it is not XML"),
        (b"3 passed in 0.1s", "it is not XML"),
        (b"<testsuite><testcase></testsuite>", "it is not XML"),
        (b"<html><body/></html>", "it is not a "),
        (LAUGHS, "which are refused"),
        (OUTSIDE, "which are refused"),
    ],
    ids=["empty", "text", "torn", "another", "entities", "document type"],
)
def test_what_is_no_report_is_refused_in_words(parse: object, data: bytes, says: str) -> None:
    assert callable(parse)
    with pytest.raises(ReportUnreadable, match=says):
        parse(data)


@pytest.mark.parametrize(("rate", "percent"), [("0", 0.0), ("1", 100.0), ("0.8125", 81.25), ("0.91234567", 91.2346)])
def test_line_coverage_is_told_in_percent(rate: str, percent: float) -> None:
    inner = "<packages><class line-rate='0.1'/></packages>"
    assert parse_coverage(f"<coverage line-rate='{rate}'>{inner}</coverage>".encode()) == percent


@pytest.mark.parametrize("rate", ["", "high", "nan", "inf", "-0.1", "1.01", "80"])
def test_a_rate_that_is_none_is_refused(rate: str) -> None:
    with pytest.raises(ReportUnreadable):
        parse_coverage(f"<coverage line-rate='{rate}'/>".encode())


def test_a_rate_of_something_inside_is_not_taken_for_the_whole() -> None:
    with pytest.raises(ReportUnreadable, match="no <coverage line-rate"):
        parse_coverage(b"<report><coverage line-rate='1'/></report>")
