"""`tidegate tests …`: the tests that are flaky, and those whose failing counts for nothing for a while."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Annotated

import typer

from tidegate.cli import run_view
from tidegate.cli.client import Document
from tidegate.cli.exit_code import CommandFailed, ExitCode
from tidegate.cli.options import DataOption, JsonOption, ReasonOption
from tidegate.cli.service_commands import ServiceArgument
from tidegate.cli.session import begin
from tidegate.model.quantity import parse_duration

app = typer.Typer(no_args_is_help=True, help="Tests: which are flaky, and which are in quarantine.")

TestArgument = Annotated[
    str, typer.Argument(metavar="TEST", help="The test, as `tests flaky` and a run's page call it.", show_default=False)
]

_HEADINGS = ("service", "step", "test", "failed", "first", "last", "last run", "quarantine")


@app.command()
def flaky(
    service: Annotated[
        str | None, typer.Argument(metavar="[SERVICE]", help="Of this service only.", show_default=False)
    ] = None,
    json: JsonOption = False,
    data: DataOption = None,
) -> None:
    """List the flaky tests, which failed and passed on the same content, and the tests in quarantine.

    Counted are the attempts of the last 30 days in which a test ran, from the first in which it failed.
    """
    session = begin(json, data)
    found = session.client.items("tests", "flaky", **({"service": service} if service else {}))
    session.output.document(found)
    if json:
        return
    if not found:
        session.output.note("no test is known to be flaky, and none is in quarantine")
        return
    session.output.table(_HEADINGS, _rows(found))
    free = next((one for one in found if one["flaky"] and one["quarantine"] is None), None)
    if free:
        named = f"{free['service']} {shlex.quote(free['test'])}"
        session.output.next(f"tidegate tests quarantine {named} --owner NAME --until 14d")


@app.command()
def quarantine(
    service: ServiceArgument,
    test: TestArgument,
    owner: Annotated[str, typer.Option("--owner", metavar="NAME", help="Who repairs the test.", show_default=False)],
    until: Annotated[
        str,
        typer.Option(
            "--until",
            metavar="WHEN",
            help="A date, to its end (2026-12-24), or a duration from now (14d); at most 90 days ahead.",
            show_default=False,
        ),
    ],
    reason: ReasonOption = "",
    json: JsonOption = False,
    data: DataOption = None,
) -> None:
    """Let a test's failing fail no step until then: a step passes where all tests that failed are in quarantine.

    The test still runs. A quarantine that it has already is replaced.
    """
    end = moment_of(until, datetime.now(UTC))
    session = begin(json, data)
    body = {"service": service, "test": test, "owner": owner, "until": end.isoformat(), "reason": reason}
    answer = session.client.post("tests", "quarantine", body=body)
    said = (
        f"{test} of {service} is in quarantine until {run_view.local_time(answer['until'])} (owner {answer['owner']})"
    )
    session.done(answer, said, [f"tidegate tests release {service} {shlex.quote(test)}"])


@app.command()
def release(service: ServiceArgument, test: TestArgument, json: JsonOption = False, data: DataOption = None) -> None:
    """Take a test out of quarantine: its failing counts again."""
    session = begin(json, data)
    answer = session.client.post("tests", "release", body={"service": service, "test": test})
    session.done(answer, f"{test} of {service} counts again")


def moment_of(text: str, now: datetime) -> datetime:
    """The end of a day (`2026-12-24`, in the time zone of this machine), or the end of a duration that begins now.

    Raises CommandFailed.
    """
    try:
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
            day = datetime.strptime(text, "%Y-%m-%d").date()
            return datetime.combine(day + timedelta(days=1), time()).astimezone()
        return now + parse_duration(text)
    except (ValueError, OverflowError):
        raise CommandFailed(
            ExitCode.USAGE, f"--until: {text!r} is neither a date nor a duration", "say --until 14d, or 2026-12-24"
        ) from None


def _rows(found: Sequence[Document]) -> Iterator[tuple[str, ...]]:
    for one in found:
        yield (
            str(one["service"]),
            f"{one['scope']}: {one['step']}" if one["step"] else "",
            str(one["test"]),
            f"{one['failed']} of {one['total']}" + ("" if one["flaky"] else ", not flaky"),
            run_view.local_time(one["first_failed_at"]),
            run_view.local_time(one["last_failed_at"]),
            str(one["last_run"] or ""),
            _quarantine(one["quarantine"]),
        )


def _quarantine(one: Document | None) -> str:
    if one is None:
        return ""
    day = run_view.local_time(one["until"])
    return f"until {day}, {one['owner']}" if one["holds"] else f"expired {day}, {one['owner']}"
