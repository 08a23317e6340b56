"""The changes that a release brings, as the API tells them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tidegate.api.answers import Answer
from tidegate.model.change import Change
from tidegate.model.ids import EnvironmentName


class BroughtAnswer(Answer):
    """A change that a release brings to an environment."""

    commit: str
    subject: str
    author: str


def brought_answers(brings: Mapping[EnvironmentName, Sequence[Change]]) -> dict[str, list[BroughtAnswer]]:
    """The changes by environment."""
    return {
        name: [BroughtAnswer(commit=one.commit, subject=one.subject, author=one.author_name) for one in changes]
        for name, changes in brings.items()
    }
