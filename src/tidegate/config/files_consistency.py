"""What lists of files must not contradict, in the setup of a build and in its steps."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from tidegate.config.document import Document, Plain
from tidegate.config.lookup import Item, at, words
from tidegate.config.problem import Problem
from tidegate.model.step_inputs import literal_part


def contradictions_in_setup(document: Document, pipeline: Plain) -> Iterator[Problem]:
    """Everything that is wrong between the keys of the build's setup."""
    keys = at(pipeline, ("build", "setup"))
    if not isinstance(keys, dict):
        return
    setup = Item(("build", "setup"), keys)
    yield from contradictions_in_files(document, setup)
    if "outputs" in keys and "inputs" not in keys:
        message = '"outputs" of setup are kept only together with "inputs"'
        hint = "name the files that they depend on, or remove it"
        yield document.problem((*setup.path, "outputs"), message, hint, on_key=True)


def contradictions_in_files(document: Document, item: Item) -> Iterator[Problem]:
    """What is wrong between the inputs, the outputs and the cache of a step or of the setup."""
    for key in ("inputs", "outputs"):
        yield from repeated(document, item, key)
        yield from _left_out_in_vain(document, item, key)
    cache = item.keys.get("cache")
    if isinstance(cache, dict):
        folders = Item((*item.path, "cache"), cache)
        yield from repeated(document, folders, "paths")
        yield from repeated(document, folders, "key")
        yield from _kept_twice(document, item, folders)


def repeated(document: Document, item: Item, key: str) -> Iterator[Problem]:
    """Texts that stand in a list twice."""
    seen: set[str] = set()
    for path, word in words(item, key):
        if word in seen:
            yield document.problem(path, f'"{word}" is here twice', "remove one")
        seen.add(word)


def _left_out_in_vain(document: Document, item: Item, key: str) -> Iterator[Problem]:
    """A pattern with `!` takes away from those before it; where there is none, it was meant otherwise."""
    patterns = list(words(item, key))
    before = 0
    for path, word in patterns:
        if not word.startswith("!"):
            before += not word.startswith("$")
        elif not before:
            later = any(not one.startswith(("!", "$")) for _, one in patterns)
            hint = "put it after what it takes away from" if later else f'name {key} first, like "src/**"'
            yield document.problem(path, f'"{word}" takes nothing away: no files are named before it', hint)


def _kept_twice(document: Document, item: Item, folders: Item) -> Iterator[Problem]:
    """A folder that is a cache's and an output's: who comes last would win."""
    outputs = [word for _, word in words(item, "outputs") if not word.startswith("!")]
    earlier: list[str] = []
    for path, folder in words(folders, "paths"):
        for output in outputs:
            if _overlap(folder, _folder_of(output)):
                message = f'"{folder}" is kept as the output "{output}" already'
                yield document.problem(path, message, "keep it in one of the two")
                break
        for other in earlier:
            if other != folder and _overlap(folder, other):
                yield document.problem(path, f'"{folder}" and "{other}" hold the same files', "name one of them")
                break
        earlier.append(folder)


def _folder_of(pattern: str) -> str:
    """The path that a pattern names, or the folder in which its wildcards begin."""
    literal = literal_part(pattern)
    return literal if literal == pattern.rstrip("/") else literal.rpartition("/")[0]


def _overlap(folder: str, other: str) -> bool:
    """Whether one folder lies in the other."""
    one, two = PurePosixPath(folder).parts, PurePosixPath(other).parts
    shared = min(len(one), len(two))
    return shared > 0 and one[:shared] == two[:shared]
