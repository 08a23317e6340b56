"""`tidegate environment …`: where services run."""

from __future__ import annotations

from typing import Annotated

import typer

from tidegate.cli.client import Document
from tidegate.cli.options import DataOption, JsonOption
from tidegate.cli.run_view import local_time
from tidegate.cli.session import begin

app = typer.Typer(no_args_is_help=True, help="Environments: where services run.")


@app.command("list")
def list_environments(json: JsonOption = False, data: DataOption = None) -> None:
    """List the environments."""
    session = begin(json, data)
    found = session.client.items("environments")
    session.output.document(found)
    session.output.table(
        ("environment", "protected", "target", "router", "services"),
        ([one["name"], _yes(one), one.get("target"), one.get("router"), _services(one)] for one in found),
    )


@app.command()
def show(
    environment: Annotated[str, typer.Argument(metavar="ENVIRONMENT", help="Its name.", show_default=False)],
    json: JsonOption = False,
    data: DataOption = None,
) -> None:
    """Show one environment and what is placed there."""
    session = begin(json, data)
    found = session.client.get("environments", environment)
    session.output.document(found)
    if json:
        return
    session.output.say(f"{found['name']}: target {found.get('target')}, router {found.get('router')}")
    session.output.say(
        "protected: a person opens its gate, unless granted" if found.get("protected") else "not protected"
    )
    for freeze in found.get("freezes", ()):
        whose = f" for {freeze['service']}" if freeze["service"] else ""
        times = f"from {local_time(freeze['begins'])} until {local_time(freeze['ends'])}"
        session.output.say(f"frozen{whose} {times} by {freeze['by']['name']}: {freeze['reason']}")
    session.output.table(
        ("service", "health", "address", "stuck"),
        (
            [one.get("service"), one.get("health"), one.get("address"), one.get("stuck_because")]
            for one in found.get("placements") or ()
        ),
    )


def _yes(environment: Document) -> str:
    return "yes" if environment.get("protected") else "no"


def _services(environment: Document) -> str:
    return ", ".join(str(one.get("service")) for one in environment.get("placements") or ())
