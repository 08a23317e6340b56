"""Commands that go on for a while: the server, and the demo; what they need is loaded then."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Annotated

import typer

from tidegate.cli.loading import without_collecting
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
    with without_collecting():
        from tidegate.cli.server import serve
    serve(data, host, port, database_url, envoy)


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
