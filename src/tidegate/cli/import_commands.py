"""`tidegate import …`: files of other tools become the `verify:` part of a tidegate.yaml. Asks no server."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tidegate.cli.exit_code import CommandFailed, ExitCode
from tidegate.cli.options import JsonOption
from tidegate.cli.output import Output

if TYPE_CHECKING:
    from tidegate.config.imports.translation import Translation
    from tidegate.config.problem import Problem

app = typer.Typer(no_args_is_help=True, help="Translate what another tool verifies by.")

_STANDARD_INPUT = Path("-")

FileArgument = Annotated[
    Path, typer.Argument(metavar="FILE", help="The file, or - for standard input.", show_default=False)
]
OutputOption = Annotated[
    Path | None,
    typer.Option("--output", metavar="FILE", help="Write the YAML there, not to standard output.", show_default=False),
]
ArgumentOption = Annotated[
    list[str] | None,
    typer.Option("--arg", metavar="NAME=VALUE", help="The value of an argument in its queries.", show_default=False),
]


@app.command()
def kayenta(
    file: FileArgument, arg: ArgumentOption = None, output: OutputOption = None, json: JsonOption = False
) -> None:
    """Translate a canary configuration of Spinnaker's Kayenta (JSON) into the verify part of a stage.

    What cannot be translated is named with its line, in comments above the YAML and on standard error.
    """
    from tidegate.config.imports import kayenta as foreign

    _translate(foreign.translate, file, arg or [], output, json)


@app.command("analysis-template")
def analysis_template(
    file: FileArgument, arg: ArgumentOption = None, output: OutputOption = None, json: JsonOption = False
) -> None:
    """Translate AnalysisTemplates of Argo Rollouts (YAML) into the verify part of a stage.

    What cannot be translated is named with its line, in comments above the YAML and on standard error.
    """
    from tidegate.config.imports import analysis_template as foreign

    _translate(foreign.translate, file, arg or [], output, json)


def _translate(
    translate: Callable[[str, str, Mapping[str, str]], Translation],
    file: Path,
    arguments: list[str],
    written_to: Path | None,
    as_json: bool,
) -> None:
    from tidegate.config.document import decode
    from tidegate.config.problem import ConfigError

    output, name = Output(as_json), "standard input" if file == _STANDARD_INPUT else str(file)
    given = dict(_argument(one) for one in arguments)
    try:
        made = translate(decode(_read(file), name), name, given)
    except ConfigError as error:
        raise CommandFailed(ExitCode.USAGE, str(error)) from None
    output.document(_as_json(made))
    if written_to is not None:
        _write(written_to, made.yaml())
    elif not as_json:
        sys.stdout.write(made.yaml())
    _say(output, made)
    if not made.verify["metrics"]:
        raise typer.Exit(ExitCode.FAILED)


def _argument(word: str) -> tuple[str, str]:
    name, sign, value = word.partition("=")
    if not sign or not name:
        raise CommandFailed(ExitCode.USAGE, f"--arg {word} has no value", "write --arg NAME=VALUE")
    return name, value


def _say(output: Output, made: Translation) -> None:
    """What needs a look, beside the translation itself."""
    for problem in made.missing:
        output.note(f"not translated: {problem}")
    for problem in made.different:
        output.note(f"different now: {problem}")
    if not made.verify["metrics"]:
        output.note("no metric could be translated")
        return
    for words in made.refused():
        output.note(f"a stage does not take this as it is: {words}")


def _as_json(made: Translation) -> dict[str, Any]:
    return {
        "verify": dict(made.verify),
        "not_translated": [_problem(one) for one in made.missing],
        "different": [_problem(one) for one in made.different],
        "refused": list(made.refused()) if made.verify["metrics"] else [],
        "next": list(made.next_steps),
    }


def _problem(problem: Problem) -> dict[str, object]:
    return {
        "file": problem.file,
        "line": problem.line,
        "column": problem.column,
        "message": problem.message,
        "hint": problem.hint,
    }


def _read(path: Path) -> bytes:
    if path == _STANDARD_INPUT:
        return sys.stdin.buffer.read()
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise CommandFailed(ExitCode.USAGE, f"there is no file {path}", "tidegate import --help") from None
    except OSError as error:
        raise CommandFailed(ExitCode.USAGE, f"{path} cannot be read: {error.strerror}") from None


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CommandFailed(ExitCode.FAILED, f"{path} cannot be written: {error.strerror}") from None
