"""`tidegate gate …`: what a gate asks outside."""

from __future__ import annotations

import typer

from tidegate.cli.options import DataOption, JsonOption, RunArgument
from tidegate.cli.run_commands import StageOption
from tidegate.cli.run_reference import find_run
from tidegate.cli.run_view import local_time
from tidegate.cli.session import begin

app = typer.Typer(no_args_is_help=True, help="Gates: what they ask outside.")


@app.command()
def ask(run: RunArgument, stage: StageOption = None, json: JsonOption = False, data: DataOption = None) -> None:
    """Ask again what an address outside has not answered."""
    session = begin(json, data)
    found = find_run(session.client, run)
    body = {"stage": stage} if stage else {}
    answer = session.client.post("runs", str(found["id"]), "questions", body=body)
    said = ", ".join(f"{one['host']} is asked for {one['stage']}" for one in answer)
    session.done(answer, said, [f"tidegate watch {found['id']}"])


@app.command()
def questions(run: RunArgument, json: JsonOption = False, data: DataOption = None) -> None:
    """List what the gates of a run asked outside, and what was answered."""
    session = begin(json, data)
    found = session.client.items("runs", str(find_run(session.client, run)["id"]), "questions")
    session.output.document(found)
    session.output.table(
        ("question", "stage", "asked", "state", "until", "said"),
        (
            (
                one["id"],
                one["stage"],
                one["host"],
                one["state"],
                local_time(one["expires_at"]),
                one["reason"] or one["detail"],
            )
            for one in found
        ),
    )
