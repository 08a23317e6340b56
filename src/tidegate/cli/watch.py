"""`tidegate watch`: a run as it happens."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated, Protocol

import typer

from tidegate.cli import run_view
from tidegate.cli.client import Client, Document
from tidegate.cli.exit_code import ExitCode
from tidegate.cli.options import DataOption, JsonOption, RunArgument
from tidegate.cli.output import Output, printable
from tidegate.cli.run_reference import find_run
from tidegate.cli.session import begin

LOOK_EVERY_SECONDS = 0.4

WaitOption = Annotated[
    bool | None,
    typer.Option(
        "--wait/--no-wait",
        help="Go on while it waits for a person, or end then with status 3 (default: go on, on a terminal only).",
        show_default=False,
    ),
]


class View(Protocol):
    """Shows a run while it moves."""

    def happened(self, event: Document) -> None:
        """One more event."""

    def stands(self, run: Document) -> None:
        """How the run is now."""


def watch(run: RunArgument, wait: WaitOption = None, json: JsonOption = False, data: DataOption = None) -> None:
    """Show a run as it happens, until it ends or waits for a person.

    Ends with 0 when it succeeded; 1 when it failed, was rolled back, rejected, cancelled or superseded; 3 when it
    waits for a person and --wait is not given (on a terminal it waits unless --no-wait is given).
    """
    session = begin(json, data)
    found = find_run(session.client, run)
    goes_on = session.output.is_terminal if wait is None else wait
    try:
        last = watch_run(session.client, session.output, str(found["id"]), through_waiting=goes_on)
    except KeyboardInterrupt:
        session.output.note(f"the run goes on; to see it again: tidegate watch {found['id']}")
        raise typer.Exit(ExitCode.INTERRUPTED) from None
    session.output.document(last)
    if run_view.is_ended(last) and not json:
        session.output.say(run_view.standing(last))
        for act in run_view.next_acts(last):
            session.output.next(act)
    raise typer.Exit(run_view.exit_code_of(last))


def watch_run(client: Client, output: Output, run: str, *, through_waiting: bool) -> Document:
    """Show the run until it has ended, or until it waits for a person; the run as it was then.

    Raises CommandFailed where the server stays away.
    """
    seen = 0
    with _view(output) as view:
        while True:
            # the run is read first: all events of what it shows are then there to be read
            current: Document = client.patiently("runs", run)
            seen = _show_events(client, view, run, seen)
            view.stands(current)
            if run_view.is_ended(current) or (not through_waiting and run_view.waits_for_person(current)):
                return current
            time.sleep(LOOK_EVERY_SECONDS)


def _show_events(client: Client, view: View, run: str, seen: int) -> int:
    while True:
        events = client.patiently("runs", run, "events", after=seen)
        for event in events:
            view.happened(event)
            seen = max(seen, int(event["id"]))
        if not events:
            return seen


@contextmanager
def _view(output: Output) -> Iterator[View]:
    if output.json:
        yield _Silent()
    elif not output.is_terminal:
        yield _Lines(output)
    else:
        with _live(output) as view:
            yield view


class _Silent:
    """Shows nothing: the document at the end is all."""

    def happened(self, event: Document) -> None:
        pass

    def stands(self, run: Document) -> None:
        pass


class _Lines:
    """One line an event, and the command that ends the waiting, once each time."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._asked: tuple[str, ...] = ()

    def happened(self, event: Document) -> None:
        self._output.say(run_view.event_line(event))

    def stands(self, run: Document) -> None:
        acts = run_view.next_acts(run) if run_view.waits_for_person(run) else ()
        if acts and acts != self._asked:
            self._output.say(f"{run_view.label(run)} waits for a person")
            for act in acts:
                self._output.next(act)
        self._asked = acts


@contextmanager
def _live(output: Output) -> Iterator[View]:
    from rich.live import Live
    from rich.text import Text

    from tidegate.cli.run_live import render

    console = output.console()

    class Drawn:
        def happened(self, event: Document) -> None:
            console.print(Text(printable(run_view.event_line(event)), style="dim"))

        def stands(self, run: Document) -> None:
            live.update(render(run, datetime.now(UTC)), refresh=True)

    with Live(console=console, refresh_per_second=8) as live:
        yield Drawn()
