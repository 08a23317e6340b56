"""`tidegate service …`: which services there are, and who may open their gates."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from tidegate.cli.client import Document
from tidegate.cli.exit_code import CommandFailed, ExitCode
from tidegate.cli.options import DataOption, JsonOption, ReasonOption
from tidegate.cli.session import begin
from tidegate.model.pipeline import Mode

CLONE_SECONDS = 960.0
"""The server reads the whole repository before it answers."""

app = typer.Typer(no_args_is_help=True, help="Services: what is deployed independently.")

ServiceArgument = Annotated[str, typer.Argument(metavar="SERVICE", help="The service's name.", show_default=False)]


@app.command()
def add(
    repository: Annotated[
        str, typer.Argument(metavar="REPO", help="A folder of a git repository, or its URL.", show_default=False)
    ],
    name: Annotated[str | None, typer.Option("--name", help="Where tidegate.yaml names none.")] = None,
    path: Annotated[str | None, typer.Option("--path", help="The service's folder in a monorepo.")] = None,
    branch: Annotated[str | None, typer.Option("--branch", help="The main branch, where not the default one.")] = None,
    credential: Annotated[
        str | None, typer.Option("--credential", metavar="NAME", help="The secret that holds USER:TOKEN.")
    ] = None,
    webhook_secret_file: Annotated[
        Path | None, typer.Option("--webhook-secret-file", metavar="F", help="Not supported yet.")
    ] = None,
    json: JsonOption = False,
    data: DataOption = None,
) -> None:
    """Add a service from its repository; its newest commit is run at once."""
    from tidegate.cli.working_tree import locate

    if webhook_secret_file is not None:
        raise CommandFailed(
            ExitCode.USAGE,
            "--webhook-secret-file is not supported yet: new commits are found by looking at the repository",
            "leave the option out",
        )
    session = begin(json, data)
    place = locate(repository, path, branch)
    for note in place.notes:
        session.output.note(note)
    asked = {
        "repository": place.repository,
        "name": name,
        "path": place.path,
        "branch": branch,
        "credential": credential,
    }
    body = {key: value for key, value in asked.items() if value is not None}
    answer = session.client.post("services", body=body, seconds=CLONE_SECONDS)
    service, run = answer["service"], answer["run"]["id"]
    said = f"{service['name']} is added from {service['repository']}"
    session.done(answer, said, [f"tidegate watch {run}"])


@app.command("list")
def list_services(json: JsonOption = False, data: DataOption = None) -> None:
    """List the services."""
    session = begin(json, data)
    found = session.client.items("services")
    session.output.document(found)
    session.output.table(
        ("service", "team", "risk", "mode", "repository", "state"),
        (
            [*(one.get(key) for key in ("name", "team", "risk", "effective_mode", "repository")), _state(one)]
            for one in found
        ),
    )
    if not found:
        session.output.note("there is no service yet; the first: tidegate service add REPOSITORY")


@app.command()
def show(service: ServiceArgument, json: JsonOption = False, data: DataOption = None) -> None:
    """Show one service."""
    session = begin(json, data)
    found = session.client.get("services", service)
    session.output.document(found)
    if json:
        return
    for key in ("name", "repository", "path", "branch", "team", "risk", "last_seen", "added_at"):
        if found.get(key) is not None:
            session.output.say(f"{key.replace('_', ' ')}: {found[key]}")
    because = found["effective_because"]
    mode, why = f"mode: {found['effective_mode']}", because["text"]
    session.output.say(why if why.startswith(mode) else f"{mode} ({why})")
    session.output.say(f"state: {_state(found)}")
    for environment, demands in found.get("demands", {}).items():
        for demand in demands:
            session.output.say(f"the server demands in {environment}: {demand}")
    if because["remedy"]:
        session.output.next(str(because["remedy"]))
    if found.get("paused_because") or found.get("line_stopped_because"):
        session.output.next(f"tidegate service resume {service}")


@app.command()
def mode(
    service: ServiceArgument,
    granted: Annotated[Mode, typer.Argument(metavar="MODE", help="delivery or deployment.", show_default=False)],
    reason: ReasonOption = "",
    json: JsonOption = False,
    data: DataOption = None,
) -> None:
    """Grant that policy opens the gates to protected environments (deployment), or that a person does (delivery)."""
    session = begin(json, data)
    if not reason.strip():
        raise CommandFailed(ExitCode.USAGE, "a change of mode is recorded with its reason", "add --reason TEXT")
    answer = session.client.post("services", service, "mode", body={"mode": granted.value, "reason": reason})
    because = answer["effective_because"]
    session.done(answer, f"{service} is granted mode: {granted.value}")
    if not json and answer["effective_mode"] != granted.value:
        session.output.say(because["text"])
        session.output.next(str(because["remedy"] or f"tidegate service show {service}"))


@app.command()
def pause(
    service: ServiceArgument, reason: ReasonOption = "", json: JsonOption = False, data: DataOption = None
) -> None:
    """Let no release of a service pass a gate."""
    session = begin(json, data)
    answer = session.client.post("services", service, "pause", body={"reason": reason})
    session.done(answer, f"{service} is paused", [f"tidegate service resume {service}"])


@app.command()
def resume(
    service: ServiceArgument, reason: ReasonOption = "", json: JsonOption = False, data: DataOption = None
) -> None:
    """Lift a pause, or say go where rollbacks stopped the line."""
    session = begin(json, data)
    answer = session.client.post("services", service, "resume", body={"reason": reason})
    session.done(answer, f"{service} goes on")


@app.command()
def remove(
    service: ServiceArgument,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json: JsonOption = False,
    data: DataOption = None,
) -> None:
    """Stop everything of a service, in every environment, and forget it. Its record stays."""
    session = begin(json, data)
    if not yes and not json and sys.stdin.isatty() and sys.stdout.isatty():
        typer.confirm(f"Stop {service} in every environment and forget it?", abort=True)
    answer = session.client.delete("services", service)
    session.done(answer, f"{service} is being stopped and is forgotten")


def _state(service: Document) -> str:
    for key, words in (("paused_because", "paused"), ("line_stopped_because", "stopped"), ("trouble", "trouble")):
        if service.get(key):
            return f"{words}: {service[key]}"
    return "ok"
