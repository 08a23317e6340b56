"""`tidegate agent`: an agent's process, on the server's machine or on any other."""

from __future__ import annotations

import logging
import os
import platform
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from tidegate.cli.connection import checked_server_url
from tidegate.cli.dead_man import keep_watch
from tidegate.cli.exit_code import CommandFailed, ExitCode

if TYPE_CHECKING:
    from tidegate.agent.settings import AgentSettings

VARIABLE = "TIDEGATE_AGENT_TOKEN"
FROM_INPUT = "-"

_WAYS = f"give --token-file F, set {VARIABLE}, or pipe it in: --token - < F"
_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._ -]{0,99}")
_TOKEN = re.compile(r"[!-~]{16,500}")

log = logging.getLogger("tidegate.agent")


def agent(
    server: Annotated[str, typer.Option("--server", metavar="URL", help="The server to work for.", show_default=False)],
    token_file: Annotated[
        Path | None, typer.Option("--token-file", metavar="F", help="The file with the agent's token.")
    ] = None,
    token: Annotated[
        str | None,
        typer.Option("--token", metavar="-", help=f"Read the token from standard input (or set {VARIABLE})."),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option("--folder", metavar="DIR", help="The agent's own folder (default: the platform's)."),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option("--name", help="What the server calls it, and its token was made for (default: the host's)."),
    ] = None,
    slots: Annotated[int, typer.Option("--slots", min=1, max=1000, help="How many steps at a time.")] = 4,
    label: Annotated[
        list[str] | None,
        typer.Option("--label", metavar="L", help="What steps may ask for with `labels`; may be given several times."),
    ] = None,
    run_as: Annotated[
        int | None,
        typer.Option(
            "--run-as",
            metavar="UID",
            min=0,
            help="The user of steps, where the agent is root (default: one of their own; 0: root).",
        ),
    ] = None,
    dead_man: Annotated[
        Path | None,
        typer.Option("--dead-man", metavar="DIR", hidden=True, help="Obey the notes of this data folder's server."),
    ] = None,
) -> None:
    """Run an agent, which performs steps for a server. It only dials out.

    SIGTERM ends it and leaves its steps running, for its next life; SIGQUIT lets it perform what it has, and then end.
    """
    from tidegate.agent.agent import run
    from tidegate.agent.folder import AgentAlreadyRuns
    from tidegate.agent.settings import AgentSettings

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s", stream=sys.stderr)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    settings = AgentSettings(
        server=_server(server),
        token_file=token_file.resolve() if token_file else None,
        folder=(folder or default_folder()).expanduser().resolve(),
        name=_name(name),
        slots=slots,
        labels=tuple(_label(one) for one in label or ()),
        token="" if token_file else _token(token),
    )
    _check_readable(settings, token)
    if dead_man is not None:
        keep_watch(dead_man)
    try:
        run(replace(settings, run_as=_user(run_as, settings.folder)))
    except AgentAlreadyRuns as error:
        raise CommandFailed(ExitCode.FAILED, str(error)) from None


def default_folder() -> Path:
    """The folder of an agent for which none is named. The local agent's is in its server's data folder."""
    if os.geteuid() == 0:
        return Path("/var/lib/tidegate-agent")
    import platformdirs

    return platformdirs.user_data_path("tidegate-agent", appauthor=False)


def _server(text: str) -> str:
    try:
        url = checked_server_url(text)
    except ValueError as error:
        raise CommandFailed(ExitCode.USAGE, f"--server: {error}") from None
    parts = urlsplit(url)
    if parts.scheme == "http" and parts.hostname not in ("127.0.0.1", "localhost", "::1"):
        log.warning("%s is not https: whoever is between this machine and the server can read the token", url)
    return url


def _token(option: str | None) -> str:
    if option not in (None, FROM_INPUT):
        raise CommandFailed(
            ExitCode.USAGE,
            "a token on a command line is seen by everybody on the machine, and kept in shells' histories",
            f"make a new one (tidegate agents token NAME) and {_WAYS}",
        )
    # children and what they start have no use for it
    given = sys.stdin.readline() if option == FROM_INPUT else os.environ.pop(VARIABLE, "")
    if not given.strip():
        raise CommandFailed(ExitCode.USAGE, "the agent has no token", f"tidegate agents token NAME makes one; {_WAYS}")
    return given.strip()


def _check_readable(settings: AgentSettings, option: str | None) -> None:
    if settings.token_file and option is not None:
        raise CommandFailed(ExitCode.USAGE, "--token and --token-file exclude each other", _WAYS)
    try:
        token = settings.read_token()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text"
        raise CommandFailed(
            ExitCode.USAGE, f"{settings.token_file} cannot be read: {why}", "the local agent's is DIR/agent-token"
        ) from None
    if not _TOKEN.fullmatch(token):
        where = settings.token_file or "what was given"
        raise CommandFailed(ExitCode.USAGE, f"{where} is not a token", "tidegate agents token NAME")


def _name(option: str | None) -> str:
    name = option or re.sub(r"[^A-Za-z0-9._-]+", "-", platform.node()).strip("-._")[:100] or "agent"
    if not _NAME.fullmatch(name):
        raise CommandFailed(
            ExitCode.USAGE, f"{name!r} cannot name an agent", 'use letters, digits and "._ -", at most 100'
        )
    return name


def _label(text: str) -> str:
    if not _LABEL.fullmatch(text):
        raise CommandFailed(ExitCode.USAGE, f"{text!r} cannot be a label", 'use letters, digits and "._-", at most 63')
    return text


def _user(option: int | None, folder: Path) -> int | None:
    from tidegate.security.isolation import decide_isolation

    if option is not None:
        return option or None
    isolation = decide_isolation(folder)
    log.info("%s", isolation.reason)
    return isolation.run_as
