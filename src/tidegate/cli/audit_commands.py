"""`tidegate audit …`: whether the record is whole, who signs it, and evidence for an auditor."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from tidegate.cli.client import Document
from tidegate.cli.exit_code import CommandFailed, ExitCode
from tidegate.cli.options import DataOption, JsonOption
from tidegate.cli.output import Output
from tidegate.cli.run_view import local_time
from tidegate.cli.session import Session, begin

app = typer.Typer(no_args_is_help=True, help="The audit trail: the signed hash chain of all events.")

OutOption = Annotated[Path | None, typer.Option("--out", metavar="FILE", help="The ZIP to write.", show_default=False)]


@app.command()
def verify(json: JsonOption = False, data: DataOption = None) -> None:
    """Check the record: whether any event was changed, removed, put in or moved, and whether every checkpoint's
    signature fits. Ends with 1 where not."""
    session = begin(json, data)
    answer = session.client.at_length("audit")
    session.output.document(answer)
    if not json and answer["ok"]:
        session.output.say(f"the record is whole: {answer['events']} events, none changed or removed")
    elif not json:
        _say_what_is_wrong(session.output, answer)
    if not answer["ok"]:
        raise typer.Exit(ExitCode.FAILED)


@app.command()
def key(json: JsonOption = False, data: DataOption = None) -> None:
    """Show the public key that signs the record, and those that did before: give it to who verifies evidence."""
    session = begin(json, data)
    found = session.client.items("audit", "keys")
    session.output.document(found)
    if json:
        return
    for one in reversed(found):
        session.output.say(f"{one['public_key']}  {one['id']}, since {local_time(one['made_at'])}")


@app.command("rotate-key")
def rotate_key(json: JsonOption = False, data: DataOption = None) -> None:
    """Sign the record with a fresh key from now on; the old one signs that the new one follows it."""
    session = begin(json, data)
    made = session.client.post("audit", "keys")
    session.done(made, f"the record is signed with {made['public_key']} from now on", ["tidegate audit key"])


@app.command()
def export(
    service: Annotated[str, typer.Option("--service", metavar="S", help="The service.", show_default=False)],
    first: Annotated[
        str | None, typer.Option("--from", metavar="DATE", help="The first day in UTC: 2026-07-01.", show_default=False)
    ] = None,
    last: Annotated[
        str | None, typer.Option("--to", metavar="DATE", help="The last day in UTC.", show_default=False)
    ] = None,
    out: OutOption = None,
    json: JsonOption = False,
    data: DataOption = None,
) -> None:
    """Write an evidence pack of a service's time: a ZIP with a page to read and to print, the record's lines, and what
    verifies them without Tidegate."""
    days = [_day(one, option) for one, option in ((first, "--from"), (last, "--to"))]
    session = begin(json, data)
    file = out or Path("-".join(["evidence", service, *(one for one in days if one)]) + ".zip")
    query = {"service": service, "from": days[0], "to": days[1]}
    session.client.download(file, "audit", "export", **query)
    say_pack(session, file)


def say_pack(session: Session, file: Path) -> None:
    """Say where an evidence pack was written, and how it is verified."""
    written = {"file": str(file), "bytes": file.stat().st_size}
    session.done(
        written, f"{file}: {written['bytes']:,} bytes", [f"unzip it, and read index.html; python3 verify.py {file}"]
    )


def _say_what_is_wrong(output: Output, answer: Document) -> None:
    if answer["first_bad"] is not None:
        output.say(f"the record was changed: event {answer['first_bad']} is the first bad one")
    for why in (answer.get("because"), answer.get("checkpoint_because")):
        if why:
            output.say(str(why))
    output.next("compare with a backup; who can write to the server's database could have done it")


def _day(text: str | None, option: str) -> str | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise CommandFailed(
            ExitCode.USAGE, f"{option}: {text!r} is no day", "write it as year, month and day: 2026-07-01"
        ) from None
