"""What is wrong with an expression in a file, at its place in the file."""

from __future__ import annotations

from tidegate.config.document import Document, Path
from tidegate.config.problem import Problem, did_you_mean, quoted_list
from tidegate.model.expression import Flaw


def problem_of_flaw(document: Document, path: Path, flaw: Flaw) -> Problem:
    """The problem at the word that is meant, with the nearest word that there is."""
    near = did_you_mean(flaw.word, flaw.known) if flaw.word else None
    known = f"known here: {quoted_list(flaw.known)}" if flaw.known else None
    hint = flaw.hint or near or known
    if flaw.at is None:
        return document.problem(path, flaw.message, hint)
    return document.problem_within(path, flaw.at, flaw.message, hint)
