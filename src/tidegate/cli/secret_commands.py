"""`tidegate secret …`: what services need and nobody may read."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from tidegate.cli.exit_code import CommandFailed, ExitCode
from tidegate.cli.options import DataOption, JsonOption
from tidegate.cli.session import begin

app = typer.Typer(no_args_is_help=True, help="Secrets of services: sealed, never shown again.")

ServiceArgument = Annotated[str, typer.Argument(metavar="SERVICE", help="The service's name.", show_default=False)]


@app.command("set")
def set_secret(
    service: ServiceArgument,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The secret's name.", show_default=False)],
    json: JsonOption = False,
    data: DataOption = None,
) -> None:
    """Keep a secret. Its value is asked for, or read from standard input; it is never an argument.

    A private repository's credential is set before its service is added, as USER:TOKEN or TOKEN.
    """
    session = begin(json, data)
    value = _read_value(name)
    if not value:
        raise CommandFailed(
            ExitCode.USAGE, "the value is empty, nothing was changed", f"tidegate secret set {service} {name} < FILE"
        )
    session.client.put("services", service, "secrets", name, body={"value": value})
    session.done({"service": service, "secret": name}, f"the secret {name} of {service} is set")


@app.command("list")
def list_secrets(service: ServiceArgument, json: JsonOption = False, data: DataOption = None) -> None:
    """List the names of a service's secrets."""
    session = begin(json, data)
    found = session.client.get("services", service, "secrets")
    session.output.document(found)
    session.output.table(("secret",), ([name] for name in found))


def _read_value(name: str) -> str:
    """Without the line end that an editor or `echo` leaves at its end."""
    if sys.stdin.isatty():
        return str(typer.prompt(f"Value of {name}", hide_input=True, default="", show_default=False, err=True))
    try:
        text = sys.stdin.read()
    except UnicodeDecodeError:
        raise CommandFailed(
            ExitCode.USAGE, "the value is not text (UTF-8)", "encode it, for example as base64"
        ) from None
    return text.removesuffix("\n").removesuffix("\r")
