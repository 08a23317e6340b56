"""`tidegate drill …`: rollbacks that are practised."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from tidegate.cli.client import Document
from tidegate.cli.exit_code import CommandFailed, ExitCode
from tidegate.cli.options import DataOption, JsonOption
from tidegate.cli.placement_commands import EnvironmentOption, ServiceArgument
from tidegate.cli.run_view import local_time, seconds_text, words
from tidegate.cli.session import Session, begin

app = typer.Typer(no_args_is_help=True, help="Drills: rollbacks that are practised.")

LOOK_EVERY_SECONDS = 0.2


@app.command()
def rollback(
    service: ServiceArgument,
    environment: EnvironmentOption,
    yes_production: Annotated[
        bool, typer.Option("--yes-production", help="Also where the environment is protected.")
    ] = False,
    json: JsonOption = False,
    data: DataOption = None,
) -> None:
    """Deploy the newest release that does not serve there, take it back, and check what serves afterwards.

    Nothing is quarantined by it, and it counts as no failure. It waits until the drill is over.
    """
    session = begin(json, data)
    body = {"service": service, "environment": environment, "in_protected": yes_production}
    begun: Document = session.client.post("drills", body=body)
    try:
        drill = _wait(session, begun)
    except KeyboardInterrupt:
        session.output.note(f"the drill goes on; to see it: tidegate watch {begun['run']}")
        raise typer.Exit(ExitCode.INTERRUPTED) from None
    session.output.document(drill)
    place = f"{service} in {environment}"
    if drill["state"] != "passed":
        why = f"the drill of {place} went wrong: {'; '.join(drill['went_wrong'])}"
        if json:
            raise typer.Exit(ExitCode.FAILED)
        raise CommandFailed(ExitCode.FAILED, why, f"tidegate watch {drill['run']}")
    if not json:
        back = f"all traffic was back at {drill['good_commit'][:8]} after {seconds_text(drill['seconds'])}"
        whole = f"all of its instances after {seconds_text(drill['whole_seconds'])}"
        session.output.say(f"the drill of {place} went well: {back}, {whole}")


@app.command("list")
def list_drills(
    service: Annotated[
        str | None, typer.Argument(metavar="SERVICE", help="Of this service only.", show_default=False)
    ] = None,
    environment: Annotated[
        str | None,
        typer.Option("--env", "--environment", metavar="E", help="Of this environment only.", show_default=False),
    ] = None,
    json: JsonOption = False,
    data: DataOption = None,
) -> None:
    """List the drills, the newest first."""
    session = begin(json, data)
    found = session.client.items("drills", service=service, environment=environment)
    session.output.document(found)
    session.output.table(
        ("service", "environment", "began", "by", "state", "traffic back", "whole", "went wrong"),
        (_row(one) for one in found),
    )
    if not found:
        session.output.note("nothing was practised yet: tidegate drill rollback SERVICE --env E")


def _wait(session: Session, drill: Document) -> Document:
    if not session.output.json:
        session.output.say(f"{drill['commit'][:8]} comes and goes: run {drill['run']}")
    while drill["state"] == "goes_on":
        time.sleep(LOOK_EVERY_SECONDS)
        drill = session.client.patiently("drills", str(drill["run"]))
    return drill


def _row(drill: Document) -> tuple[object, ...]:
    times = (seconds_text(drill["seconds"]), seconds_text(drill["whole_seconds"]))
    begun = (local_time(drill["began_at"]), drill["by"]["name"], words(drill["state"]))
    return (drill["service"], drill["environment"], *begun, *times, "; ".join(drill["went_wrong"]))
