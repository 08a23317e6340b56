"""A result is read as it was written."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tidegate.builder.kept_result import KeptResult, Origin
from tidegate.builder.tree_memory import Execution, StepMemory, TreeMemory
from tidegate.model.ids import Digest
from tidegate.model.lease import BuiltFile, StepOutcome, StepReport, TestReport

MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))
DIGESTS = st.integers(0, 9).map(lambda digit: Digest("sha256:" + str(digit) * 64))
FILES = st.builds(BuiltFile, st.text(), st.text(), DIGESTS, st.integers(0), st.booleans())
REPORTS = st.builds(
    StepReport,
    st.just(StepOutcome.SUCCEEDED),
    st.just(0),
    st.just(""),
    MOMENTS,
    MOMENTS,
    st.lists(FILES).map(tuple),
    st.none() | st.builds(TestReport, st.integers(0), st.integers(0), st.integers(0)),
    st.none() | st.floats(0, 100),
    st.none() | FILES,
    st.none() | st.text(),
)
RESULTS = st.builds(
    KeptResult,
    REPORTS,
    st.builds(Origin, MOMENTS, st.none() | st.text("0123456789abcdef", min_size=40, max_size=40), st.booleans()),
    st.none() | DIGESTS,
    st.none() | DIGESTS,
    st.lists(st.text()).map(tuple),
)
EXECUTIONS = st.builds(
    Execution,
    st.floats(0, 1e10),
    st.dictionaries(st.text(), st.text() | st.lists(st.text())),
    st.lists(st.lists(st.text()).map(tuple)).map(tuple),
    DIGESTS,
    st.text(),
)
MEMORIES = st.builds(StepMemory, kept=st.none() | RESULTS, ran=st.none() | EXECUTIONS, before=st.none() | EXECUTIONS)


@given(RESULTS)
def test_a_result_comes_back_as_it_was(result: KeptResult) -> None:
    assert KeptResult.of_json(json.loads(json.dumps(result.as_json()))) == result


@settings(max_examples=25, deadline=None)
@given(st.dictionaries(st.text(), MEMORIES, max_size=3))
def test_what_is_remembered_of_a_tree_comes_back_as_it_was(steps: dict[str, StepMemory]) -> None:
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as name:
        memory = TreeMemory.read(Path(name))
        memory.steps = steps
        memory.hashes = {"a": ("stamp", "id")}
        memory.write()
        again = TreeMemory.read(Path(name))
        assert (again.steps, again.hashes) == (steps, memory.hashes if steps or memory.hashes else {})


def test_a_memory_that_did_not_change_is_not_written(tmp_path: Any) -> None:
    memory = TreeMemory.read(tmp_path)
    memory.steps["a"] = StepMemory(state="succeeded")
    memory.write()
    before = (tmp_path / "memory.json").stat()
    again = TreeMemory.read(tmp_path)
    again.steps["a"] = StepMemory(state="succeeded")
    again.write()
    assert (tmp_path / "memory.json").stat() == before
