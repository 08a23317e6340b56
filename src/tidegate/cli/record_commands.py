"""`tidegate events` and `tidegate figures`: all that happened, and what verification saw."""

from __future__ import annotations

from typing import Annotated

import typer

from tidegate.cli.client import Document
from tidegate.cli.exit_code import CommandFailed, ExitCode
from tidegate.cli.options import DataOption, JsonOption, RunArgument
from tidegate.cli.output import Output
from tidegate.cli.run_reference import find_run
from tidegate.cli.run_view import local_time
from tidegate.cli.session import Session, begin


def events(
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with those that come.")] = False,
    service: Annotated[str | None, typer.Option("--service", metavar="S", help="Of this service only.")] = None,
    run: Annotated[str | None, typer.Option("--run", metavar="RUN", help="Of this run only.")] = None,
    after: Annotated[int | None, typer.Option("--after", metavar="ID", min=0, help="Those after this event.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many at most, without --follow.")] = 1000,
    json: JsonOption = False,
    data: DataOption = None,
) -> None:
    """Show what happened, oldest first; with --follow what happens from now on (or after an event).

    With --follow and --json, each line is a JSON document of its own.
    """
    session = begin(json, data)
    run_id = str(find_run(session.client, run)["id"]) if run else None
    if not follow:
        _show_past(session, after or 0, service, run_id, limit)
        return
    try:
        for event in session.client.events(after, service=service, run=run_id):
            session.output.document_line(event)
            _say(session.output, event)
    except KeyboardInterrupt:
        raise typer.Exit(ExitCode.INTERRUPTED) from None


def figures(
    run: RunArgument,
    stage: Annotated[str | None, typer.Option("--stage", metavar="STAGE", help="Of this stage; else the last.")] = None,
    json: JsonOption = False,
    data: DataOption = None,
) -> None:
    """Print what verification saw of a run, as a file for tidegate judge: to judge it again, with other settings."""
    del json  # it is JSON either way
    session = begin(True, data)
    found = session.client.get("runs", str(find_run(session.client, run)["id"]))
    rollouts = [one for one in found["rollouts"] if one["stage"] and stage in (None, one["stage"])]
    if not rollouts:
        stages = ", ".join(str(one["name"]) for one in found["stages"]) or "none"
        where = f"in the stage {stage}" if stage else "yet"
        raise CommandFailed(ExitCode.USAGE, f"this run rolled nothing out {where}", f"its stages are {stages}")
    session.output.document(session.client.get("rollouts", str(rollouts[-1]["id"]), "recording"))


def _show_past(session: Session, after: int, service: str | None, run: str | None, limit: int) -> None:
    found: list[Document] = []
    while len(found) < limit:
        page = session.client.items("events", after=after, service=service, run=run)
        if not page:
            break
        found += page
        after = int(page[-1]["id"])
    shown = found[:limit]
    session.output.document(shown)
    if not session.output.json:
        for event in shown:
            _say(session.output, event)
    if len(shown) == limit:
        session.output.note(f"there may be more: tidegate events --after {shown[-1]['id']}")


def _say(output: Output, event: Document) -> None:
    if not output.json:
        output.say(f"{event['id']}  {local_time(event['at'])}  {event['kind']}  {event['text']}")
