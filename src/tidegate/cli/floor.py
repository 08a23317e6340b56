"""`tidegate floor`: below which no release can serve, and the end of that."""

from __future__ import annotations

from typing import Annotated

import typer

from tidegate.cli.client import Document
from tidegate.cli.exit_code import CommandFailed, ExitCode
from tidegate.cli.options import DataOption, JsonOption, ReasonOption
from tidegate.cli.placement_commands import EnvironmentOption, ServiceArgument
from tidegate.cli.run_view import local_time
from tidegate.cli.session import Session, begin


def floor(
    service: ServiceArgument,
    environment: EnvironmentOption,
    lift: Annotated[
        bool, typer.Option("--lift", help="Say that what the step did was undone by hand: older releases may serve.")
    ] = False,
    reason: ReasonOption = "",
    json: JsonOption = False,
    data: DataOption = None,
) -> None:
    """Show the oldest release that can still serve, where a step that cannot be undone has begun; or lift that."""
    if lift and not reason.strip():
        raise CommandFailed(ExitCode.USAGE, "a floor is lifted with a reason, which is recorded", "add --reason TEXT")
    if reason and not lift:
        raise CommandFailed(ExitCode.USAGE, "--reason belongs to --lift", "add --lift")
    session = begin(json, data)
    if lift:
        body = {"service": service, "environment": environment, "reason": reason}
        lifted = session.client.post("floors", "lift", body=body)
        session.done(lifted, f"{service} has no floor in {environment} any more: older releases may serve there")
        return
    found = floor_of(session, service, environment)
    session.output.document(found)
    if json:
        return
    if found is None:
        session.output.say(f"{service} has no floor in {environment}: it can go back to whatever was good there")
        return
    session.output.say(f"since {local_time(found['since'])}: {found['because']}")
    session.output.next(str(found["remedy"]))


def floor_of(session: Session, service: str, environment: str) -> Document | None:
    """The floor of a service's placement, None where it has none. Raises CommandFailed where nothing of it is there."""
    (status,) = session.client.items("status", service=service)
    placement: Document | None = status["environments"].get(environment)
    if placement is None:
        known = ", ".join(status["environments"]) or "nowhere"
        raise CommandFailed(ExitCode.USAGE, f"nothing of {service} is in {environment}; it is in {known}")
    floor: Document | None = placement["floor"]
    return floor
