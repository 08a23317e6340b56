"""`tidegate user address …` and `tidegate user key …`: whose changes are whose."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tidegate.cli.exit_code import CommandFailed, ExitCode
from tidegate.cli.options import DataOption, JsonOption
from tidegate.cli.people_commands import NameArgument
from tidegate.cli.session import begin

RemoveOption = Annotated[bool, typer.Option("--remove", help="Vouch for it no more.")]


def know_address(
    name: NameArgument,
    address: Annotated[str, typer.Argument(metavar="EMAIL", help="As commits have it.", show_default=False)],
    remove: RemoveOption = False,
    json: JsonOption = False,
    data: DataOption = None,
) -> None:
    """Vouch that an e-mail address in commits is this account's: gates with `not_author` go by it."""
    session = begin(json, data)
    if remove:
        answer = session.client.delete("accounts", name, "addresses", address)
        session.done(answer, f"{answer['address']} is nobody's any more")
        return
    answer = session.client.post("accounts", name, "addresses", body={"address": address})
    session.done(answer, f"{answer['address']} is {name}")


def know_key(
    name: NameArgument,
    key: Annotated[
        str,
        typer.Argument(
            metavar="FILE", help="An SSH public key (….pub); with --remove, its fingerprint.", show_default=False
        ),
    ],
    remove: RemoveOption = False,
    json: JsonOption = False,
    data: DataOption = None,
) -> None:
    """Vouch that commits signed with this SSH key are this account's."""
    session = begin(json, data)
    if remove:
        answer = session.client.delete("accounts", name, "keys", key)
        session.done(answer, f"the key {answer['fingerprint']} is nobody's any more")
        return
    answer = session.client.post("accounts", name, "keys", body={"public_key": _line_of(Path(key))})
    session.done(answer, f"the key {answer['fingerprint']} is {name}'s")


def _line_of(file: Path) -> str:
    text = file.read_bytes()[:20_000].decode(errors="replace").strip()
    if "PRIVATE KEY" in text:
        raise CommandFailed(ExitCode.USAGE, f"{file} is a private key, which is nobody else's business", f"{file}.pub")
    return text
