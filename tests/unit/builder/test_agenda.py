"""In which order steps come, and which of them are meant by a word."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.builder.agenda import Agenda, UnknownStep, chosen
from tidegate.model.ids import StepName
from tidegate.model.pipeline import Step


def a_step(name: str, *needs: str) -> Step:
    return Step(StepName(name), "true", tuple(map(StepName, needs)))


def names(steps: tuple[Step, ...]) -> list[str]:
    return [step.name for step in steps]


STEPS = (a_step("image", "wheel", "test (a)"), a_step("wheel"), a_step("test (a)"), a_step("test (b)", "wheel"))


def test_a_step_comes_after_what_it_needs_wherever_it_stands_in_the_file() -> None:
    agenda = Agenda(STEPS)
    assert [agenda.next(), agenda.next(), agenda.next()] == [STEPS[1], STEPS[2], None]
    agenda.end(STEPS[2].name)
    assert agenda.next() is None
    agenda.end(STEPS[1].name)
    assert [agenda.next(), agenda.next(), agenda.next()] == [STEPS[0], STEPS[3], None]


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ((), ["image", "wheel", "test (a)", "test (b)"]),
        (("wheel",), ["wheel"]),
        (("image",), ["image", "wheel", "test (a)"]),
        (("test",), ["wheel", "test (a)", "test (b)"]),
        (("test (b)", "wheel"), ["wheel", "test (b)"]),
    ],
)
def test_a_word_means_a_step_with_what_it_needs_or_all_that_a_matrix_made(
    words: tuple[str, ...], meant: list[str]
) -> None:
    assert names(chosen(STEPS, words)) == meant


@pytest.mark.parametrize("word", ["tes", "wheels", "", "test ("])
def test_any_other_word_is_unknown(word: str) -> None:
    with pytest.raises(UnknownStep):
        chosen(STEPS, [word])


@given(st.lists(st.frozensets(st.integers(0, 20), max_size=4), max_size=12), st.randoms())
def test_every_step_comes_once_and_after_its_needs(needs: list[frozenset[int]], random: object) -> None:
    steps = tuple(
        a_step(f"s{at}", *(f"s{need % at}" for need in some)) if at else a_step("s0") for at, some in enumerate(needs)
    )
    agenda = Agenda(steps)
    given_: list[StepName] = []
    ended: set[StepName] = set()
    running: list[Step] = []
    while len(ended) < len(steps):
        while (step := agenda.next()) is not None:
            assert set(step.needs) <= ended
            given_.append(step.name)
            running.append(step)
        random.shuffle(running)  # type: ignore[attr-defined]  # hypothesis' Random
        step = running.pop()
        ended.add(step.name)
        agenda.end(step.name)
    assert sorted(given_) == sorted(step.name for step in steps)
