"""The reference of the commands is what the commands say, and no page tells of a command that does not exist."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.docs.markdown import ROOT, Block, blocks, pages, spans

from tidegate.cli import evidence_reference
from tidegate.cli.reference import command_names
from tidegate.cli.reference_notes import ENDS_WITH, EXAMPLES

MADE = ROOT / "docs" / "reference" / "commands.md"
_TO_COME = ROOT / "docs" / "roadmap.md"
"""Tells of commands that there will be."""

_TODAY = tuple(page for page in pages() if page != _TO_COME)
_SHELLS = ("sh", "console")
_KNOWN = command_names()
_WORD = re.compile(r"[a-z]+(-[a-z]+)*")


def test_the_page_is_what_the_commands_say() -> None:
    made = subprocess.run(
        [sys.executable, "-m", "tidegate.cli.reference"],
        env={"PATH": "/usr/bin:/bin", "COLUMNS": "40"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout
    assert made == MADE.read_text(), "run: python -m tidegate.cli.reference > docs/reference/commands.md"


def test_the_page_of_the_evidence_is_what_its_declaration_says() -> None:
    made = ROOT / "docs" / "reference" / "evidence.md"
    told = "run: python -m tidegate.cli.evidence_reference > docs/reference/evidence.md"
    assert evidence_reference.page() == made.read_text(), told


def test_every_command_is_on_the_page() -> None:
    headings = set(re.findall(r"^### tidegate (.+)$", MADE.read_text(), re.MULTILINE))
    assert headings == _KNOWN


def test_notes_are_about_commands_that_exist() -> None:
    assert {*ENDS_WITH, *EXAMPLES} <= _KNOWN


@pytest.mark.parametrize("command", sorted(EXAMPLES))
def test_examples_are_json(command: str) -> None:
    for example in EXAMPLES[command]:
        assert json.loads(example.prints)
        assert example.arguments.startswith(command)


@pytest.mark.parametrize("page", _TODAY, ids=lambda page: str(page.relative_to(ROOT)))
def test_pages_tell_only_of_commands_that_exist(page: Path) -> None:
    text = page.read_text()
    told = [*spans(text), *(line for block in blocks(text) for line in _typed(block))]
    unknown = [line for line in told for command in _commands(line) if not _exists(command)]
    assert not unknown, f"{page}: there is no such command"


def _typed(block: Block) -> Iterator[str]:
    """What a reader types of a block."""
    if block.language == "console":
        yield from (line.removeprefix("$ ") for line in block.lines if line.startswith("$ "))
    elif block.language in _SHELLS:
        yield from block.lines


def _commands(line: str) -> Iterator[tuple[str, ...]]:
    """The words after each `tidegate` that stands where a command does: `service`, `add`, …"""
    for part in re.split(r"[|;&]+|\$\(", re.sub(r"\s#.*$", "", line)):
        words = part.split()
        if words[:1] == ["tidegate"] and words[1:] and _WORD.fullmatch(words[1]):
            yield tuple(words[1:3])


def _exists(words: tuple[str, ...]) -> bool:
    groups = {name.split()[0] for name in _KNOWN if " " in name}
    if words[0] in groups:
        return len(words) < 2 or not _WORD.fullmatch(words[1]) or " ".join(words) in _KNOWN
    return words[0] in _KNOWN


@pytest.mark.parametrize(
    ("line", "exists"),
    [
        ("tidegate status", True),
        ("tidegate service add .", True),
        ("tidegate service", True),
        ("cd x && tidegate init", True),
        ("tidegate statsu", False),
        ("tidegate service ad .", False),
        ("git commit && tidegate backup", False),
    ],
)
def test_a_command_that_does_not_exist_is_found(line: str, exists: bool) -> None:
    assert [_exists(command) for command in _commands(line)] == [exists]
