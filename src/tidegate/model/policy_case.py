"""Cases that a policy is tried with: evidence that somebody made up, and what the policy should say of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tidegate.model.ask_policy import ask
from tidegate.model.policy import Policy, PolicyAnswer, PolicyResult


@dataclass(frozen=True, slots=True)
class Expected:
    """What should be said; `missing` is the place of the evidence that should not be there."""

    answer: PolicyAnswer
    missing: str | None = None

    def __str__(self) -> str:
        return f"missing: {self.missing}" if self.missing else self.answer.value


@dataclass(frozen=True, slots=True)
class PolicyCase:
    """A case: what is not in the evidence is missing. `line` is its line in the file."""

    name: str
    policies: tuple[Policy, ...]
    evidence: Mapping[str, Any]
    expected: Expected
    line: int


@dataclass(frozen=True, slots=True)
class CaseResult:
    """What became of a case."""

    case: PolicyCase
    said: Expected
    results: tuple[PolicyResult, ...]

    @property
    def passed(self) -> bool:
        """Whether what was said is what should be."""
        expected = self.case.expected
        if expected.missing is None or self.said.answer is not PolicyAnswer.MISSING:
            return expected == self.said
        return any(expected.missing == one.missing for one in self.results)


def try_case(case: PolicyCase, source: str) -> CaseResult:
    """Ask all policies of a case, as a gate does."""
    results = tuple(ask(one, source, case.evidence) for one in case.policies)
    return CaseResult(case, together(results), results)


def together(results: Sequence[PolicyResult]) -> Expected:
    """What several policies say together: all must hold, and what is false is said before what has no answer."""
    for answer in (PolicyAnswer.FALSE, PolicyAnswer.ERROR, PolicyAnswer.MISSING):
        for one in results:
            if one.answer is answer:
                return Expected(answer, one.missing)
    return Expected(PolicyAnswer.TRUE)
