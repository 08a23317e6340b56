"""`tidegate logs`: what a run's steps wrote."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated

import typer

from tidegate.cli import run_view
from tidegate.cli.client import Client, Document
from tidegate.cli.exit_code import CommandFailed, ExitCode
from tidegate.cli.options import DataOption, JsonOption, RunArgument
from tidegate.cli.output import Output, coloured, printable
from tidegate.cli.run_reference import find_run
from tidegate.cli.session import begin

LOOK_EVERY_SECONDS = 0.4
_LINES_A_PAGE = 1000


@dataclass(slots=True)
class StepLog:
    """How far the log of one attempt of a step was read."""

    step: Document
    attempt: int
    first: int = 0
    ended: bool = False
    lines: list[Document] = field(default_factory=list)
    """All of them, where they become one document."""

    @property
    def name(self) -> str:
        """What its lines are marked with."""
        again = f" (attempt {self.attempt})" if self.attempt > 1 else ""
        return f"{self.step['scope']}: {self.step['name']}{again}"


def logs(
    run: RunArgument,
    step: Annotated[
        str | None, typer.Argument(metavar="STEP", help="A step's name, or its id; all steps without it.")
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on until the run, or the step, has ended.")
    ] = False,
    attempt: Annotated[int | None, typer.Option("--attempt", min=1, help="An earlier attempt of the step.")] = None,
    json: JsonOption = False,
    data: DataOption = None,
) -> None:
    """Show what a run's steps wrote; of several steps, each line with the step's name before it.

    With --follow and --json, each line is a JSON document of its own.
    """
    session = begin(json, data)
    found = find_run(session.client, run)
    reader = _Reader(session.client, session.output, step, attempt, keeps=json and not follow)
    if not follow:
        reader.read(session.client.get("runs", str(found["id"])))
        if json:
            session.output.document(reader.document())
        elif reader.is_empty:
            session.output.note("nothing was written yet")
        return
    try:
        _follow(session.client, reader, str(found["id"]))
    except KeyboardInterrupt:
        session.output.note(f"the run goes on; to see it again: tidegate logs {found['id']} --follow")
        raise typer.Exit(ExitCode.INTERRUPTED) from None


def _follow(client: Client, reader: _Reader, run: str) -> None:
    while True:
        current = client.patiently("runs", run)
        reader.read(current)
        if run_view.is_ended(current) or reader.is_over:
            return
        time.sleep(LOOK_EVERY_SECONDS)


class _Reader:
    """Reads the logs of the steps that were asked for, each line once, and prints or keeps it.

    A log may be larger than this machine's memory, so what is printed is not kept.
    """

    def __init__(
        self, client: Client, output: Output, step: str | None, attempt: int | None, *, keeps: bool = False
    ) -> None:
        self._client = client
        self._output = output
        self._step = step
        self._attempt = attempt
        self._keeps = keeps
        self._logs: dict[tuple[str, int], StepLog] = {}

    def read(self, run: Document) -> None:
        """Read what is new in every log. Raises CommandFailed where the run has no such step."""
        for step in chosen_steps(run, self._step):
            attempt = self._attempt or int(step.get("attempt", 1))
            log = self._logs.setdefault((str(step["id"]), attempt), StepLog(step, attempt))
            log.step = step
        for log in self._logs.values():
            self._read_on(log)

    @property
    def is_over(self) -> bool:
        """Whether one step was asked for and its log is complete."""
        return self._step is not None and all(
            log.ended and log.step["state"] not in ("waiting", "ready", "running") for log in self._logs.values()
        )

    def document(self) -> list[Document]:
        """All that was read, by step."""
        return [
            {
                "step_run": log.step["id"],
                "scope": log.step["scope"],
                "step": log.step["name"],
                "attempt": log.attempt,
                "state": log.step["state"],
                "lines": log.lines,
            }
            for log in self._logs.values()
        ]

    @property
    def is_empty(self) -> bool:
        """Whether no line was read."""
        return not any(log.first for log in self._logs.values())

    def _read_on(self, log: StepLog) -> None:
        while not log.ended:
            page = self._client.patiently(
                "steps", str(log.step["id"]), "log", attempt=log.attempt, first=log.first, limit=_LINES_A_PAGE
            )
            if self._keeps:
                log.lines += page["lines"]
            else:
                self._print_page(log, page["lines"])
            log.first, log.ended = int(page["next"]), bool(page["ended"])
            if not page["lines"]:
                return

    def _print_page(self, log: StepLog, lines: Sequence[Document]) -> None:
        for line in lines:
            if self._output.json:
                self._output.document_line({"scope": log.step["scope"], "step": log.step["name"], **line})
            else:
                print(self._words(log, str(line["text"])))
        sys.stdout.flush()

    def _words(self, log: StepLog, text: str) -> str:
        if sys.stdout.isatty():
            text = coloured(text) + "\x1b[0m" if self._output.has_colours else printable(text)
        mark = "" if self._step is not None else f"{printable(log.name)} | "
        return f"{mark}{text}"


def chosen_steps(run: Document, wanted: str | None) -> Sequence[Document]:
    """The run's steps that are meant by a name, `scope: name` or an id; all where none is named.

    Raises CommandFailed where there is none, with the names that there are.
    """
    steps: Sequence[Document] = run.get("steps") or ()
    if wanted is None:
        return steps
    found = [step for step in steps if wanted in (step["id"], step["name"], f"{step['scope']}: {step['name']}")]
    if not found:
        names = ", ".join(repr(str(step["name"])) for step in steps) or "none"
        raise CommandFailed(ExitCode.USAGE, f"run {run['id']} has no step {wanted!r}; it has {names}")
    return found
