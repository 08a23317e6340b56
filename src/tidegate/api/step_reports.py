"""What an agent may say of an attempt that has ended: what cannot be is refused, and every database takes the rest."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC
from typing import Annotated

from pydantic import AfterValidator

from tidegate.api.fields import DIGEST
from tidegate.model.lease import MOST_FAILURES, BuiltFile, StepReport, TestReport
from tidegate.model.load import STEPS, LoadReport

EXIT_CODES = range(-(2**31), 2**31)
"""Those of 32 bits: what an operating system gives."""

MOST_TESTS = 2**31 - 1
LARGEST_FILE = 2**50
DETAIL_AT_MOST = 10_000
"""In characters. What a command's end says may be longer through no fault of the agent's, so that the rest is cut."""

_LARGEST_FIGURE = 10**9
_LONGEST_TEST = 300
_LONGEST_FILE = 255
_LONGEST_IMAGE = 1000
_LONGEST_NAME = 255
_LONGEST_DIGEST = 100


def _checked(report: StepReport) -> StepReport:
    if wrong := tuple(_wrong_with(report)):
        raise ValueError("; ".join(wrong))
    detail = report.detail.replace("\0", "\N{REPLACEMENT CHARACTER}")
    if len(detail) > DETAIL_AT_MOST:
        detail = detail[: DETAIL_AT_MOST - 2] + " …"
    return replace(report, detail=detail)


Report = Annotated[StepReport, AfterValidator(_checked)]


def _wrong_with(report: StepReport) -> Iterator[str]:
    try:
        for time in (report.began_at, report.ended_at):
            time.astimezone(UTC)
    except OverflowError:
        yield "began_at and ended_at have to be times that UTC has, too"
    if report.exit_code is not None and report.exit_code not in EXIT_CODES:
        yield f"exit_code has to lie between {EXIT_CODES.start} and {EXIT_CODES.stop - 1}"
    if report.line_coverage is not None and not 0 <= report.line_coverage <= 100:
        yield "line_coverage is in percent: it has to lie between 0 and 100"
    if report.image is not None and not _is_word(report.image, _LONGEST_IMAGE):
        yield f"image has to have 1 to {_LONGEST_IMAGE} characters, and no NUL"
    if report.tests is not None:
        yield from _wrong_with_tests(report.tests)
    if report.load is not None:
        yield from _wrong_with_load(report.load)
    for one in report.artifacts:
        yield from (f"artifacts: {wrong}" for wrong in _wrong_with_file(one))
    if report.outputs is not None:
        yield from (f"outputs: {wrong}" for wrong in _wrong_with_file(report.outputs))


def _wrong_with_tests(tests: TestReport) -> Iterator[str]:
    for name in ("total", "failed", "skipped"):
        if not 0 <= getattr(tests, name) <= MOST_TESTS:
            yield f"tests.{name} has to lie between 0 and {MOST_TESTS}"
    if tests.failed + tests.skipped > tests.total:
        yield "tests: more failed or were skipped than there are"
    if len(tests.failures) > MOST_FAILURES:
        yield f"tests.failures names {MOST_FAILURES} at most"
    for name in ("failures", "passed"):
        if not all(_is_word(one, _LONGEST_TEST) for one in getattr(tests, name)):
            yield f"tests.{name}: a test's name has 1 to {_LONGEST_TEST} characters, and no NUL"
    if len(tests.ran) > _LONGEST_DIGEST or "\0" in tests.ran:
        yield f"tests.ran has to have at most {_LONGEST_DIGEST} characters, and no NUL"


def _wrong_with_load(load: LoadReport) -> Iterator[str]:
    if len(load.steps) > STEPS:
        yield f"load.steps are {STEPS} at most"
    for step in load.steps:
        figures = (step.rate, step.sent_rate, step.answered_rate, step.p50, step.p95, step.p99)
        if not all(one is None or 0 <= one <= _LARGEST_FIGURE for one in figures):
            yield f"load.steps: figures have to lie between 0 and {_LARGEST_FIGURE:,}"
        if not 0 <= step.failed <= step.sent <= MOST_TESTS:
            yield f"load.steps: failed has to lie between 0 and sent, and sent below {MOST_TESTS}"
    if load.busiest is not None and not 0 < load.busiest <= MOST_TESTS:
        yield f"load.busiest has to lie between 1 and {MOST_TESTS}"


def _wrong_with_file(file: BuiltFile) -> Iterator[str]:
    if not 0 <= file.size <= LARGEST_FILE:
        yield f"size has to lie between 0 and {LARGEST_FILE}"
    if not re.fullmatch(DIGEST, file.digest):
        yield "digest has to be sha256: and 64 hexadecimal digits"
    if not _is_word(file.name, _LONGEST_NAME):
        yield f"name has to have 1 to {_LONGEST_NAME} characters, and no NUL"
    if not _is_word(file.file, _LONGEST_FILE) or "/" in file.file or file.file in (".", ".."):
        yield f"file has to be a file's name of 1 to {_LONGEST_FILE} characters, without folders"


def _is_word(text: str, at_most: int) -> bool:
    return 0 < len(text) <= at_most and "\0" not in text
