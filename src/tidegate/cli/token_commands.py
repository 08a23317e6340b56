"""`tidegate token …`: what programs, and people on other machines, prove who they are with."""

from __future__ import annotations

from typing import Annotated

import typer

from tidegate.cli import run_view
from tidegate.cli.options import DataOption, JsonOption
from tidegate.cli.session import begin
from tidegate.model.people import Role

app = typer.Typer(no_args_is_help=True, help="Tokens of accounts.")


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What it is for.", show_default=False)],
    account: Annotated[
        str | None, typer.Option("--account", metavar="ACCOUNT", help="Whose it is; one's own where none is named.")
    ] = None,
    days: Annotated[int, typer.Option("--days", min=1, max=366, help="For how long it is valid.")] = 90,
    role: Annotated[
        Role | None, typer.Option("--role", help="The most that it is good for, where the account may do more.")
    ] = None,
    json: JsonOption = False,
    data: DataOption = None,
) -> None:
    """Make a token. It is shown this once.

    Standard output holds the token alone: tidegate token create NAME > FILE. Used as TIDEGATE_TOKEN.
    """
    session = begin(json, data)
    body = {"name": name, "account": account, "valid_days": days, "role": role.value if role else None}
    answer = session.client.post("tokens", body=body)
    session.output.document(answer)
    if json:
        return
    session.output.say(str(answer["text"]))
    made = answer["token"]
    session.output.note(f"it is not shown again; it is {made['account']}'s, until {made['expires_at'][:10]}")


@app.command("list")
def list_tokens(json: JsonOption = False, data: DataOption = None) -> None:
    """List one's own tokens; an administrator sees those of all."""
    session = begin(json, data)
    found = session.client.get("tokens")
    session.output.document(found)
    session.output.table(
        ("token", "account", "name", "at most", "expires", "last used", "state"),
        (
            (
                one["id"],
                one["account"],
                one["name"],
                one["role"] or "",
                run_view.local_time(one["expires_at"]),
                run_view.local_time(one["used_at"]),
                "revoked" if one["revoked_at"] else "",
            )
            for one in found
        ),
    )


@app.command("revoke")
def revoke(
    token: Annotated[str, typer.Argument(metavar="TOKEN", help="Its id, as `token list` says.", show_default=False)],
    json: JsonOption = False,
    data: DataOption = None,
) -> None:
    """Let a token open nothing any more."""
    session = begin(json, data)
    answer = session.client.delete("tokens", token)
    session.done(answer, f"the token {answer['name']} of {answer['account']} opens nothing any more")
