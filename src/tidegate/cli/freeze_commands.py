"""Commands about freezes: `freeze`, `thaw` and `freezes`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from tidegate.cli.client import Document
from tidegate.cli.exit_code import CommandFailed, ExitCode
from tidegate.cli.local_moments import local_zone, read_moment
from tidegate.cli.options import DataOption, JsonOption, ReasonOption
from tidegate.cli.run_view import local_time
from tidegate.cli.session import begin

EnvironmentArgument = Annotated[str, typer.Argument(metavar="ENVIRONMENT", help="The environment.", show_default=False)]
ServiceOption = Annotated[
    str | None, typer.Option("--service", metavar="S", help="For this service only.", show_default=False)
]


def freeze(
    environment: EnvironmentArgument,
    until: Annotated[
        str,
        typer.Option(
            "--until",
            metavar="T",
            help='When it ends: after a time (4h), on a day (2027-01-03, all of it), or at "2027-01-03 17:00".',
            show_default=False,
        ),
    ],
    reason: ReasonOption = "",
    service: ServiceOption = None,
    since: Annotated[
        str | None,
        typer.Option("--from", metavar="T", help="When it begins; now without it.", show_default=False),
    ] = None,
    timezone: Annotated[
        str | None,
        typer.Option(
            "--timezone",
            metavar="ZONE",
            help="Whose clock these times are read from; this machine's without it.",
            show_default=False,
        ),
    ] = None,
    json: JsonOption = False,
    data: DataOption = None,
) -> None:
    """Let nothing new enter an environment for a time. What is rolling out goes on, and a rollback always may."""
    session = begin(json, data)
    place, now = timezone or local_zone(), datetime.now(UTC)
    if not reason.strip():
        raise CommandFailed(ExitCode.USAGE, "a freeze is recorded with its reason", "add --reason TEXT")
    body = {
        "environment": environment,
        "service": service,
        "begins": read_moment("--from", since, place, now, end=False).isoformat() if since else None,
        "ends": read_moment("--until", until, place, now, end=True).isoformat(),
        "reason": reason,
        "timezone": place,
    }
    answer = session.client.post("freezes", body={key: value for key, value in body.items() if value is not None})
    begins = "" if answer["holds"] else f"from {local_time(answer['begins'])} "
    said = f"{_what(answer)} is frozen {begins}until {local_time(answer['ends'])}"
    session.done(answer, said, [f"tidegate thaw {answer['id']}"])


def thaw(
    which: Annotated[
        str, typer.Argument(metavar="ENVIRONMENT|ID", help="The environment, or a freeze's id.", show_default=False)
    ],
    service: ServiceOption = None,
    json: JsonOption = False,
    data: DataOption = None,
) -> None:
    """End the freezes of an environment now, or one of them; planned ones are taken back."""
    session = begin(json, data)
    found = session.client.items("freezes")
    chosen = [one for one in found if one["id"] == which.lower()]
    if not chosen:
        there = [one for one in found if one["environment"] == which and service in (None, one["service"])]
        chosen = [one for one in there if not one["configured"]]
        if not chosen and there:
            message = f"{which} is frozen by the server's configuration: {there[0]['reason']}"
            remedy = "remove it from tidegate-server.yaml, and start the server again"
            raise CommandFailed(ExitCode.REFUSED, message, remedy)
    if not chosen:
        raise CommandFailed(ExitCode.USAGE, f"no freeze holds or is planned for {which!r}", "tidegate freezes")
    lifted = [session.client.delete("freezes", str(one["id"])) for one in chosen]
    said = "; ".join(f"{_what(one)} is no longer frozen: {one['reason']}" for one in lifted)
    session.done(lifted, said)


def freezes(
    environment: Annotated[
        str | None, typer.Argument(metavar="ENVIRONMENT", help="Of this environment only.", show_default=False)
    ] = None,
    json: JsonOption = False,
    data: DataOption = None,
) -> None:
    """List the freezes that hold or are planned."""
    session = begin(json, data)
    found = session.client.items("freezes", environment=environment)
    session.output.document(found)
    session.output.table(
        ("freeze", "environment", "service", "holds", "from", "until", "by", "reason"),
        (_row(one) for one in found),
    )
    if not found:
        session.output.note("nothing is frozen: tidegate freeze ENVIRONMENT --until T --reason TEXT")


def _row(freeze: Document) -> tuple[object, ...]:
    times = (local_time(freeze["begins"]), local_time(freeze["ends"]))
    holds = "now" if freeze["holds"] else "planned"
    service = freeze["service"] or "all"
    return freeze["id"], freeze["environment"], service, holds, *times, freeze["by"]["name"], freeze["reason"]


def _what(freeze: Document) -> str:
    environment = str(freeze["environment"])
    return f"{freeze['service']} in {environment}" if freeze["service"] else environment
