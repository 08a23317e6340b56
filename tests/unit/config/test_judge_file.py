"""A judge file is read as it is written, and what is wrong in it is named with its place and a remedy."""

from __future__ import annotations

import json
from math import isnan
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from tidegate.config import judge_file
from tidegate.config.judge_file import JudgeFileError
from tidegate.model.recording import HistogramSide, MetricKind, RateSide, Tolerance, ValuesSide, Worse

ERRORS = {
    "name": "errors",
    "kind": "rate",
    "worse": "up",
    "tolerance": {"ratio": 1.0, "floor": 0.0002},
    "gate": 1.25,
    "weight": 0.4,
    "history": [{"canary": {"n": 30, "x": 0}, "baseline": {"n": 100, "x": 1}}],
    "batches": [{"canary": {"n": 31, "x": 2}, "baseline": {"n": 118, "x": 0}}, {"canary": None, "baseline": None}],
}
LATENCY = {
    "name": "latency",
    "kind": "histogram",
    "edges": [10, 50.5],
    "batches": [{"canary": {"counts": [1, 2, 3]}, "baseline": {"counts": [4, 5, 6]}}],
}
CPU = {"name": "cpu", "kind": "values", "batches": [{"canary": [0.4, None], "baseline": [0.3]}]}
WHOLE = {"method": "sequential", "alpha": 0.01, "batch_seconds": 15, "metrics": [ERRORS, LATENCY, CPU]}


def load(document: Any) -> judge_file.JudgeFile:
    return judge_file.load(json.dumps(document).encode(), "f.json")


def with_errors(**changes: Any) -> dict[str, Any]:
    return {"method": "sequential", "metrics": [{**ERRORS, **changes}]}


def test_the_form_is_read() -> None:
    read = load(WHOLE)
    assert read.is_one
    errors, latency, cpu = read.rollouts[0].metrics
    assert errors.batches[0].canary == RateSide(31, 2)
    assert errors.batches[1].canary is None
    assert errors.history[0].baseline == RateSide(100, 1)
    assert latency.batches[0].baseline == HistogramSide((4, 5, 6))
    assert isinstance(cpu.batches[0].canary, ValuesSide) and isnan(cpu.batches[0].canary.values[1])


def test_all_but_what_must_be_there_has_defaults() -> None:
    bare = {"name": "errors", "kind": "rate", "batches": []}
    read = load({"method": "sequential", "metrics": [bare, {**bare, "name": "orders", "worse": "down"}]})
    (recording,) = read.rollouts
    errors, orders = recording.metrics
    assert (recording.alpha, recording.batch_seconds) == (0.01, 15)
    assert (errors.kind, errors.worse, errors.tolerance, errors.gate) == (
        MetricKind.RATE,
        Worse.UP,
        Tolerance(1.0, 0.0002),
        1.25,
    )
    assert (orders.tolerance, orders.gate) == (Tolerance(1.0), 1.05)
    latency = load({"method": "sequential", "metrics": [LATENCY]}).rollouts[0].metrics[0]
    assert latency.tolerance == Tolerance(1.1)


def test_a_tolerance_may_be_a_part_and_a_ratio_below_1_is_meant_for_what_goes_down() -> None:
    assert load(with_errors(tolerance=0.25)).rollouts[0].metrics[0].tolerance == Tolerance(1.25)
    down = load(with_errors(worse="down", tolerance={"ratio": 0.8}, gate=0.5)).rollouts[0].metrics[0]
    assert (down.tolerance.ratio, down.gate) == (1.25, 2.0)


def test_many_rollouts_are_one_file() -> None:
    read = load({"rollouts": [WHOLE, with_errors()]})
    assert not read.is_one
    assert [len(one.metrics) for one in read.rollouts] == [3, 1]


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ([], 'expected {"method": …'),
        ({"metrics": [ERRORS]}, '"method" is missing'),
        ({**WHOLE, "metrics": []}, "metrics: it is empty (write 1 at least)"),
        ({**WHOLE, "metricks": []}, 'unknown key "metricks" (did you mean "metrics"?)'),
        (with_errors(gatte=2), 'metrics[0].gatte: unknown key "gatte" (did you mean "gate"?)'),
        (with_errors(kind="ratio"), 'metrics[0]: there is no kind "ratio" (write one of "rate"'),
        (
            with_errors(batches=[{"canary": {"n": 3, "x": 4}, "baseline": None}]),
            "metrics[0].batches[0].canary: x is 4, more than all 3 requests",
        ),
        (with_errors(batches=[{"canary": None}]), 'metrics[0].batches[0]: "baseline" is missing'),
        (
            with_errors(batches=[{"canary": {"n": 3, "x": 1, "y": 2}, "baseline": None}]),
            'canary.y: unknown key "y" (known here: "n", "x")',
        ),
        (
            with_errors(batches=[{"canary": {"n": -3, "x": 0}, "baseline": None}]),
            "greater than or equal to 0, found -3",
        ),
        (with_errors(tolerance={"ratio": 0.5}), "a ratio below 1 says that the canary must be better"),
        ({**WHOLE, "metrics": [LATENCY, LATENCY]}, 'two metrics are called "latency"'),
        ({**WHOLE, "metrics": [{**LATENCY, "edges": [10]}]}, "batches[0] has 3 counts where 1 edges are (write 2"),
        ({**WHOLE, "metrics": [{**LATENCY, "edges": [50, 10]}]}, '"edges" do not increase'),
        ({**WHOLE, "metrics": [{**LATENCY, "worse": "down"}]}, '"latency" is a histogram, which does harm upwards'),
        (
            {**WHOLE, "metrics": [{**CPU, "tolerance": {"floor": 0.1}}]},
            '"cpu" has a "floor"',
        ),
        ({"rollouts": [WHOLE, with_errors(name=3)]}, "rollouts[1].metrics[0].name: expected text, found 3"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(document: Any, words: str) -> None:
    with pytest.raises(JudgeFileError) as raised:
        load(document)
    assert words in str(raised.value)
    assert len(raised.value.problems) == 1


@pytest.mark.parametrize("raw", [b"", b"{", b"\xff", b"{} x"])
def test_what_is_no_json_is_said_so(raw: bytes) -> None:
    with pytest.raises(JudgeFileError, match=r"f\.json is not JSON"):
        judge_file.load(raw, "f.json")


def test_the_same_mistake_in_every_batch_is_not_said_a_thousand_times() -> None:
    with pytest.raises(JudgeFileError) as raised:
        load(with_errors(batches=[{"canary": {"n": 1, "x": 2}, "baseline": None}] * 1000))
    assert len(raised.value.problems) == 21


def test_the_schema_takes_what_the_reader_takes() -> None:
    schema = judge_file.json_schema()
    Draft202012Validator.check_schema(schema)
    checks = Draft202012Validator(schema)
    assert checks.is_valid(WHOLE)
    assert checks.is_valid({"rollouts": [WHOLE]})
    assert not checks.is_valid({**WHOLE, "metrics": []})
