"""`tidegate rehearse` and `tidegate rehearsals`: the pipeline with faults put in."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Annotated

import typer

from tidegate.cli.client import Document
from tidegate.cli.options import DataOption, JsonOption
from tidegate.cli.placement_commands import ServiceArgument
from tidegate.cli.run_view import local_time
from tidegate.cli.session import begin
from tidegate.model.rehearsal import Fault

_FAULTS = ", ".join(Fault)


def rehearse(
    service: ServiceArgument,
    fault: Annotated[
        list[Fault] | None,
        typer.Option("--fault", metavar="NAME", help=f"Only this of {_FAULTS}; may be repeated.", show_default=False),
    ] = None,
    quick: Annotated[
        float,
        typer.Option(
            "--quick", metavar="N", min=1, max=100, help="Shorten the file's times, and raise rates, N times."
        ),
    ] = 1.0,
    traffic: Annotated[
        str | None,
        typer.Option("--traffic", metavar="RATE", help="What users send, as 20/m; by default last week's traffic."),
    ] = None,
    path: Annotated[
        list[str] | None,
        typer.Option("--path", metavar="PATH", help="What users ask for; may be repeated.", show_default=False),
    ] = None,
    secrets: Annotated[
        Path | None,
        typer.Option("--secrets", metavar="FILE", help="Lines NAME=VALUE: the secrets that its instances get."),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option(
            "--folder", metavar="DIR", help="Play in this folder, where no rehearsal is; by default in a temporary one."
        ),
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the rehearsal's folder for a look into it.")] = False,
    json: JsonOption = False,
    data: DataOption = None,
) -> None:
    """Send bad releases through a service's pipeline, on a server of its own, and see what finds them.

    What serves is not touched: the release that serves is built and deployed on this machine once more, and then one
    release a fault goes the same way.
    """
    session = begin(json, data)
    # by its name, because rehearsals stand above the commands and they do not depend on them
    module = importlib.import_module("tidegate.rehearsal.command")
    wish = module.Wish(
        service=service,
        faults=tuple(dict.fromkeys(fault or Fault)),
        quick=quick,
        traffic=traffic,
        paths=tuple(path or ()),
        secrets=secrets,
        folder=folder,
        keep=keep,
        data=data,
    )
    raise typer.Exit(module.rehearse(session, wish))


def rehearsals(
    service: Annotated[
        str | None, typer.Argument(metavar="SERVICE", help="Of this service only.", show_default=False)
    ] = None,
    json: JsonOption = False,
    data: DataOption = None,
) -> None:
    """List the rehearsals, the newest first, and when the next ones begin by themselves."""
    session = begin(json, data)
    found = session.client.items("rehearsals", service=service)
    scheduled = [] if json else session.client.items("rehearsals", "schedule", service=service)
    session.output.document(found)
    session.output.table(
        ("service", "commit", "environment", "played", "by", "found", "harmed at most", "went wrong"),
        (_row(one) for one in found),
    )
    for one in scheduled:
        session.output.note(one["in_words"])
    if not found:
        session.output.note("nothing was rehearsed yet: tidegate rehearse SERVICE")


def _row(one: Document) -> tuple[object, ...]:
    outcomes = one["outcomes"]
    wrong = [each["fault"] for each in outcomes if not each["went_well"]]
    found = f"{sum(each['found'] for each in outcomes)} of {len(outcomes)}"
    begun = (one["commit"][:8], one["environment"], local_time(one["began_at"]), one["by"]["name"])
    return (one["service"], *begun, found, max(each["harmed"] for each in outcomes), ", ".join(wrong))
