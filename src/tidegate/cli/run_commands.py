"""Commands about runs: the list of them, and what people do to one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tidegate.cli import run_view
from tidegate.cli.client import Document
from tidegate.cli.options import DataOption, JsonOption, RunArgument
from tidegate.cli.run_reference import find_run, newest_runs
from tidegate.cli.session import begin

StageOption = Annotated[
    str | None, typer.Option("--stage", metavar="S", help="The stage, where not the one that asks.", show_default=False)
]
CommentOption = Annotated[str, typer.Option("--comment", metavar="TEXT", help="Why; it is recorded.")]


def runs(
    service: Annotated[str | None, typer.Option("--service", metavar="S", help="Of this service only.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="How many.")] = 20,
    json: JsonOption = False,
    data: DataOption = None,
) -> None:
    """List runs, the newest first."""
    session = begin(json, data)
    found = newest_runs(session.client, limit, service)
    session.output.document(found)
    session.output.table(
        ("run", "service", "commit", "status", "began", "took", "subject"),
        ([*_row(run), _subject(run)] for run in found),
    )
    if not found:
        session.output.note("there is no run yet; a service begins with: tidegate service add REPOSITORY")


def approve(
    run: RunArgument,
    stage: StageOption = None,
    comment: CommentOption = "",
    json: JsonOption = False,
    data: DataOption = None,
) -> None:
    """Say yes where a run asks."""
    _answer("approve", "approved", run, stage, comment, json, data)


def reject(
    run: RunArgument,
    stage: StageOption = None,
    comment: CommentOption = "",
    json: JsonOption = False,
    data: DataOption = None,
) -> None:
    """Say no where a run asks; the run ends, and what it is rolling out goes back."""
    _answer("reject", "rejected", run, stage, comment, json, data)


def cancel(run: RunArgument, json: JsonOption = False, data: DataOption = None) -> None:
    """Stop a run; what it is rolling out goes back."""
    _act("cancel", "is being cancelled", run, json, data, "tidegate watch {id}")


def retry(run: RunArgument, json: JsonOption = False, data: DataOption = None) -> None:
    """Try again what failed in a run that has ended."""
    _act("retry", "is tried again", run, json, data, "tidegate watch {id}")


def hold(run: RunArgument, json: JsonOption = False, data: DataOption = None) -> None:
    """Let a run go no further until it is resumed; what it deployed is still watched."""
    _act("hold", "is held", run, json, data, "tidegate resume {id}")


def resume(run: RunArgument, json: JsonOption = False, data: DataOption = None) -> None:
    """Let a held run go on."""
    _act("resume", "goes on", run, json, data, "tidegate watch {id}")


def promote(run: RunArgument, json: JsonOption = False, data: DataOption = None) -> None:
    """End the present share of a rollout now, whatever the evidence says so far."""
    _act("promote", "is promoted to its next share", run, json, data, "tidegate watch {id}")


def _subject(run: Document) -> str:
    before = "After the rollback of: " if run.get("trigger") == "after_rollback" else ""
    return before + str(run.get("subject", ""))


def _row(run: Document) -> tuple[str, ...]:
    took = run_view.span_of(run.get("created_at"), run.get("ended_at"))
    began = run_view.local_time(run.get("created_at"))
    return str(run["id"]), str(run["service"]), run_view.label(run), str(run["status"]), began, took


def _answer(
    act: str, past: str, reference: str, stage: str | None, comment: str, json: bool, data: Path | None
) -> None:
    session = begin(json, data)
    run = find_run(session.client, reference)
    body = {name: value for name, value in (("stage", stage), ("comment", comment)) if value}
    answer = session.client.post("runs", str(run["id"]), act, body=body)
    where = f" for {answer['stage']}" if isinstance(answer, dict) and answer.get("stage") else ""
    if isinstance(answer, dict) and answer.get("does_not_count"):
        where += f", which does not count: {answer['actor']['name']} {answer['does_not_count']}"
    session.done(answer, f"{past} {run['service']} {run_view.label(run)}{where}", [f"tidegate watch {run['id']}"])


def _act(act: str, said: str, reference: str, json: bool, data: Path | None, remedy: str) -> None:
    session = begin(json, data)
    run = find_run(session.client, reference)
    answer = session.client.post("runs", str(run["id"]), act)
    session.done(answer, f"{run['service']} {run_view.label(run)} {said}", [remedy.format(id=run["id"])])
