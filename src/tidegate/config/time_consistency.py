"""Whether the calendars that windows and freezes name are there."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from tidegate.config.document import Document, Path, Plain
from tidegate.config.lookup import Item, at, get
from tidegate.config.problem import Problem, did_you_mean, quoted_list
from tidegate.model.environment import Environment
from tidegate.model.ids import EnvironmentName


def unknown_calendars_at(
    document: Document,
    stage: Item,
    environments: Mapping[EnvironmentName, Environment] | Collection[EnvironmentName] | None,
) -> Iterator[Problem]:
    """Calendars that the windows of a stage's gate name, and the server does not have."""
    if isinstance(environments, Mapping):
        known = [calendar.name for one in environments.values() for calendar in one.calendars]
        yield from _in_gate(document, (*stage.path, "gate"), dict.fromkeys(known), "the server has")


def unknown_calendars(document: Document) -> Iterator[Problem]:
    """Calendars that windows and freezes of the server's configuration name, and it does not have."""
    plain = document.plain()
    named = at(plain, ("calendars",))
    known = [*named] if isinstance(named, dict) else []
    environments = at(plain, ("environments",))
    for name in environments if isinstance(environments, dict) else ():
        here: Path = ("environments", name)
        yield from _in_gate(document, (*here, "gate"), known, "the file has")
        freezes = at(plain, (*here, "freezes"))
        for index, freeze in enumerate(freezes if isinstance(freezes, list) else ()):
            yield from _unknown(document, (*here, "freezes", index, "calendar"), get(freeze, "calendar", str), known)
    floors = at(plain, ("floors",))
    for index in range(len(floors) if isinstance(floors, list) else 0):
        yield from _in_gate(document, ("floors", index, "gate"), known, "the file has")


def _in_gate(document: Document, gate: Path, known: Collection[str], where: str) -> Iterator[Problem]:
    windows = at(document.plain(), (*gate, "window"))
    places = [(*gate, "window")] if isinstance(windows, dict) else []
    if isinstance(windows, list):
        places = [(*gate, "window", index) for index in range(len(windows))]
    for place in places:
        left_out = at(document.plain(), (*place, "except"))
        for index, word in enumerate(left_out if isinstance(left_out, list) else ()):
            yield from _unknown(document, (*place, "except", index), word, known, where)


def _unknown(
    document: Document, path: Path, word: Plain, known: Collection[str], where: str = "the file has"
) -> Iterator[Problem]:
    if isinstance(word, str) and word[:1].isalpha() and word not in known:
        hint = did_you_mean(word, known) or f"{where} {quoted_list(known) or 'none'}"
        yield document.problem(path, f'there is no calendar "{word}"', hint)
