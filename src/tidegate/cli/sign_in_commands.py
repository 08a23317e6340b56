"""`tidegate user password|link|sessions` and `tidegate admin-link`: how people sign in."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from tidegate.cli import run_view
from tidegate.cli.exit_code import CommandFailed, ExitCode
from tidegate.cli.options import DataOption, JsonOption
from tidegate.cli.people_commands import NameArgument, users
from tidegate.cli.session import Session, begin


@users.command("password")
def set_password(
    name: NameArgument,
    from_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read it from standard input; one's own old one is its first line.")
    ] = False,
    json: JsonOption = False,
    data: DataOption = None,
) -> None:
    """Set the password of an account: one's own, or as an administrator another's. Its browsers are signed out.

    It is asked for, or read from standard input; it is never an argument.
    """
    session = begin(json, data)
    own = session.client.get("me")["account"] == name
    old, new = _from_stdin(own) if from_stdin else _asked_for(name, own)
    body = {"password": new} | ({"old": old} if own else {})
    answer = session.client.put("accounts", name, "password", body=body)
    session.done(answer, f"the password of {name} is set")


@users.command("link")
def make_link(name: NameArgument, json: JsonOption = False, data: DataOption = None) -> None:
    """Make a one-time link with which an account's owner chooses a password; good once, for a day.

    Standard output holds the link alone.
    """
    session = begin(json, data)
    _show_link(session, session.client.post("accounts", name, "password-link"), f"{name} chooses a password with it")


def admin_link(json: JsonOption = False, data: DataOption = None) -> None:
    """Make a one-time link with which somebody makes the first administrator's account; good once, for a day.

    Standard output holds the link alone. Where there is an administrator already, none is made.
    """
    session = begin(json, data)
    _show_link(session, session.client.post("first-admin-link"), "it makes the first administrator's account")


@users.command("bind")
def bind(
    name: NameArgument,
    subject: Annotated[
        str, typer.Argument(metavar="SUBJECT", help="The person's id at the provider.", show_default=False)
    ],
    json: JsonOption = False,
    data: DataOption = None,
) -> None:
    """Let an account be that of a person at the sign-in provider: nobody else from there signs in to it."""
    session = begin(json, data)
    answer = session.client.put("accounts", name, "provider", body={"subject": subject})
    session.done(answer, f"{name} is {answer['subject']} at {answer['issuer']}", [f"tidegate user unbind {name}"])


@users.command("unbind")
def unbind(name: NameArgument, json: JsonOption = False, data: DataOption = None) -> None:
    """Let nobody at the sign-in provider sign in to the account any more."""
    session = begin(json, data)
    session.client.delete("accounts", name, "provider")
    session.done({"account": name}, f"nobody signs in to {name} with the provider")


@users.command("sessions")
def list_sessions(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="The account; one's own without it.", show_default=False)
    ] = None,
    end: Annotated[bool, typer.Option("--end", help="Sign all of them out.")] = False,
    json: JsonOption = False,
    data: DataOption = None,
) -> None:
    """List the browsers that are signed in to an account, or sign them out."""
    session = begin(json, data)
    names = ("accounts", name, "sessions") if name else ("me", "sessions")
    if end:
        answer = session.client.delete(*names)
        session.done(answer, f"signed out: {answer['ended']}")
        return
    found = session.client.get(*names)
    session.output.document(found)
    session.output.table(
        ("signed in", "with a", "from", "last seen", "ends"),
        (
            (
                run_view.local_time(one["made_at"]),
                one["way"],
                one["address"],
                run_view.local_time(one["seen_at"]),
                run_view.local_time(one["expires_at"]),
            )
            for one in found
        ),
    )


def _show_link(session: Session, answer: dict[str, object], what: str) -> None:
    session.output.document(answer)
    if not session.output.json:
        session.output.say(str(answer["address"]))
        session.output.note(f"{what}; it is good once, until {run_view.local_time(str(answer['expires_at']))}")


def _asked_for(name: str, own: bool) -> tuple[str, str]:
    if not sys.stdin.isatty():
        raise CommandFailed(
            ExitCode.USAGE, "there is no terminal to ask at", f"tidegate user password {name} --password-stdin < FILE"
        )
    old = str(typer.prompt(f"Old password of {name}", hide_input=True, err=True)) if own else ""
    asked = typer.prompt(f"New password of {name}", hide_input=True, confirmation_prompt="The same again", err=True)
    return old, str(asked)


def _from_stdin(own: bool) -> tuple[str, str]:
    """The old password where one's own is changed, and the new one, each on a line."""
    try:
        lines = sys.stdin.read().splitlines()
    except UnicodeDecodeError:
        raise CommandFailed(ExitCode.USAGE, "the password is not text (UTF-8)", None) from None
    wanted = 2 if own else 1
    if len(lines) != wanted:
        said = "the old password, and the new one on the next line" if own else "the password alone, on one line"
        raise CommandFailed(ExitCode.USAGE, f"standard input holds {len(lines)} lines; nothing was changed", said)
    return (lines[0] if own else ""), lines[-1]
