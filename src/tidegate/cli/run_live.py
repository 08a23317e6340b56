"""A run as it moves, drawn on a terminal."""

from __future__ import annotations

from datetime import datetime

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from tidegate.cli import run_view
from tidegate.cli.client import Document
from tidegate.cli.output import printable, style_of

_MARKS = {
    "succeeded": "✓",
    "passed": "✓",
    "failed": "✗",
    "rolled_back": "↩",
    "rejected": "✗",
    "timed_out": "✗",
    "lost": "✗",
    "cancelled": "-",
    "superseded": "-",
    "skipped": "-",
    "left_out": "-",
    "gate": "?",
}
_MOVING = ("running", "working")
_ENDED_ROLLOUTS = ("succeeded", "rolled_back")


def render(run: Document, now: datetime) -> RenderableType:
    """The run's steps and stages with their states, the share of what rolls out, and what ends the waiting."""
    parts: list[RenderableType] = [Text(printable(run_view.heading(run)), style="bold"), _table(run, now)]
    if run_view.waits_for_person(run):
        parts += [Text(f"next: {printable(act)}", style="bold yellow") for act in run_view.next_acts(run)]
    return Group(*parts)


def _table(run: Document, now: datetime) -> Table:
    table = Table.grid(padding=(0, 1))
    for step in _steps(run, "build"):
        _add_step(table, step)
    rollouts = {str(one["id"]): one for one in run.get("rollouts") or ()}
    for stage in run.get("stages") or ():
        state = str(stage["state"])
        took = run_view.span_of(stage.get("began_at"), stage.get("ended_at"), now)
        table.add_row(_mark(state), Text(printable(str(stage["name"]))), _state(state), Text(took, style="dim"))
        for step in _steps(run, str(stage["name"])):
            _add_step(table, step)
        rollout = rollouts.get(str(stage.get("rollout")))
        if rollout is not None and rollout["state"] not in _ENDED_ROLLOUTS:
            _add_rollout(table, rollout)
    return table


def _steps(run: Document, scope: str) -> list[Document]:
    return [step for step in run.get("steps") or () if step["scope"] == scope]


def _add_step(table: Table, step: Document) -> None:
    state = str(step["state"])
    name = f"{step['scope']}: {step['name']}"
    attempt = f" (attempt {step['attempt']})" if step.get("attempt", 1) > 1 else ""
    took = run_view.seconds_text(step.get("seconds"))
    table.add_row(_mark(state), Text(printable(name + attempt)), _state(state), Text(took, style="dim"))


def _add_rollout(table: Table, rollout: Document) -> None:
    share = float(rollout["share"] or 0)
    judgement = rollout.get("judgement") or {}
    why = rollout.get("holds_because") or judgement.get("reason") or ""
    bar = ProgressBar(total=1.0, completed=share, width=24)
    table.add_row("", bar, Text(f"{run_view.percent(share)} {run_view.words(rollout['state'])}"), Text(printable(why)))


def _mark(state: str) -> RenderableType:
    if state in _MOVING:
        return Spinner("dots", style="cyan")
    return Text(_MARKS.get(state, "·"), style=style_of(state))


def _state(state: str) -> Text:
    return Text(run_view.words(state), style=style_of(state))
