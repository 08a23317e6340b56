"""Commands about what runs where: `status` and `deploy`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import typer

from tidegate.cli.client import Document
from tidegate.cli.options import DataOption, JsonOption
from tidegate.cli.output import Output
from tidegate.cli.run_view import label, local_time, percent, words
from tidegate.cli.session import begin

ServiceArgument = Annotated[str, typer.Argument(metavar="SERVICE", help="The service's name.", show_default=False)]
EnvironmentOption = Annotated[
    str, typer.Option("--env", "--environment", metavar="E", help="The environment.", show_default=False)
]


def status(
    service: Annotated[str | None, typer.Argument(metavar="SERVICE", help="Of this service only.")] = None,
    json: JsonOption = False,
    data: DataOption = None,
) -> None:
    """Show what runs where, and how it does."""
    session = begin(json, data)
    found = session.client.items("status", service=service)
    session.output.document(found)
    session.output.table(
        ("service", "environment", "commit", "health", "shares", "moving", "address"),
        (row for one in found for row in _rows(one)),
    )
    if json:
        return
    for one in found:
        _say_troubles(session.output, one)
    if not found:
        session.output.note("there is no service yet; the first: tidegate service add REPOSITORY")


def deploy(
    service: ServiceArgument,
    release: Annotated[
        str, typer.Option("--release", metavar="R", help="Its id, or its commit's beginning.", show_default=False)
    ],
    environment: EnvironmentOption,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    json: JsonOption = False,
    data: DataOption = None,
) -> None:
    """Take one release to one environment; its gate is asked as always."""
    session = begin(json, data)
    body = {"service": service, "release": release, "environment": environment, "dry_run": dry_run}
    answer = session.client.post("deployments", body=body)
    if dry_run:
        session.output.document(answer)
        _say_plan(session.output, service, environment, answer["plan"])
        return
    said = f"{service} {label(answer)} goes to {environment}: run {answer['id']}"
    session.done(answer, said, [f"tidegate watch {answer['id']}"])


def _rows(status: Document) -> Iterator[tuple[object, ...]]:
    environments = status["environments"]
    for name, there in environments.items():
        split = ", ".join(f"{commit} {percent(share)}" for commit, share in there["shares"].items())
        commit = str(there["commit"] or "-")[:8]
        moving = words(there["rollout"]["state"]) if there["rollout"] else ""
        yield status["service"], name, commit, there["health"], split, moving, there["address"]
    if not environments:
        yield status["service"], "-", "-", "-", "", "", ""


def _say_troubles(output: Output, status: Document) -> None:
    name = status["service"]
    for key in ("trouble", "paused_because", "line_stopped_because"):
        if status[key]:
            output.say(f"{name}: {status[key]}")
    if status["paused_because"] or status["line_stopped_because"]:
        output.next(f"tidegate service resume {name}")
    for freeze in status.get("freezes", ()):
        since = "" if freeze["holds"] else f"from {local_time(freeze['begins'])} "
        until, why = local_time(freeze["ends"]), f"by {freeze['by']['name']}: {freeze['reason']}"
        output.say(f"{name} in {freeze['environment']} is frozen {since}until {until} {why}")
    for environment, there in status["environments"].items():
        rollout = there["rollout"] or {}
        if there["floor"]:
            output.say(f"{name} in {environment} has a floor: {there['floor']['because']}")
        if there["stuck_because"]:
            output.say(f"{name} in {environment} is stuck: {there['stuck_because']}")
        if rollout.get("holds_because"):
            output.say(f"{name} in {environment} holds: {rollout['holds_because']}")
            output.next(f"tidegate promote {rollout['run']} to go on, tidegate cancel {rollout['run']} to go back")
            output.next(f"tidegate watch {rollout['run']} --wait to wait: it goes on by itself once that is known")


def _say_plan(output: Output, service: str, environment: str, plan: Document) -> None:
    if output.json:
        return
    old, new = str(plan["serving"] or "nothing")[:8], str(plan["commit"])[:8]
    output.say(f"{service} in {environment} would go from {old} to {new} ({plan['strategy']})")
    for step in plan["steps"]:
        asked = f", after {step['approvals']} approvals" if step.get("approvals") else ""
        judged = ", judged" if step.get("judged") else ""
        output.say(
            f"  {percent(step['share'])} of the traffic: {step['new_instances']} new instances, "
            f"{step['old_instances']} old ones{judged}{asked}"
        )
    output.say("nothing was done")
