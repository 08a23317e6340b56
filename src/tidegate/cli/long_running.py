"""Commands that run until they are told to stop (`server`, `agent`), and the demo; what they need is loaded then."""

from __future__ import annotations

import importlib
import platform
import sys
from pathlib import Path
from typing import Annotated

import typer

from tidegate.cli.connection import checked_server_url
from tidegate.cli.exit_code import CommandFailed, ExitCode
from tidegate.cli.options import DEFAULT_PORT, DataOption, JsonOption


def server(
    data: DataOption = None,
    host: Annotated[str, typer.Option("--host", help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0 for a free one, which is printed.")] = (
        DEFAULT_PORT
    ),
    database_url: Annotated[
        str | None, typer.Option("--database-url", metavar="URL", help="Another database than the folder's SQLite.")
    ] = None,
    envoy: Annotated[
        Path | None, typer.Option("--envoy", metavar="PATH", help="An Envoy program, where none comes with Tidegate.")
    ] = None,
) -> None:
    """Run the server of a data folder. What it deploys goes on when it stops; `tidegate down` ends all of it."""
    from tidegate.cli.server import serve

    serve(data, host, port, database_url, envoy)


def agent(
    server: Annotated[str, typer.Option("--server", metavar="URL", help="The server to work for.", show_default=False)],
    token_file: Annotated[
        Path, typer.Option("--token-file", metavar="F", help="The file with the agents' token.", show_default=False)
    ],
    folder: Annotated[
        Path, typer.Option("--folder", metavar="DIR", help="The agent's own folder.", show_default=False)
    ],
    name: Annotated[str | None, typer.Option("--name", help="What the server calls it (default: the host).")] = None,
    slots: Annotated[int, typer.Option("--slots", min=1, max=1000, help="How many steps at a time.")] = 4,
    run_as: Annotated[
        int | None, typer.Option("--run-as", metavar="UID", min=1, help="The user of steps, where the agent is root.")
    ] = None,
) -> None:
    """Run an agent, which performs steps for a server. It only dials out."""
    import logging

    from tidegate.agent.agent import AgentAlreadyRuns, AgentSettings, run

    try:
        url = checked_server_url(server)
        with token_file.open("rb"):
            pass
    except ValueError as error:
        raise CommandFailed(ExitCode.USAGE, f"--server: {error}") from None
    except OSError as error:
        raise CommandFailed(
            ExitCode.USAGE, f"{token_file} cannot be read: {error.strerror}", "the server's is DIR/agent-token"
        ) from None
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s", stream=sys.stderr)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    settings = AgentSettings(
        server=url,
        token_file=token_file.resolve(),
        folder=folder.resolve(),
        name=name or platform.node() or "agent",
        slots=slots,
        run_as=run_as,
    )
    try:
        run(settings)
    except AgentAlreadyRuns as error:
        raise CommandFailed(ExitCode.FAILED, str(error)) from None


def demo(
    once: Annotated[
        bool, typer.Option("--once", help="Without a person: a demo user approves; all of it ends.")
    ] = False,
    service: Annotated[
        Path | None, typer.Option("--service", metavar="DIR", help="With the versions of a service in this folder.")
    ] = None,
    json: JsonOption = False,
    data: DataOption = None,
) -> None:
    """See it all in three minutes: a good release, and bad ones that are taken back."""
    # by its name, because the demo stands above the commands and they do not depend on it
    play = importlib.import_module("tidegate.demo.command").demo
    raise typer.Exit(play(once=once, json=json, data=data, service=service))
