"""Commands about what runs where: `status` and `deploy`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import typer

from tidegate.cli.client import Document
from tidegate.cli.options import DataOption, JsonOption
from tidegate.cli.output import Output
from tidegate.cli.run_view import percent, words
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
        ("service", "environment", "commit", "health", "shares", "address"),
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
        _say_plan(session.output, service, environment, answer.get("plan") or answer)
        return
    run = answer.get("run") if isinstance(answer.get("run"), dict) else answer
    commit = str(run.get("commit") or release)[:8]
    session.done(answer, f"{service} {commit} goes to {environment}: run {run['id']}", [f"tidegate watch {run['id']}"])


def _rows(status: Document) -> Iterator[tuple[object, ...]]:
    environments = status.get("environments") or {}
    for name, there in environments.items():
        shares = there.get("shares") or {}
        split = ", ".join(f"{label} {percent(share)}" for label, share in shares.items())
        commit = str(there["commit"])[:8] if there.get("commit") else "-"
        yield status["service"], name, commit, there.get("health"), split, there.get("address")
    if not environments:
        yield status["service"], "-", "-", "-", "", ""


def _say_troubles(output: Output, status: Document) -> None:
    name = status["service"]
    for key in ("trouble", "paused_because", "line_stopped_because"):
        if status.get(key):
            output.say(f"{name}: {status[key]}")
    if status.get("paused_because") or status.get("line_stopped_because"):
        output.next(f"tidegate service resume {name}")
    for environment, there in (status.get("environments") or {}).items():
        for key in ("stuck_because", "holds_because"):
            if there.get(key):
                output.say(f"{name} in {environment} {key.partition('_')[0]}: {there[key]}")


def _say_plan(output: Output, service: str, environment: str, plan: Document) -> None:
    if output.json:
        return
    old, new = _label(plan.get("from") or plan.get("serving")), _label(plan.get("to") or plan.get("release"))
    output.say(f"{service} in {environment} would go from {old} to {new} ({plan.get('strategy', '')})")
    for step in plan.get("steps") or plan.get("plan") or ():
        asked = f", after {step['approvals']} approvals" if step.get("approvals") else ""
        judged = ", judged" if step.get("judged") else ""
        output.say(
            f"  {percent(step['share'])} of the traffic: {words(step.get('new_instances', '?'))} new instances, "
            f"{words(step.get('old_instances', '?'))} old ones{judged}{asked}"
        )
    output.say("nothing was done")


def _label(deployment: object) -> str:
    if isinstance(deployment, dict):
        return str(deployment.get("commit") or deployment.get("label") or deployment.get("id"))[:8]
    return str(deployment) if deployment else "nothing"
