"""`tidegate notify …`: whom the server tells what."""

from __future__ import annotations

from typing import Annotated

import typer

from tidegate.cli.options import DataOption, JsonOption
from tidegate.cli.run_view import local_time
from tidegate.cli.session import begin

app = typer.Typer(no_args_is_help=True, help="Channels: whom the server tells what, as its own file says.")


@app.command("list")
def list_channels(json: JsonOption = False, data: DataOption = None) -> None:
    """List the channels, what they are told about, and whether messages arrive there."""
    session = begin(json, data)
    found = session.client.get("notifications")
    session.output.document(found)
    session.output.table(
        ("channel", "about", "services", "environments", "state"),
        (
            (
                one["name"],
                ", ".join(one["about"]),
                ", ".join(one["services"]),
                ", ".join(one["environments"] or ["all"]),
                f"fails since {local_time(one['failing_since'])}: {one['failing_because']}"
                if one["failing_since"]
                else "ok",
            )
            for one in found
        ),
    )
    if not found:
        session.output.note("there is no channel; the server's tidegate-server.yaml names them under notifications")


@app.command("test")
def try_channel(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The channel's name.", show_default=False)],
    json: JsonOption = False,
    data: DataOption = None,
) -> None:
    """Send a message to try a channel, and say whether it was taken."""
    session = begin(json, data)
    answer = session.client.post("notifications", name, "test")
    session.done(answer, f"the message to {answer['name']} was taken")
