"""How long policies take on the largest evidence that there can be, beside the bound that is computed beforehand.

`python -m tests.bench.policy`
"""

from __future__ import annotations

import time

from tests.unit.model.largest_evidence import evidence

from tidegate.model.ask_policy import MOST_MICROSECONDS, ask
from tidegate.model.evidence_schema import vocabulary
from tidegate.model.expression_check import read
from tidegate.model.policy import Policy

TIMES = 7

POLICIES = (
    "release.tests.failed == 0 && release.coverage.line >= 80.0",
    "size(changes) < 1000",
    "changes.all(c, c.authors.all(a, a.verified))",
    'changes.all(c, c.subject.matches("^[A-Z].*"))',
    "changes.all(c, c.reviews.all(r, r.approved && c.authors.all(a, a.account == r.account)))",
    "changes.all(c, changes.all(d, c.files == d.files))",
    'changes.all(c, now.getHours("Europe/London") > 0 || c.files > 0)',
    "changes.all(c, (c.subject + c.subject + c.subject).contains('a') || true)",
)


def main() -> None:
    """Print the median of some runs, in milliseconds, and the bound."""
    largest = evidence()
    print(f"{'took':>8} {'bound':>8}  (the limit is {MOST_MICROSECONDS / 1000:.0f} ms)")
    for expression in POLICIES:
        bound = read(expression, vocabulary()).microseconds / 1000
        took = []
        for _ in range(TIMES):
            begin = time.perf_counter()
            ask(Policy("policy", expression), "bench", largest)
            took.append((time.perf_counter() - begin) * 1000)
        print(f"{sorted(took)[TIMES // 2]:8.2f} {bound:8.2f}  {expression}")


if __name__ == "__main__":
    main()
