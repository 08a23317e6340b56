"""`tidegate user …` and `tidegate team …`: who there is, and which roles they hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from tidegate.cli import run_view
from tidegate.cli.client import Document
from tidegate.cli.options import DataOption, JsonOption, ReasonOption
from tidegate.cli.session import Session, begin
from tidegate.model.people import Role

users = typer.Typer(no_args_is_help=True, help="Accounts of people and of services, and their roles.")
teams = typer.Typer(no_args_is_help=True, help="Teams, and their roles.")

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The account's name.", show_default=False)]
TeamArgument = Annotated[str, typer.Argument(metavar="TEAM", help="The team's name.", show_default=False)]
RoleArgument = Annotated[Role, typer.Argument(metavar="ROLE", help=f"One of {', '.join(Role)}.", show_default=False)]
ServiceOption = Annotated[str | None, typer.Option("--service", metavar="SERVICE", help="For this service only.")]
EnvironmentOption = Annotated[str | None, typer.Option("--env", metavar="ENV", help="In this environment only.")]


@users.command("add")
def add_user(
    name: NameArgument,
    full_name: Annotated[str, typer.Option("--full-name", metavar="TEXT", help="As people call them.")] = "",
    service_account: Annotated[
        bool, typer.Option("--service-account", help="No person stands behind it, but a program.")
    ] = False,
    json: JsonOption = False,
    data: DataOption = None,
) -> None:
    """Make an account. It may read everything but secrets, until it is given a role."""
    session = begin(json, data)
    kind = "service" if service_account else "person"
    answer = session.client.post("accounts", body={"name": name, "kind": kind, "full_name": full_name})
    enter = f"tidegate token create NAME --account {name}" if service_account else f"tidegate user link {name}"
    session.done(answer, f"{name} is added", [f"tidegate user grant {name} ROLE", enter])


@users.command("list")
def list_users(json: JsonOption = False, data: DataOption = None) -> None:
    """List the accounts and what each may do."""
    session = begin(json, data)
    found = session.client.get("accounts")
    session.output.document(found)
    session.output.table(
        ("account", "kind", "name", "teams", "roles", "state"),
        (
            (
                one["name"],
                one["kind"],
                one["full_name"],
                ", ".join(one["teams"]),
                _roles(one["held"]),
                f"disabled: {one['disabled_because']}" if one["disabled_because"] else "",
            )
            for one in found
        ),
    )


@users.command("show")
def show_user(name: NameArgument, json: JsonOption = False, data: DataOption = None) -> None:
    """Show an account, and which of its roles were given to it and which come from a team."""
    session = begin(json, data)
    found = session.client.get("accounts", name)
    session.output.document(found)
    if json:
        return
    session.output.say(f"{found['name']}: {_roles(found['held'])}")
    if found["teams"]:
        session.output.say(f"in {', '.join(found['teams'])}")
    _say_grants(session, found["grants"])


@users.command("disable")
def disable_user(
    name: NameArgument, reason: ReasonOption = "", json: JsonOption = False, data: DataOption = None
) -> None:
    """Let an account do nothing any more, at once; its name is never given to another."""
    session = begin(json, data)
    answer = session.client.post("accounts", name, "disable", body={"reason": reason})
    session.done(answer, f"{name} is disabled", [f"tidegate user enable {name}"])


@users.command("enable")
def enable_user(name: NameArgument, json: JsonOption = False, data: DataOption = None) -> None:
    """Let a disabled account do again what its roles allow."""
    session = begin(json, data)
    session.done(session.client.post("accounts", name, "enable"), f"{name} is enabled again")


@users.command("grant")
def grant_to_user(
    name: NameArgument,
    role: RoleArgument,
    service: ServiceOption = None,
    env: EnvironmentOption = None,
    json: JsonOption = False,
    data: DataOption = None,
) -> None:
    """Give an account a role: everywhere, or for one service, or in one environment."""
    _grant("accounts", name, role, service, env, begin(json, data))


@users.command("revoke")
def revoke_grant(
    grant: Annotated[
        str, typer.Argument(metavar="GRANT", help="Its id, as `user show` and `team list` say.", show_default=False)
    ],
    json: JsonOption = False,
    data: DataOption = None,
) -> None:
    """Take a role away again, from an account or a team."""
    session = begin(json, data)
    answer = session.client.delete("grants", grant)
    session.done(answer, f"{answer['holder']} is no longer {_role(answer)}")


@teams.command("set")
def set_team(
    team: TeamArgument,
    members: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="All accounts of it.", show_default=False)
    ] = None,
    json: JsonOption = False,
    data: DataOption = None,
) -> None:
    """Let exactly these accounts be in a team, which is made where there is none of that name."""
    session = begin(json, data)
    answer = session.client.put("teams", team, body={"members": members or []})
    said = ", ".join(answer["members"]) or "nobody"
    session.done(answer, f"in {team}: {said}", [f"tidegate team grant {team} ROLE"])


@teams.command("list")
def list_teams(json: JsonOption = False, data: DataOption = None) -> None:
    """List the teams, who is in them, and which roles they were given."""
    session = begin(json, data)
    found = session.client.get("teams")
    session.output.document(found)
    if json:
        return
    session.output.table(
        ("team", "members", "roles"),
        ((one["name"], ", ".join(one["members"]), _roles(one["grants"])) for one in found),
    )
    _say_grants(session, [grant for one in found for grant in one["grants"]])


@teams.command("grant")
def grant_to_team(
    team: TeamArgument,
    role: RoleArgument,
    service: ServiceOption = None,
    env: EnvironmentOption = None,
    json: JsonOption = False,
    data: DataOption = None,
) -> None:
    """Give everybody in a team a role: everywhere, or for one service, or in one environment."""
    _grant("teams", team, role, service, env, begin(json, data))


@teams.command("remove")
def remove_team(team: TeamArgument, json: JsonOption = False, data: DataOption = None) -> None:
    """Forget a team and what it was given."""
    session = begin(json, data)
    session.client.delete("teams", team)
    session.done({"team": team}, f"the team {team} is forgotten")


def _grant(kind: str, name: str, role: Role, service: str | None, env: str | None, session: Session) -> None:
    body = {"role": role.value, "service": service, "environment": env}
    answer = session.client.post(kind, name, "grants", body=body)
    session.done(answer, f"{name} is {_role(answer)}", [f"tidegate user revoke {answer['id']}"])


def _say_grants(session: Session, grants: Sequence[Document]) -> None:
    if grants:
        session.output.say()
        session.output.table(
            ("grant", "to", "role", "by", "since"),
            (
                (one["id"], one["holder"], _role(one), one["given_by"], run_view.local_time(one["given_at"]))
                for one in grants
            ),
        )


def _roles(held: Sequence[Document]) -> str:
    return ", ".join(_role(one) for one in held)


def _role(held: Document) -> str:
    where = [f"of {held['service']}"] * bool(held["service"]) + [f"in {held['environment']}"] * bool(
        held["environment"]
    )
    return " ".join([str(held["role"]), *where])
