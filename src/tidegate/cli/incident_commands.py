"""`tidegate incident …`: the times from harm to recovery."""

from __future__ import annotations

from typing import Annotated

import typer

from tidegate.cli.client import Document
from tidegate.cli.exit_code import CommandFailed, ExitCode
from tidegate.cli.options import DataOption, JsonOption, ReasonOption
from tidegate.cli.output import Output
from tidegate.cli.placement_commands import EnvironmentOption, ServiceArgument
from tidegate.cli.run_view import local_time, seconds_text, words
from tidegate.cli.session import begin

app = typer.Typer(no_args_is_help=True, help="Incidents: the times from harm to recovery.")

IncidentArgument = Annotated[str, typer.Argument(metavar="ID", help="The incident's id.", show_default=False)]


@app.command("list")
def list_incidents(
    service: Annotated[
        str | None, typer.Argument(metavar="SERVICE", help="Of this service only.", show_default=False)
    ] = None,
    environment: Annotated[
        str | None,
        typer.Option("--env", "--environment", metavar="E", help="Of this environment only.", show_default=False),
    ] = None,
    open_only: Annotated[bool, typer.Option("--open", help="Only those that have not ended.")] = False,
    json: JsonOption = False,
    data: DataOption = None,
) -> None:
    """List the incidents, the newest first."""
    session = begin(json, data)
    found = session.client.items("incidents", service=service, environment=environment, open=open_only or None)
    session.output.document(found)
    session.output.table(
        ("incident", "service", "environment", "state", "began", "lasted", "commit", "reason"),
        (_row(one) for one in found),
    )
    if not found:
        session.output.note("there is no such incident")


@app.command()
def show(
    incident: IncidentArgument,
    post_mortem: Annotated[
        bool, typer.Option("--post-mortem", help="Print a draft of a post-mortem in Markdown, and nothing else.")
    ] = False,
    json: JsonOption = False,
    data: DataOption = None,
) -> None:
    """Show an incident: its time line, the commits in question, and the evidence."""
    session = begin(json, data)
    found: Document = session.client.get("incidents", incident)
    session.output.document(found)
    if json:
        return
    if post_mortem:
        for line in str(found["post_mortem"]).splitlines():
            session.output.say(line)
        return
    _say_all(session.output, found)


@app.command("open")
def open_incident(
    service: ServiceArgument,
    environment: EnvironmentOption,
    reason: ReasonOption = "",
    json: JsonOption = False,
    data: DataOption = None,
) -> None:
    """Say that something of a service harms. What serves there is the deployment in question."""
    if not reason.strip():
        raise CommandFailed(ExitCode.USAGE, "an incident is recorded with its reason", "add --reason TEXT")
    session = begin(json, data)
    body = {"service": service, "environment": environment, "reason": reason}
    answer = session.client.post("incidents", body=body)
    remedies = [f"tidegate rollback {service} --env {environment}", f"tidegate incident close {answer['id']}"]
    session.done(answer, f"incident {answer['id']} of {service} in {environment} is open", remedies)


@app.command()
def close(
    incident: IncidentArgument,
    reason: ReasonOption = "",
    json: JsonOption = False,
    data: DataOption = None,
) -> None:
    """Say that an incident is over."""
    session = begin(json, data)
    answer = session.client.post("incidents", incident, "close", body={"reason": reason})
    said = f"incident {answer['id']} is over after {seconds_text(answer['seconds'])}"
    session.done(answer, said, [f"tidegate incident show {answer['id']} --post-mortem"])


def _row(incident: Document) -> tuple[object, ...]:
    state = "open" if incident["is_open"] else "over"
    commit = str(incident["commit"] or "-")[:8]
    place = (incident["service"], incident["environment"])
    times = (local_time(incident["opened_at"]), seconds_text(incident["seconds"]))
    return (incident["id"], *place, state, *times, commit, incident["reason"])


def _say_all(output: Output, incident: Document) -> None:
    say = output.say
    place = f"{incident['service']} in {incident['environment']}"
    say(f"incident {incident['id']}, {place}: {incident['reason']}")
    say(f"opened {local_time(incident['opened_at'])} by {incident['opened_by']['name']} ({words(incident['source'])})")
    if incident["is_open"]:
        since = incident["healthy_since"]
        say("open" + (f", all is well since {local_time(since)}" if since else ""))
    else:
        say(f"over after {seconds_text(incident['seconds'])}: {incident['closed_because']}")
    if incident["commit"]:
        say(f"in question: {incident['commit'][:8]}; the last good one: {str(incident['good_commit'] or 'none')[:8]}")
    for change in incident["commits"]:
        say(f"  {change['commit'][:8]} {change['subject']} ({change['author_name']})")
    if incident["evidence"]:
        say(f"evidence: {incident['evidence']['reason']}")
    for alert in incident["alerts"]:
        until = f"resolved {local_time(alert['resolved_at'])}" if alert["resolved_at"] else "fires"
        say(f"alert {alert['name']}: {alert['summary']} ({until})")
    say("time line:")
    for line in incident["time_line"]:
        say(f"  {local_time(line['at'])} {line['text']} ({line['actor']['name']})")
    if incident["is_open"]:
        output.next(f"tidegate incident close {incident['id']}")
    output.next(f"tidegate incident show {incident['id']} --post-mortem")
