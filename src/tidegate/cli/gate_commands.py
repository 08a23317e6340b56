"""Commands about gates that are no everyday answers: breaking the glass, its review, and standing in for somebody."""

from __future__ import annotations

from typing import Annotated

import typer

from tidegate.cli import run_view
from tidegate.cli.options import DataOption, JsonOption, ReasonOption, RunArgument
from tidegate.cli.run_commands import CommentOption, StageOption
from tidegate.cli.run_reference import find_run
from tidegate.cli.session import Session, begin

LIST = "tidegate delegate --list"


def withdraw(
    run: RunArgument,
    stage: StageOption = None,
    comment: CommentOption = "",
    json: JsonOption = False,
    data: DataOption = None,
) -> None:
    """Take back your own yes, as long as nothing has begun that it let in."""
    session = begin(json, data)
    found = find_run(session.client, run)
    body = {name: value for name, value in (("stage", stage), ("comment", comment)) if value}
    answer = session.client.post("runs", str(found["id"]), "withdraw", body=body)
    said = f"your yes to {found['service']} {run_view.label(found)} for {answer['stage']} is taken back"
    session.done(answer, said, [f"tidegate watch {found['id']}"])


def break_glass(
    run: RunArgument,
    reason: ReasonOption = "",
    stage: StageOption = None,
    json: JsonOption = False,
    data: DataOption = None,
) -> None:
    """Open a gate of a run at once, whatever it says. It is recorded loudly, and a review by somebody else is owed."""
    session = begin(json, data)
    found = find_run(session.client, run)
    body = {name: value for name, value in (("stage", stage), ("reason", reason)) if value or name == "reason"}
    answer = session.client.post("runs", str(found["id"]), "break-glass", body=body)
    said = f"the gate to {answer['stage']} is open for {found['service']} {run_view.label(found)}: {answer['reason']}"
    session.done(answer, said, [f"tidegate watch {found['id']}", f"tidegate review {answer['id']} --comment TEXT"])


def review(
    glass: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="Which; without it, all that are owed.", show_default=False)
    ] = None,
    comment: CommentOption = "",
    json: JsonOption = False,
    data: DataOption = None,
) -> None:
    """List the openings by break-glass whose review is owed, or record what you found in looking at one."""
    session = begin(json, data)
    if glass is None:
        _list_owed(session)
        return
    answer = session.client.post("break-glass", glass, "review", body={"comment": comment})
    session.done(answer, f"the break-glass by {answer['actor']['name']} is reviewed: {answer['review']}")


def delegate(
    taker: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="Who answers in your place.", show_default=False)
    ] = None,
    days: Annotated[int, typer.Option("--days", min=1, max=90, help="For how many days.")] = 7,
    giver: Annotated[
        str | None, typer.Option("--from", metavar="NAME", help="In whose place, where not yours.", show_default=False)
    ] = None,
    service: Annotated[str | None, typer.Option("--service", metavar="SERVICE", help="For this service only.")] = None,
    end: Annotated[str | None, typer.Option("--end", metavar="ID", help="End this delegation.")] = None,
    show: Annotated[bool, typer.Option("--list", help="Who answers in whose place now.")] = False,
    json: JsonOption = False,
    data: DataOption = None,
) -> None:
    """Let somebody else answer gates in your place for a while."""
    session = begin(json, data)
    if end is not None:
        answer = session.client.delete("delegations", end)
        session.done(answer, f"{answer['taker']} answers no more in the place of {answer['giver']}")
    elif show or taker is None:
        _list_delegations(session)
    else:
        named = (("giver", giver), ("service", service))
        body = {"taker": taker, "days": days, **{name: value for name, value in named if value}}
        answer = session.client.post("delegations", body=body)
        said = f"{answer['taker']} may answer in the place of {answer['giver']}"
        session.done(answer, f"{said} until {run_view.local_time(answer['until'])}", [LIST])


def _list_owed(session: Session) -> None:
    found = session.client.get("break-glass")
    session.output.document(found)
    session.output.table(
        ("id", "run", "stage", "by", "at", "reason"),
        (
            (one["id"], one["run"], one["stage"], one["actor"]["name"], run_view.local_time(one["at"]), one["reason"])
            for one in found
        ),
    )
    if not found:
        session.output.note("no review is owed")


def _list_delegations(session: Session) -> None:
    found = session.client.get("delegations")
    session.output.document(found)
    session.output.table(
        ("id", "who answers", "in the place of", "service", "until"),
        (
            (one["id"], one["taker"], one["giver"], one["service"] or "every", run_view.local_time(one["until"]))
            for one in found
        ),
    )
    if not found:
        session.output.note("nobody answers in another's place; begin with: tidegate delegate NAME --days 7")
