"""Runs the commands that a page shows, in order, and compares what they print with what the page says.

A page has these kinds of blocks for it:

- ```` ```console ````: lines that begin with `$ ` are run, the lines below each are what it prints;
- ```` ```console until=shown ````: the same, and again until it prints that, as the page tells the reader to do;
- ```` ```console terminal=NAME ````: its command is started in a terminal of its own and goes on to the end of the
  page; what the page shows has to come within the limit;
- ```` ```LANGUAGE file=PATH ````: the file is written, as the reader is told to;
- all others are not looked at.

In what is expected, `…` stands for any text, and a line with nothing else for any number of lines. Ids, commits and
addresses may differ from the page's but each has to be the same wherever the page has the same, also in later commands;
times and
figures are compared in kind only. A command has to end with 0, unless the next one is `echo $?`.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.docs.markdown import Block, blocks

LIMIT_SECONDS = 60.0
LOOK_EVERY_SECONDS = 0.05
ANY = "…"
READER = "ada"
READERS_HOME = "/home/ada"

_KINDS = {
    "any": r" ?… ?",
    "id": r"\b01[0-9a-hjkmnp-tv-z]{24}(?![0-9a-z])",
    "address": r"127\.0\.0\.1:\d+",
    "commit": r"(?<![0-9a-z])(?:[0-9a-f]{40}|[0-9a-f]{8})(?![0-9a-z])",
    "clock": r"\d\d:\d\d:\d\d",
    "date": r"\d{4}-\d\d-\d\d",
    "figure": r"\d+(?:\.\d+)?% of [\d,]+|p [=<] [\d.e-]+|\d+ events|process \d+",
    "span": r"(?<![\w.])\d+(?:\.\d+)?(?:ms|s|m|h| s)(?: \d+[ms])*(?![\w.])",
}
"""What a page cannot foresee, by kind."""

_TOKEN = re.compile("|".join(f"(?P<{kind}>{pattern})" for kind, pattern in _KINDS.items()))
_FITS = {**_KINDS, "any": ".*"}
_NAMES = ("id", "address", "commit")
"""Kinds whose values are names of things: the same on the page is the same in the world."""

Names = Mapping[str, str]
"""What the page calls a thing → what it is called this time."""


class Differs(AssertionError):
    """A page does not say what happens."""


@dataclass(frozen=True, slots=True)
class Command:
    """A command of a page, and what the page says that it prints."""

    text: str
    expected: tuple[str, ...]
    at: int


def commands(block: Block) -> tuple[Command, ...]:
    """The commands of a console block. A line that ends with a backslash goes on in the next."""
    found: list[tuple[str, list[str], int]] = []
    for number, line in enumerate(block.lines, start=block.at):
        if line.startswith("$ "):
            found.append((line[2:], [], number))
        elif found and found[-1][0].endswith("\\") and not found[-1][1]:
            found[-1] = (f"{found[-1][0]}\n{line}", [], found[-1][2])
        elif found:
            found[-1][1].append(line)
        else:
            raise Differs(f"line {number}: output without a command before it")
    return tuple(Command(text, tuple(_without_blank_end(lines)), number) for text, lines, number in found)


def compare(expected: tuple[str, ...], printed: tuple[str, ...], names: Names) -> Names | None:
    """The names, with those learned from these lines; None where the lines do not fit."""
    if not expected:
        return None if printed else names
    if expected[0].strip() == ANY:
        for skipped in range(len(printed) + 1):
            found = compare(expected[1:], printed[skipped:], names)
            if found is not None:
                return found
        return None
    if not printed:
        return None
    learned = _compare_line(expected[0], printed[0], names)
    return None if learned is None else compare(expected[1:], printed[1:], learned)


def renamed(text: str, names: Names) -> str:
    """A command of the page with the names of this time."""
    return _TOKEN.sub(lambda found: names.get(found[0], found[0]), text)


def _compare_line(expected: str, printed: str, names: Names) -> Names | None:
    pattern, tokens, end = "", list[tuple[str, str]](), 0
    line = " ".join(expected.split())
    for found in _TOKEN.finditer(line):
        kind = str(found.lastgroup)
        pattern += f"{re.escape(line[end : found.start()])}({_FITS[kind]})"
        tokens.append((kind, found[0]))
        end = found.end()
    matched = re.fullmatch(pattern + re.escape(line[end:]), " ".join(printed.split()))
    if matched is None:
        return None
    learned = dict(names)
    for (kind, said), real in zip(tokens, matched.groups(), strict=True):
        if kind not in _NAMES:
            continue
        if learned.setdefault(said, real) != real or (len(said) != len(real) and kind == "commit"):
            return None
    return learned if len(set(learned.values())) == len(learned) else None


class Reader:
    """Somebody who does what a page says, with a home of their own and a data folder in it."""

    def __init__(self, home: Path, variables: Mapping[str, str] | None = None) -> None:
        self.home = home
        self.names: Names = {}
        self.transcript: list[str] = []
        self._state = home / ".reader"
        self._state.mkdir()
        self._cwd = home
        self._status = 0
        self._terminals: list[subprocess.Popen[bytes]] = []
        (home / ".gitconfig").write_text(
            f"[user]\n\tname = {READER.title()}\n\temail = {READER}@example.com\n[init]\n\tdefaultBranch = main\n"
        )
        self._variables = {
            "HOME": str(home),
            "USER": READER,
            "LOGNAME": READER,
            "LANG": "C.UTF-8",
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONDONTWRITEBYTECODE": "1",
            **(variables or {}),
        }

    def follow(self, page: str) -> None:
        """Do all of a page. Raises Differs."""
        for block in blocks(page):
            if file := block.option("file"):
                (self._cwd / file).write_text("\n".join(block.lines) + "\n")
            elif block.language == "console" and block.option("terminal"):
                for command in commands(block):
                    self._start(command)
            elif block.language == "console" and block.option("until"):
                for command in commands(block):
                    self._run_until_shown(command)
            elif block.language == "console":
                self._run_all(commands(block))

    def run(self, text: str) -> subprocess.CompletedProcess[str]:
        """Run a command where the reader is; standard output and error are one, as on a terminal."""
        state = shlex.quote(str(self._state))
        script = f"trap 'pwd > {state}/cwd; export -p > {state}/env' EXIT\n"
        script += f"[ ! -e {state}/env ] || . {state}/env\n(exit {self._status})\n{text}\n"
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=self._cwd,
            env=self._variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=LIMIT_SECONDS,
        )
        self._status = done.returncode
        self._cwd = Path((self._state / "cwd").read_text().strip())
        return done

    def start(self, text: str) -> Path:
        """Start a command in a terminal of its own, where the reader is; the file with what it prints."""
        output = self._state / f"terminal-{len(self._terminals)}"
        script = f"[ ! -e {self._state}/env ] || . {self._state}/env\nexec {text}"
        with output.open("wb") as file:
            process = subprocess.Popen(
                ["bash", "-c", script],
                cwd=self._cwd,
                env=self._variables,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._terminals.append(process)
        return output

    def close(self) -> None:
        """Close the terminals that are still open."""
        for process in self._terminals:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
                process.wait(LIMIT_SECONDS)

    def _run_all(self, listed: tuple[Command, ...]) -> None:
        for command, following in zip(listed, (*listed[1:], None), strict=True):
            done, printed = self._print(command)
            self._check(command, printed)
            self.transcript += [f"$ {command.text}", *printed]
            asks_status = following is not None and following.text == "echo $?"
            if done.returncode and not asks_status:
                raise Differs(f"line {command.at}: `{command.text}` ended with {done.returncode}:\n{done.stdout}")

    def _run_until_shown(self, command: Command) -> None:
        give_up_at = time.monotonic() + LIMIT_SECONDS
        while True:
            _, printed = self._print(command)
            learned = compare(command.expected, printed, self.names)
            if learned is not None:
                self.names = learned
                self.transcript += [f"$ {command.text}", *printed]
                return
            if time.monotonic() > give_up_at:
                raise _differs(command, printed)
            time.sleep(LOOK_EVERY_SECONDS)

    def _print(self, command: Command) -> tuple[subprocess.CompletedProcess[str], tuple[str, ...]]:
        done = self.run(renamed(command.text, self.names))
        return done, self._as_reader_sees(done.stdout)

    def _start(self, command: Command) -> None:
        output = self.start(renamed(command.text, self.names))
        process = self._terminals[-1]
        give_up_at = time.monotonic() + LIMIT_SECONDS
        while True:
            printed = self._as_reader_sees(output.read_text(errors="replace"))
            learned = compare(command.expected, printed, self.names)
            if learned is not None:
                self.names = learned
                self.transcript += [f"$ {command.text}", *printed]
                return
            if process.poll() is not None or time.monotonic() > give_up_at:
                raise _differs(command, printed)
            time.sleep(LOOK_EVERY_SECONDS)

    def _as_reader_sees(self, text: str) -> tuple[str, ...]:
        return tuple(_without_blank_end(text.replace(str(self.home), READERS_HOME).splitlines()))

    def _check(self, command: Command, printed: tuple[str, ...]) -> None:
        learned = compare(command.expected, printed, self.names)
        if learned is None:
            raise _differs(command, printed)
        self.names = learned


def make_home() -> Path:
    """A reader's home, through which the user that steps run as may pass."""
    home = Path(tempfile.mkdtemp(prefix="tidegate-reader-", dir="/tmp"))
    home.chmod(0o711)
    return home


def _differs(command: Command, printed: tuple[str, ...]) -> Differs:
    said, was = "\n  ".join(command.expected), "\n  ".join(printed)
    return Differs(f"line {command.at}: $ {command.text}\nthe page says\n  {said}\nit printed\n  {was}")


def _without_blank_end(lines: list[str]) -> list[str]:
    kept = [line.rstrip() for line in lines]
    while kept and not kept[-1]:
        kept.pop()
    return kept
