"""`tidegate rollback`: back to the last good deployment, at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from tidegate.cli.client import Document
from tidegate.cli.exit_code import CommandFailed, ExitCode
from tidegate.cli.floor import floor_of
from tidegate.cli.options import DataOption, JsonOption
from tidegate.cli.output import Output, printable
from tidegate.cli.placement_commands import EnvironmentOption, ServiceArgument
from tidegate.cli.run_view import words
from tidegate.cli.session import Session, begin

LOOK_EVERY_SECONDS = 0.1
ANSWERED_WITHIN_SECONDS = 5.0
"""Requests that take longer than that are not waited for: all new ones go elsewhere by then."""


def rollback(
    service: ServiceArgument,
    environment: EnvironmentOption,
    release: Annotated[
        str | None, typer.Option("--release", metavar="R", help="To this release, not to the last good one.")
    ] = None,
    stop: Annotated[bool, typer.Option("--stop", help="Return to nothing: stop the service there.")] = False,
    json: JsonOption = False,
    data: DataOption = None,
) -> None:
    """Return a service to its last good deployment; it needs no approval, and ends when all traffic is back.

    Prints the measured time from the decision to the moment when the router sends every new request back, and to the
    last response of what was rolled back, where that comes within five seconds.
    """
    if stop and release:
        raise CommandFailed(ExitCode.USAGE, "--stop and --release exclude each other", "leave one of them out")
    session = begin(json, data)
    asked = {"service": service, "environment": environment, "release": release, "stop": stop or None}
    body = {name: value for name, value in asked.items() if value is not None}
    begun: Document = session.client.post("rollbacks", body=body)
    try:
        routed = _wait_until_routed(session, str(begun["rollout"]["id"]), f"{service} in {environment}")
        if routed["held_at_floor"]:
            floor = floor_of(session, service, environment) or {}
            why = f"{service} in {environment} cannot go back, and its traffic stays where it is"
            raise CommandFailed(ExitCode.REFUSED, f"{why}: {floor.get('because', '')}", floor.get("remedy"))
    except KeyboardInterrupt:
        session.output.note(f"the rollback goes on; to see it: tidegate status {service}")
        raise typer.Exit(ExitCode.INTERRUPTED) from None
    seconds = float(routed["seconds"])
    if not json:
        came_to = f"is back at {begun['to']}" if begun["to"] else "is stopped"
        session.output.say(f"{service} in {environment} {came_to}, from {begun['from']}, after {seconds:.3f} s")
    answered = _last_response(session, routed)
    if not json:
        session.output.say(_answered_text(str(begun["from"]), answered))
    document = {"from": begun["from"], "to": begun["to"], "seconds": seconds, "last_response_seconds": answered}
    session.output.document(document)


def _last_response(session: Session, rollout: Document) -> float | None:
    """Seconds from the decision to the last response; None where it takes longer than is waited for."""
    give_up_at = time.monotonic() + ANSWERED_WITHIN_SECONDS
    try:
        while rollout["last_response_seconds"] is None and time.monotonic() < give_up_at:
            time.sleep(LOOK_EVERY_SECONDS)
            rollout = session.client.patiently("rollouts", str(rollout["id"]))
    except KeyboardInterrupt:
        return None
    found = rollout["last_response_seconds"]
    return None if found is None else float(found)


def _answered_text(label: str, seconds: float | None) -> str:
    if seconds is None:
        return f"requests to {label} are still in flight; tidegate events says when the last one was answered"
    return f"the last response of {label} was there after {seconds:.3f} s"


def _wait_until_routed(session: Session, rollout: str, what: str) -> Document:
    with _progress(session.output, what) as show:
        while True:
            current: Document = session.client.patiently("rollouts", rollout)
            if current["seconds"] is not None or (current["held_at_floor"] and current["state"] != "returning"):
                return current
            if current["state"] in ("succeeded", "rolled_back"):
                raise CommandFailed(
                    ExitCode.FAILED, f"{what} was not rolled back: the rollout {words(current['state'])}"
                )
            show(words(current["state"]))
            time.sleep(LOOK_EVERY_SECONDS)


@contextmanager
def _progress(output: Output, what: str) -> Iterator[Callable[[str], None]]:
    """Show how it stands: moving on a terminal, else one line whenever it changes."""
    if output.is_terminal:
        with output.console().status(f"{what}: …") as spinner:
            yield lambda state: spinner.update(f"{what}: {printable(state)}")
        return
    said: list[str] = []

    def say(state: str) -> None:
        if state not in said:
            said.append(state)
            output.say(f"{what}: {state}")

    yield say
