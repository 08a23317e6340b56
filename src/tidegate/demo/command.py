"""`tidegate demo`: the whole way of four versions of a service, played on this machine."""

from __future__ import annotations

import json as json_module
import os
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NoReturn

from rich.console import Console
from rich.table import Table

from tidegate.demo.report import Report, summarise
from tidegate.demo.server_process import DemoFailed, DemoServer, start_server
from tidegate.demo.story import Story
from tidegate.demo.versions import SHOP, NoVersions, ServiceRepository, Version, versions_in

QUIET = {
    "step.ready",
    "step.began",
    "stage.began",
    "run.created",
    "rollout.began",
    "rollout.ended",
    "verification.verdict",
    "deployment.removed",
}
STYLES = {"rollback.decided": "bold red", "rollout.passed": "bold green", "gate.decided": "cyan", "run.ended": "bold"}


class Stage:
    """Shows the story on a terminal, or says nothing."""

    def __init__(self, console: Console, address: str, data: Path, *, quiet: bool, person: bool) -> None:
        self._console = console
        self._address = address
        self._data = data
        self._quiet = quiet
        self._person = person

    def version_begins(self, version: Version, commit: str) -> None:
        """A version was committed."""
        if not self._quiet:
            self._console.print(f"\n[bold]{version.name}[/bold]  {commit[:8]}")

    def happened(self, event: dict[str, Any]) -> None:
        """An event of its run."""
        if not self._quiet and event["kind"] not in QUIET:
            style = STYLES.get(event["kind"], "")
            at = event["at"][11:19]
            self._console.print(f"  {at}  {event['text']}", style=style, markup=False, highlight=False, soft_wrap=True)

    def approval_is_asked(self, run: str) -> bool:
        """Ask the person at the terminal, where there is one."""
        if self._person:
            self._console.print(f"  [bold yellow]Your approval, please:[/] {self._address}/runs/{run}")
            command = f"{_program()} approve {run} --data {self._data}"
            self._console.print(f"  or in another terminal: {command}", highlight=False, soft_wrap=True)
        return self._person


def demo(*, once: bool = False, json: bool = False, data: Path | None = None, service: Path | None = None) -> int:
    """Play the story; the exit code: 0 when it ended as told, 1 when not, 2 for a folder without versions."""
    _end_on_signals()
    person = not once and sys.stdin.isatty() and sys.stdout.isatty()
    console = Console(stderr=json, highlight=False)
    try:
        versions = versions_in(service or SHOP)
    except (NoVersions, OSError) as error:
        console.print(f"tidegate demo: {error}", style="red", markup=False)
        return 2
    folder = data or Path(tempfile.mkdtemp(prefix="tidegate-demo-"))
    try:
        report = _play(console, folder, versions, person=person, once=once, json=json)
    except DemoFailed as error:
        console.print(f"tidegate demo: {error}; the data is kept in {folder}", style="red", markup=False)
        return 1
    if json:
        print(json_module.dumps(report.to_json()))
    if (once or not person) and data is None and report.as_told:
        shutil.rmtree(folder, ignore_errors=True)
    return 0 if report.as_told else 1


def _play(
    console: Console, folder: Path, versions: tuple[Version, ...], *, person: bool, once: bool, json: bool
) -> Report:
    began = time.monotonic()
    server = start_server(folder)
    keep = False
    try:
        if not json:
            console.print(f"Tidegate runs at {server.address}  (data in {folder})")
            if person:
                console.print(f"Sign in: {_sign_in_address(server)}")
        stage = Stage(console, server.address, folder, quiet=json, person=person)
        with server.client() as admin, server.demo_user() as demo_user:
            story = Story(admin, demo_user, ServiceRepository(_new_repository(folder)), stage)
            played = story.play(versions)
        report = summarise(played, story.answers(), time.monotonic() - began)
        if not json:
            _print_table(console, report)
        keep = person and not once
    finally:
        if not keep:
            server.stop_all()
    if keep:
        console.print(f"\nThe server goes on: {server.address}. To stop all of it: {_program()} down --data {folder}")
    return report


def _program() -> str:
    """What to type for this program, which may have been installed where no shell looks."""
    return "tidegate" if shutil.which("tidegate") else sys.argv[0]


def _new_repository(folder: Path) -> Path:
    number = 1
    while (folder / "repositories" / str(number)).exists():
        number += 1
    return folder / "repositories" / str(number) / "shop"


def _sign_in_address(server: DemoServer) -> str:
    with server.client() as admin:
        answer = admin.post("/api/v1/sign-in-codes")
        answer.raise_for_status()
        return f"{server.address}/sign-in?code={answer.json()['code']}"


def _print_table(console: Console, report: Report) -> None:
    table = Table(title="The story")
    for heading in ("version", "commit", "ended", "gates", "why"):
        table.add_column(heading, overflow="fold")
    for one in report.played:
        mark = "" if one.as_told else " (not as told!)"
        table.add_row(one.version.name, one.commit[:8], one.status + mark, "\n".join(one.gates), one.why)
    console.print(table)
    console.print(
        f"{report.requests} requests, {report.failed} failed, {report.failed_outside} of them outside of the canaries"
    )
    for seconds in report.rollback_seconds:
        console.print(f"from the decision to roll back to the last request sent to the bad deployment: {seconds:.3f} s")
    console.print(f"in {report.duration:.0f} s")


def _end_on_signals() -> None:
    """A terminated demo stops what it started, as Ctrl-C does."""

    def _end(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, _end)
    os.environ.pop("TIDEGATE_SERVER", None)
