"""What the tutorial, the README and the references tell is done, by a reader with a home of their own."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.docs.console import Reader, make_home
from tests.docs.markdown import ROOT, blocks

from tidegate.cli.reference_notes import EXAMPLES

from .harness import wait_for

PERSON_IS_ASKED = 3
NOTHING_TO_RETURN_TO = 3
STOPPED_LISTENING = 124
SERVICE = "your-repository"
ASKS_ONLY = ("status", "runs", "watch", "logs", "events", "validate", "doctor", "audit verify")
"""Commands whose examples can be tried on any service."""


@pytest.fixture
def reader() -> Iterator[Reader]:
    home = make_home()
    someone = Reader(home)
    try:
        yield someone
        left = someone.run("tidegate down")
        assert left.returncode == 0, left.stdout
    finally:
        someone.run("tidegate down")
        someone.close()
        shutil.rmtree(home, ignore_errors=True)


@pytest.mark.timeout(400)
def test_the_tutorial_says_what_happens(reader: Reader) -> None:
    reader.follow((ROOT / "docs" / "tutorial.md").read_text())


@pytest.mark.timeout(300)
def test_the_readme_and_the_references_say_what_happens(reader: Reader) -> None:
    lines = _shell_lines(ROOT / "README.md")
    assert lines[0] == "pip install tidegate", "whoever reads this has it installed; what follows is run"
    assert lines[-1] == "tidegate down"
    reader.run(f"mkdir {SERVICE} && cd {SERVICE} && git init -q && echo '<h1>Hello</h1>' > index.html")
    reader.run(f"cd .. && export TIDEGATE_DATA={reader.home}/data")
    ended = {line: _do(reader, line) for line in lines[1:-1]}
    expected = dict.fromkeys(ended, 0)
    expected["tidegate watch latest"] = PERSON_IS_ASKED
    expected["tidegate rollback SERVICE --env production"] = NOTHING_TO_RETURN_TO
    assert ended == expected, reader.transcript
    _check_examples(reader)
    _check_api(reader)


def _shell_lines(page: Path) -> list[str]:
    """The commands of a page's `sh` blocks, without their comments; a line may go on in the next."""
    shown = [block for block in blocks(page.read_text()) if block.language == "sh"]
    whole = "\n".join(line for block in shown for line in block.lines if line.strip()).replace("\\\n", " ")
    return [re.sub(r"\s+#.*$", "", line) for line in whole.splitlines()]


def _do(reader: Reader, line: str) -> int:
    """One line of the README; a server gets a free port, and the file that `init` wrote shorter times."""
    if line == "tidegate server":
        reader.start("tidegate server --port 0")
        wait_for(lambda: Path(reader.home, "data", "server.json").exists(), "a server")
        return 0
    done = reader.run(line.replace("SERVICE", SERVICE))
    reader.transcript += [f"$ {line}", done.stdout]
    if line == "tidegate init":
        file = reader.home / SERVICE / "tidegate.yaml"
        file.write_text(re.sub(r"rate: 10/s", "rate: 50/s", re.sub(r"soak: \w+", "soak: 2s", file.read_text())))
    return done.returncode


def _check_examples(reader: Reader) -> None:
    """What `--json` prints has at least the fields of the reference's examples, of the same kinds."""
    reader.run("tidegate watch latest")
    for command in ASKS_ONLY:
        for example in EXAMPLES[command]:
            said = reader.run(f"tidegate {example.arguments.replace('RUN', 'latest')} 2>/dev/null")
            differences = list(_lacks(json.loads(example.prints), json.loads(said.stdout), command))
            assert not differences, f"tidegate {example.arguments} printed {said.stdout}"


def _lacks(shown: Any, printed: Any, where: str) -> Iterator[str]:
    """Where a document lacks what the example shows; of a list its nearest item; commits are keys of any name."""
    if isinstance(shown, dict) and isinstance(printed, dict):
        for key, value in shown.items():
            if re.fullmatch(r"[0-9a-f]{8}", key):
                continue
            if key not in printed:
                yield f"{where}.{key}"
            else:
                yield from _lacks(value, printed[key], f"{where}.{key}")
    elif isinstance(shown, list) and isinstance(printed, list):
        found = [list(_lacks(shown[0], one, f"{where}[]")) for one in printed] if shown else []
        yield from min(found, key=len, default=[])
    elif shown is not None and printed is not None and type(shown) is not type(printed):
        yield f"{where} is {printed!r}"


def _check_api(reader: Reader) -> None:
    """The requests of the API's page are answered, not refused."""
    address = json.loads((reader.home / "data" / "server.json").read_text())["address"]
    server, token, *requests = _shell_lines(ROOT / "docs" / "reference" / "api.md")
    assert server.startswith("SERVER=")
    assert token.startswith("TOKEN=")
    assert requests
    reader.run(f"export SERVER={address}; export {token}")
    for request in requests:
        listens = "curl -sN" in request
        done = reader.run(("timeout 2 " if listens else "") + request.replace("/site/", f"/{SERVICE}/"))
        assert done.returncode == (STOPPED_LISTENING if listens else 0), done.stdout
        assert done.stdout.startswith(": listening\n\nid: 1\n" if listens else "{"), done.stdout
        assert "urn:tidegate:problem" not in done.stdout
