"""Commands that need no server: `validate`, `schema` and `init`."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tidegate.cli.exit_code import CommandFailed, ExitCode
from tidegate.cli.options import JsonOption
from tidegate.cli.outlook import outlook_notes
from tidegate.cli.output import Output
from tidegate.cli.working_tree import FILE, commit_command, quoted, working_tree

if TYPE_CHECKING:
    from tidegate.config.problem import Problem
    from tidegate.model.pipeline import Pipeline

_STANDARD_INPUT = Path("-")


def validate(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="The file, a folder that holds one, or - for standard input.")
    ] = Path(FILE),
    traffic: Annotated[
        str | None,
        typer.Option(
            "--traffic",
            metavar="RATE",
            help="Say what canaries show at this many requests, as 20/m (default: last week's, where a server knows).",
            show_default=False,
        ),
    ] = None,
    errors: Annotated[
        str, typer.Option("--errors", metavar="SHARE", help="The part of that traffic that fails anyway.")
    ] = "0.1%",
    json: JsonOption = False,
) -> None:
    """Check a tidegate.yaml, and say everything that is wrong with it and where. Ends with 1 where something is."""
    from tidegate.config import document
    from tidegate.config.problem import ConfigError
    from tidegate.config.tidegate_yaml import load

    output = Output(json)
    path = file / FILE if file.is_dir() else file
    raw = _read(path)
    pipeline: Pipeline | None = None
    problems: tuple[Problem, ...] = ()
    try:
        pipeline = load(document.decode(raw, str(path)), str(path))
    except ConfigError as error:
        problems = error.problems
    notes = (*_notes(pipeline), *outlook_notes(pipeline, traffic, errors)) if pipeline else ()
    found = {"file": str(path), "ok": not problems, "problems": [_as_json(one) for one in problems]}
    output.document({**found, "notes": list(notes)})
    if json:
        pass
    elif pipeline is not None:
        output.say(f"{path} is valid: {_summary(pipeline)}")
        for note in notes:
            output.say(f"note: {note}")
    else:
        for problem in problems:
            output.say(str(problem))
        count = len(problems)
        output.note(f"{count} problem{'s' if count > 1 else ''} in {path}")
    if problems:
        raise typer.Exit(ExitCode.FAILED)


def _notes(pipeline: Pipeline) -> tuple[str, ...]:
    """What is no mistake, but has another effect than the file wishes."""
    return (*_unknown_environments(pipeline), *_lacks(pipeline), *_load_checks(pipeline), *_rehearsals(pipeline))


def _rehearsals(pipeline: Pipeline) -> Iterator[str]:
    """Whether one that begins by itself may take so long that it hardly comes to its end."""
    from tidegate.model.quantity import format_duration
    from tidegate.model.rehearsal_time import LONG, in_all

    rule = pipeline.rehearsals
    takes = in_all(pipeline, rule) if rule else None
    if rule is None or takes is None:
        return
    if takes > (rule.when.every or LONG) or takes > LONG:
        yield (
            f"a rehearsal may take up to {format_duration(takes)} with {len(rule.faults)} faults, and a rollout in a "
            'protected environment ends it; raise "quick" of "rehearsals", or name fewer "faults"'
        )


def _unknown_environments(pipeline: Pipeline) -> Iterator[str]:
    from tidegate.config.problem import did_you_mean
    from tidegate.model.environment import DEFAULT_ENVIRONMENTS

    for name in dict.fromkeys(stage.environment for stage in pipeline.stages):
        if name not in DEFAULT_ENVIRONMENTS:
            near = did_you_mean(name, sorted(DEFAULT_ENVIRONMENTS))
            hint = f" ({near})" if near else ""
            yield f'the environment "{name}" is there where tidegate-server.yaml says so, and only there{hint}'


def _lacks(pipeline: Pipeline) -> tuple[str, ...]:
    from tidegate.model.environment import DEFAULT_ENVIRONMENTS
    from tidegate.model.foundation import pipeline_lacks
    from tidegate.model.pipeline import Mode

    if pipeline.mode is not Mode.DEPLOYMENT:
        return ()
    protected = frozenset(name for name, one in DEFAULT_ENVIRONMENTS.items() if one.protected)
    why = "mode: deployment has no effect where its foundation lacks something, and a person opens the gate"
    return tuple(f"{lack} – {why}" for lack in pipeline_lacks(pipeline, protected))


def _load_checks(pipeline: Pipeline) -> Iterator[str]:
    """What each load check will ask for, what it needs, and who would refuse it."""
    from tidegate.model.environment import DEFAULT_ENVIRONMENTS
    from tidegate.model.quantity import format_duration, format_rate

    for stage in pipeline.stages:
        rule = stage.verify.load.load if stage.verify and stage.verify.load else None
        if rule is None:
            continue
        asked = (
            f"{rule.multiple:g} times the busiest minute of the last week in {rule.of}, {format_rate(rule.at_least)}"
        )
        yield (
            f"{stage.name}: its load check asks for {asked} at least, within {format_duration(rule.ramp)}; "
            "it needs Locust where its agent runs (pip install locust)"
        )
        known = DEFAULT_ENVIRONMENTS.get(stage.environment)
        if known and known.protected and not rule.protected:
            yield (
                f"{stage.name}: a server where {stage.environment} is protected, as it is without a word, refuses the "
                "load check: give an earlier stage one, or say protected: true"
            )


def schema(
    server: Annotated[bool, typer.Option("--server", help="Of tidegate-server.yaml, the server's own file.")] = False,
    judge: Annotated[bool, typer.Option("--judge", help="Of the files that tidegate judge reads.")] = False,
    json: JsonOption = False,
) -> None:
    """Print the JSON Schema of tidegate.yaml, for editors."""
    from tidegate.config import judge_file, server_yaml, tidegate_yaml

    del json  # it is JSON either way
    if server and judge:
        raise CommandFailed(ExitCode.USAGE, "--server and --judge name two files", "tidegate schema --judge")
    made = judge_file.json_schema if judge else server_yaml.json_schema if server else tidegate_yaml.json_schema
    Output(json=True).document(made())


def init(
    service: Annotated[
        str | None, typer.Option("--service", metavar="NAME", help="The service's name (default: the folder's).")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file that is there.")] = False,
    json: JsonOption = False,
) -> None:
    """Write a first tidegate.yaml for the repository in this folder: it works at once, and says what to change."""
    from tidegate.config.starter import starter_yaml

    output = Output(json)
    folder = Path.cwd().resolve()
    tree = _working_tree(folder)
    file = folder / FILE
    if file.exists() and not force:
        raise CommandFailed(
            ExitCode.REFUSED, f"{file} is there already; nothing was changed", "tidegate init --force replaces it"
        )
    _write(file, starter_yaml(folder, service or folder.name))
    path = "." if folder == tree else str(folder.relative_to(tree))
    add = f"tidegate service add {quoted(tree) if path != '.' else '.'}" + (f" --path {path}" if path != "." else "")
    remedies = (commit_command(folder), "tidegate server", add)
    output.document({"file": str(file), "next": list(remedies)})
    if not json:
        output.say(f"wrote {file}; see what it says and change what does not fit, then:")
        for number, remedy in enumerate(remedies):
            output.say(f"  {remedy}" + ("      # in a terminal of its own" if number == 1 else ""))


def _working_tree(folder: Path) -> Path:
    try:
        tree = working_tree(folder)
    except CommandFailed as failed:
        if failed.remedy and failed.remedy.endswith(" init"):
            raise CommandFailed(failed.code, str(failed), "git init, then again: tidegate init") from None
        raise
    if tree is None:
        raise CommandFailed(
            ExitCode.USAGE, f"{folder} is a bare repository, without files", "run it in a clone of the repository"
        )
    return tree.top


def _read(path: Path) -> bytes:
    if path == _STANDARD_INPUT:
        return sys.stdin.buffer.read()
    try:
        return path.read_bytes()
    except FileNotFoundError:
        remedy = "tidegate init" if path == Path(FILE) else f"name the file: tidegate validate {FILE}"
        raise CommandFailed(ExitCode.USAGE, f"there is no file {path}", remedy) from None
    except OSError as error:
        raise CommandFailed(ExitCode.USAGE, f"{path} cannot be read: {error.strerror}") from None


def _write(file: Path, text: str) -> None:
    """Write the file whole or not at all."""
    new = file.with_name(f".{file.name}.{os.getpid()}.new")
    try:
        new.write_text(text, encoding="utf-8")
        new.replace(file)
    except OSError as error:
        with contextlib.suppress(OSError):
            new.unlink(missing_ok=True)
        raise CommandFailed(ExitCode.FAILED, f"{file} cannot be written: {error.strerror}") from None


def _summary(pipeline: Pipeline) -> str:
    steps = len(pipeline.build.steps)
    stages = " → ".join(stage.name for stage in pipeline.stages) or "no stages"
    return f"service {pipeline.service}, {steps} build step{'s' if steps != 1 else ''}, {stages}"


def _as_json(problem: Problem) -> dict[str, object]:
    return {
        "file": problem.file,
        "line": problem.line,
        "column": problem.column,
        "message": problem.message,
        "hint": problem.hint,
    }
