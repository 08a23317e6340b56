"""What holds for every source of figures, whatever it is: each adapter's tests inherit it, and say how it is told."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

import pytest
from tests.integration.metrics.answering import question

from tidegate.metrics.question import FigureSource
from tidegate.metrics.source import SourceFailed
from tidegate.model.metric import Counted, Figures, Measured, MetricRule, NoFigures, Spread
from tidegate.model.recording import MetricKind

PATIENCE_SECONDS = 0.5
"""What a source that hangs is given; others have their usual time, which no busy machine uses up."""

SLACK_SECONDS = 5.0
"""A busy machine."""


class Told(Protocol):
    """A source that says what a test wants it to say."""

    source: FigureSource

    def rule(self, kind: MetricKind) -> MetricRule:
        """A metric of that kind, from it."""

    def count(self, x: float) -> None:
        """It counts so many."""

    def distribution(self, edges: list[float], counts: list[float]) -> None:
        """It has a histogram."""

    def values(self, values: list[float]) -> None:
        """It has these values."""

    def nothing(self) -> None:
        """It knows nothing of the deployment."""

    def raw(self, answer: bytes) -> None:
        """It answers with these bytes."""

    def refuses(self) -> None:
        """It says that it cannot, in the word 'sorry'."""

    def impatient(self) -> None:
        """It is given PATIENCE_SECONDS only."""

    def hangs(self) -> None:
        """It takes the question and says nothing."""

    def drips(self) -> None:
        """It begins an answer and never ends."""


@dataclass
class Asked:
    """Asks a source that is told what to say."""

    told: Told

    def read(self, kind: MetricKind = MetricKind.RATE) -> Figures | NoFigures:
        return self.told.source.read(question(self.told.rule(kind)))

    def fails(self, kind: MetricKind = MetricKind.RATE) -> str:
        """The words with which it fails."""
        with pytest.raises(SourceFailed) as failed:
            self.read(kind)
        words = str(failed.value)
        assert words and "\n" not in words and len(words) < 500
        return words


class SourceContract:
    """To be inherited by a class with a fixture `told`."""

    @pytest.fixture
    def asked(self, told: Told) -> Asked:
        return Asked(told)

    def test_a_count_is_a_count_and_what_it_is_of_is_left_to_the_router(self, asked: Asked) -> None:
        asked.told.count(12)
        assert asked.read() == Counted(12, None)

    def test_a_zero_is_one(self, asked: Asked) -> None:
        asked.told.count(0)
        assert asked.read() == Counted(0, None)

    def test_a_distribution_has_counts_by_bucket_and_the_overflow(self, asked: Asked) -> None:
        asked.told.distribution([10.0, 20.0, 50.0], [5, 0, 3, 1])
        assert asked.read(MetricKind.HISTOGRAM) == Spread((10, 20, 50), (5, 0, 3, 1))

    def test_values_are_values(self, asked: Asked) -> None:
        asked.told.values([0.5, -3])
        found = asked.read(MetricKind.VALUES)
        assert isinstance(found, Measured) and sorted(found.values) == [-3, 0.5]

    @pytest.mark.parametrize("kind", MetricKind)
    def test_nothing_is_no_figures_and_never_a_zero(self, asked: Asked, kind: MetricKind) -> None:
        asked.told.nothing()
        found = asked.read(kind)
        assert isinstance(found, NoFigures) and found.reason

    @pytest.mark.parametrize("kind", MetricKind)
    def test_what_is_no_number_is_no_figure(self, asked: Asked, kind: MetricKind) -> None:
        for number in (float("nan"), float("inf"), float("-inf")):
            _tell(asked.told, kind, number)
            with suppress(SourceFailed):
                assert isinstance(asked.read(kind), NoFigures), number

    @pytest.mark.parametrize("kind", [MetricKind.RATE, MetricKind.HISTOGRAM])
    def test_less_than_nothing_cannot_be_counted(self, asked: Asked, kind: MetricKind) -> None:
        _tell(asked.told, kind, -7)
        asked.fails(kind)

    @pytest.mark.parametrize(
        "answer",
        [
            b"",
            b"[]",
            b"null null",
            b"nonsense",
            b'{"x": ',
            b"\xff\xfe\0",
            b"[" * 100_000,
            b'{"status": "success"}',
            b"7",
        ],
        ids=["empty", "a list", "two", "no JSON", "half", "no text", "deep", "half an answer", "a number"],
    )
    @pytest.mark.parametrize("kind", MetricKind)
    def test_nonsense_is_a_failure_in_words(self, asked: Asked, kind: MetricKind, answer: bytes) -> None:
        asked.told.raw(answer)
        asked.fails(kind)

    def test_a_histogram_is_no_count_and_a_count_is_no_histogram(self, asked: Asked) -> None:
        asked.told.distribution([10.0, 20.0], [1, 2, 3])
        asked.fails(MetricKind.RATE)
        asked.told.count(3)
        asked.fails(MetricKind.HISTOGRAM)

    def test_a_source_that_cannot_says_why(self, asked: Asked) -> None:
        asked.told.refuses()
        assert "sorry" in asked.fails()

    def test_an_answer_of_megabytes_is_not_read_to_its_end(self, asked: Asked) -> None:
        asked.told.raw(b'{"x": "' + b"a" * 3 * 1024 * 1024 + b'"}')
        assert "1024 KiB" in asked.fails()

    @pytest.mark.parametrize("how", ["hangs", "drips"])
    def test_nobody_waits_longer_than_is_stated(self, asked: Asked, how: str) -> None:
        asked.told.impatient()
        getattr(asked.told, how)()
        begin = time.monotonic()
        assert f"within {PATIENCE_SECONDS:g} second" in asked.fails()
        assert time.monotonic() - begin < PATIENCE_SECONDS + SLACK_SECONDS


def _tell(told: Told, kind: MetricKind, number: float) -> None:
    told_by: dict[MetricKind, Any] = {
        MetricKind.RATE: lambda: told.count(number),
        MetricKind.HISTOGRAM: lambda: told.distribution([1.0, 2.0], [number, 20, 20]),
        MetricKind.VALUES: lambda: told.values([number]),
    }
    told_by[kind]()
