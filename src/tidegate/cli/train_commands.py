"""`tidegate train …`: releases of several services that go together."""

from __future__ import annotations

from typing import Annotated

import typer

from tidegate.cli.client import Document
from tidegate.cli.options import DataOption, JsonOption, ReasonOption
from tidegate.cli.run_view import local_time
from tidegate.cli.session import begin

app = typer.Typer(no_args_is_help=True, help="Release trains: services whose releases go together.")

NameArgument = Annotated[str, typer.Argument(metavar="TRAIN", help="Its name.", show_default=False)]


@app.command("list")
def list_trains(json: JsonOption = False, data: DataOption = None) -> None:
    """List the release trains of the server's configuration."""
    session = begin(json, data)
    found = session.client.get("trains")
    session.output.document(found)
    session.output.table(
        ("train", "environment", "services", "state", "leaves"),
        (
            [one["name"], one["environment"], ", ".join(one["services"]), _state(one.get("passage")), _leaves(one)]
            for one in found
        ),
    )


@app.command()
def show(train: NameArgument, json: JsonOption = False, data: DataOption = None) -> None:
    """Show a train: what is aboard, or would be if it left now, and how its last passages ended."""
    session = begin(json, data)
    found: Document = session.client.get("trains", train)
    session.output.document(found)
    if json:
        return
    say = session.output.say
    say(f"{found['name']} to {found['environment']}: {_state(found.get('passage'))}, leaves {_leaves(found)}")
    for service in found["services"]:
        before = found["after"].get(service)
        say(f"  {service}" + (f" after {', '.join(before)}" if before else ""))
    passage = found.get("passage") or {}
    if passage.get("members"):
        session.output.table(
            ("service", "release", "state", "because"),
            ([one["service"], one["label"], one["state"], one["because"]] for one in passage["members"]),
        )
    else:
        ready = ", ".join(f"{one['service']} {one['label']}" for one in found["ready"])
        say(f"ready: {ready or 'nothing waits for it alone'}")
    for one in found.get("kept_out", ()):
        say(f"kept out: {one['service']} {one['label']}: {one['because']}")
    for one in found["passages"]:
        if one.get("ended_at"):
            aboard = ", ".join(f"{it['service']} {it['label']} {it['state']}" for it in one["members"])
            say(f"{local_time(one['ended_at'])} {one['state']}: {one['because']}" + (f" ({aboard})" if aboard else ""))


@app.command()
def depart(train: NameArgument, json: JsonOption = False, data: DataOption = None) -> None:
    """Let a train leave now with what is ready."""
    session = begin(json, data)
    answer = session.client.post("trains", train, "depart")
    session.done(answer, f"{train} leaves", [f"tidegate train show {train}"])


@app.command()
def hold(train: NameArgument, reason: ReasonOption = "", json: JsonOption = False, data: DataOption = None) -> None:
    """Let a train not leave until it is resumed."""
    session = begin(json, data)
    answer = session.client.post("trains", train, "hold", body={"reason": reason})
    session.done(answer, f"{train} is held", [f"tidegate train resume {train}"])


@app.command()
def resume(train: NameArgument, json: JsonOption = False, data: DataOption = None) -> None:
    """Let a held train leave again; a departure that it missed is made up for at once."""
    session = begin(json, data)
    answer = session.client.post("trains", train, "resume")
    session.done(answer, f"{train} leaves again when its time comes", [f"tidegate train show {train}"])


@app.command()
def cancel(train: NameArgument, json: JsonOption = False, data: DataOption = None) -> None:
    """Leave out the next departure; of a train under way, take back what was deployed by it."""
    session = begin(json, data)
    answer = session.client.post("trains", train, "cancel")
    session.done(answer, f"{train} is cancelled", [f"tidegate train show {train}"])


def _state(passage: Document | None) -> str:
    if passage is None:
        return "not collecting yet"
    held = f", held by {passage['held_by']}" if passage.get("held_by") else ""
    because = f": {passage['because']}" if passage.get("because") else ""
    return f"{passage['state']}{held}{because}"


def _leaves(train: Document) -> str:
    leaves_at = (train.get("passage") or {}).get("leaves_at")
    return str(local_time(leaves_at)) if leaves_at else f"when somebody says so: tidegate train depart {train['name']}"
