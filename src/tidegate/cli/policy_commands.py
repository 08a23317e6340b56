"""`tidegate policy …`: try policies with made-up evidence, and show what a gate really looks at."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tidegate.cli.client import Document
from tidegate.cli.exit_code import CommandFailed, ExitCode
from tidegate.cli.options import DataOption, JsonOption, RunArgument
from tidegate.cli.output import Output
from tidegate.cli.run_reference import find_run
from tidegate.cli.session import begin

if TYPE_CHECKING:
    from tidegate.config.problem import Problem
    from tidegate.model.pipeline import Pipeline
    from tidegate.model.policy_case import CaseResult

app = typer.Typer(no_args_is_help=True, help="Policies: what a gate asks of the evidence.")


@app.command("test")
def try_cases(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file of cases.", show_default=False)],
    json: JsonOption = False,
) -> None:
    """Ask policies about made-up evidence, and compare what they say with what they should. Asks no server.

    Ends with 1 where a case says something else than it should, or where something is wrong with the file.
    """
    from tidegate.config import policy_cases
    from tidegate.config.document import decode
    from tidegate.config.problem import ConfigError
    from tidegate.model.policy_case import try_case

    output = Output(json)
    results: list[CaseResult] = []
    problems: tuple[Problem, ...] = ()
    try:
        text = decode(_read(file), str(file))
        cases = policy_cases.load(text, str(file), lambda name: _pipeline(file.parent / name))
        results = [try_case(one, str(file)) for one in cases]
    except ConfigError as error:
        problems = error.problems
    failed = [one for one in results if not one.passed]
    output.document(_document(file, results, problems))
    if not json:
        _say(output, file, results, problems)
    if problems or failed:
        raise typer.Exit(ExitCode.FAILED)


@app.command()
def show(
    run: RunArgument,
    stage: Annotated[
        str | None,
        typer.Option(
            "--stage", metavar="S", help="The stage, where not the one at whose gate it is.", show_default=False
        ),
    ] = None,
    json: JsonOption = False,
    data: DataOption = None,
) -> None:
    """Show the evidence as the gate of a stage sees it now, what is missing, and what its policies say of it."""
    session = begin(json, data)
    found = find_run(session.client, run)
    detail = session.client.get("runs", str(found["id"]))
    answer = session.client.get("runs", str(found["id"]), "stages", stage or _asking(detail), "evidence")
    session.output.document(answer)
    if json:
        return
    output = session.output
    output.say(f"{answer['service']} {answer['release']} at the gate of {answer['stage']}")
    for place, value in _places(answer["evidence"]):
        output.say(f"  {place}: {value}")
    for one in answer["missing"]:
        output.say(f"  {one['place']}: missing, {one['because']}")
    for line in answer["foretold"]:
        output.say(f"the rollout: {line}")
    for one in answer["policies"]:
        output.say(f"{one['source']}: {one['text']}")
    if answer["policy_alone"]:
        output.say(answer["policy_alone"])


def _asking(detail: Document) -> str:
    stages = detail["stages"]
    if not stages:
        raise CommandFailed(ExitCode.USAGE, f"run {detail['id']} has no stages", "tidegate runs")
    for state in ("gate", "working", "pending"):
        for stage in stages:
            if stage["state"] == state:
                return str(stage["name"])
    return str(stages[-1]["name"])


def _places(value: Any, place: str = "") -> list[tuple[str, str]]:
    """Single values with the places at which policies find them; of a list, each item."""
    if isinstance(value, dict) and value:
        return [
            one
            for name, inner in value.items()
            for one in _places(inner, f"{place}.{name}" if place and name.isidentifier() else _named(place, name))
        ]
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return [one for index, inner in enumerate(value) for one in _places(inner, f"{place}[{index}]")]
    if isinstance(value, list):
        return [(place, ", ".join(map(str, value)) or "none")]
    return [(place, str(value).lower() if isinstance(value, bool) else str(value))]


def _named(place: str, name: str) -> str:
    return f'{place}["{name}"]' if place else name


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except FileNotFoundError:
        remedy = "see docs/policy.md for how a file of cases looks"
        raise CommandFailed(ExitCode.USAGE, f"there is no file {file}", remedy) from None
    except OSError as error:
        raise CommandFailed(ExitCode.USAGE, f"{file} cannot be read: {error.strerror}") from None


def _pipeline(path: Path) -> Pipeline:
    from tidegate.config.document import decode
    from tidegate.config.tidegate_yaml import load

    try:
        raw = path.read_bytes()
    except OSError as error:
        remedy = 'say with "pipeline: FILE" where it is, seen from the file of cases'
        raise CommandFailed(ExitCode.USAGE, f"{path} cannot be read: {error.strerror}", remedy) from None
    return load(decode(raw, str(path)), str(path))


def _document(file: Path, results: list[CaseResult], problems: tuple[Problem, ...]) -> dict[str, object]:
    return {
        "file": str(file),
        "ok": not problems and all(one.passed for one in results),
        "cases": [
            {
                "name": one.case.name,
                "line": one.case.line,
                "ok": one.passed,
                "expected": str(one.case.expected),
                "said": str(one.said),
                "policies": [
                    {"name": said.name, "answer": said.answer.value, "text": said.text, "inputs": dict(said.inputs)}
                    for said in one.results
                ],
            }
            for one in results
        ],
        "problems": [
            {"file": one.file, "line": one.line, "column": one.column, "message": one.message, "hint": one.hint}
            for one in problems
        ],
    }


def _say(output: Output, file: Path, results: list[CaseResult], problems: tuple[Problem, ...]) -> None:
    for problem in problems:
        output.say(str(problem))
    for one in results:
        if one.passed:
            output.say(f"ok      {one.case.name}")
            continue
        output.say(f"failed  {one.case.name} ({file}:{one.case.line}): expected {one.case.expected}, said {one.said}")
        for said in one.results:
            output.say(f"        {said.text}")
    failed = sum(not one.passed for one in results)
    if results:
        output.note(f"{len(results) - failed} of {len(results)} cases are as expected")
