"""`tidegate agents …`: the machines that perform steps; and `tidegate queue`, what they do and what waits for them."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Annotated

import typer

from tidegate.cli import run_view
from tidegate.cli.client import Document
from tidegate.cli.options import DataOption, JsonOption
from tidegate.cli.session import Session, begin

app = typer.Typer(no_args_is_help=True, help="Agents: the machines that perform steps.")

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The agent's name.", show_default=False)]


@app.command("list")
def list_agents(json: JsonOption = False, data: DataOption = None) -> None:
    """List the agents, and how each stands."""
    session = begin(json, data)
    found = session.client.items("agents")
    session.output.document(found)
    session.output.table(("agent", "state", "steps", "labels", "version", "seen"), _agent_rows(found))


@app.command()
def token(name: NameArgument, json: JsonOption = False, data: DataOption = None) -> None:
    """Make a token for an agent on another machine, in place of one that it had. It is shown this once.

    Standard output holds the token alone: tidegate agents token NAME > FILE
    """
    session = begin(json, data)
    answer = session.client.post("agents", name, "token")
    session.output.document(answer)
    if json:
        return
    session.output.say(str(answer["token"]))
    command = f"tidegate agent --server {_address(session)} --token-file F --name {shlex.quote(name)}"
    session.output.note(f"it is not shown again. With it in a file F on the agent's machine: {command}")


@app.command()
def drain(name: NameArgument, json: JsonOption = False, data: DataOption = None) -> None:
    """Give an agent no more steps; what it performs goes on. `agents list` says when it is drained."""
    session = begin(json, data)
    answer = session.client.post("agents", name, "drain")
    left = len(answer["performs"])
    said = (
        f"{name} gets no more steps; it still performs {left}" if left else f"{name} gets no more steps, and has none"
    )
    session.done(answer, said, ["tidegate agents list", f"tidegate agents resume {shlex.quote(name)}"])


@app.command()
def resume(name: NameArgument, json: JsonOption = False, data: DataOption = None) -> None:
    """Give a drained agent steps again."""
    session = begin(json, data)
    session.done(session.client.post("agents", name, "resume"), f"{name} gets steps again")


@app.command()
def remove(
    name: NameArgument,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json: JsonOption = False,
    data: DataOption = None,
) -> None:
    """Forget an agent: its token opens nothing any more, and the steps that it performs are lost, at once.

    Lost steps are tried again where the pipeline says so (retry, causes: lost). The server's own agent comes back by
    itself as long as it runs.
    """
    session = begin(json, data)
    if not yes and not json and sys.stdin.isatty() and sys.stdout.isatty():
        typer.confirm(f"Forget {name}, and give up on what it performs?", abort=True)
    answer = session.client.delete("agents", name)
    lost = answer["lost"]
    session.done(answer, f"{name} is forgotten" + (f"; {lost} step{'s' * (lost > 1)} lost" if lost else ""))


def queue(json: JsonOption = False, data: DataOption = None) -> None:
    """Show what each agent performs, and what waits for which agent and why, in the order in which it will begin."""
    session = begin(json, data)
    found = session.client.get("queue")
    session.output.document(found)
    if json:
        return
    now = datetime.now(UTC)
    session.output.table(("agent", "state", "steps", "labels", "version", "seen"), _agent_rows(found["agents"]))
    performed = [(agent, step) for agent in found["agents"] for step in agent["performs"]]
    if performed:
        session.output.say()
        session.output.table(("running", "on", "since", "run"), (_running_row(*one, now) for one in performed))
    if found["waiting"]:
        session.output.say()
        session.output.table(("waiting", "for", "run", "because"), (_waiting_row(one, now) for one in found["waiting"]))
    left = found["total"] - len(found["waiting"])
    if left > 0:
        session.output.say(f"and {left} more")
    if not found["total"]:
        session.output.note("nothing waits")


def _agent_rows(agents: Sequence[Document]) -> Iterator[tuple[str, ...]]:
    for one in agents:
        yield (
            str(one["name"]),
            run_view.words(one["state"]),
            f"{len(one['performs'])} of {one['slots']}",
            ", ".join(one["labels"]),
            str(one["version"] or ""),
            run_view.local_time(one["seen_at"]),
        )


def _running_row(agent: Document, step: Document, now: datetime) -> tuple[str, ...]:
    return _step(step), str(agent["name"]), run_view.span_of(step["began_at"], None, now), str(step["run"])


def _waiting_row(step: Document, now: datetime) -> tuple[str, ...]:
    return _step(step), run_view.span_of(step["ready_at"], None, now), str(step["run"]), str(step["why"])


def _step(step: Document) -> str:
    return f"{step['service']} {run_view.label(step)} {step['scope']}: {step['name']}"


def _address(session: Session) -> str:
    """What the agent's machine calls the server: this one may know it by an address of its own only."""
    url = session.client.connection.url
    return "URL" if "127.0.0.1" in url or "localhost" in url else url
