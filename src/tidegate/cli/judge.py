"""`tidegate judge`: recorded or invented figures, and what the judge says of them."""

from __future__ import annotations

import gc
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tidegate.cli.exit_code import CommandFailed, ExitCode
from tidegate.cli.options import JsonOption
from tidegate.cli.output import Output
from tidegate.model.verdict import Verdict

if TYPE_CHECKING:
    from tidegate.model.recording import RecordedAnswer

_STANDARD_INPUT = Path("-")


def judge(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A file of figures, or - for standard input.", show_default=False)
    ],
    json: JsonOption = False,
) -> None:
    """Judge recorded or invented figures of rollouts as the server judges them live. Asks no server.

    docs/verification.md describes the file, and `tidegate schema --judge` prints its JSON Schema.
    """
    from tidegate.config import judge_file
    from tidegate.judge.methods import judge_recordings

    output = Output(json)
    # millions of small objects and no cycles: looking for cycles would take most of the time, and the process ends soon
    gc.disable()
    try:
        read = judge_file.load(_read(file), "standard input" if file == _STANDARD_INPUT else str(file))
    except judge_file.JudgeFileError as error:
        raise CommandFailed(ExitCode.USAGE, str(error), "tidegate schema --judge") from None
    answers = judge_recordings(read.rollouts)
    if read.is_one:
        output.document(_as_json(answers[0]))
    elif json:
        output.document_line({"results": [_as_json(one) for one in answers]})
    if not json:
        for number, answer in enumerate(answers):
            _say(output, "" if read.is_one else f"{number}: ", answer)
    if read.is_one and answers[0].verdict is Verdict.FAIL:
        raise typer.Exit(ExitCode.FAILED)


def _read(path: Path) -> bytes:
    if path == _STANDARD_INPUT:
        return sys.stdin.buffer.read()
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise CommandFailed(ExitCode.USAGE, f"there is no file {path}", "tidegate judge --help") from None
    except OSError as error:
        raise CommandFailed(ExitCode.USAGE, f"{path} cannot be read: {error.strerror}") from None


def _as_json(answer: RecordedAnswer) -> dict[str, Any]:
    return {
        "verdict": answer.verdict.value,
        "failed_at": answer.failed_at,
        "passed_at": answer.passed_at,
        "blamed": answer.blamed,
        "metrics": [
            {
                "name": one.name,
                "evidence": one.evidence,
                "estimate": one.estimate,
                "interval": list(one.interval) if one.interval else None,
                **({"classification": one.classification.value} if one.classification else {}),
            }
            for one in answer.metrics
        ],
        "reason": answer.reason,
        **({"score": answer.score} if answer.score is not None else {}),
    }


def _say(output: Output, before: str, answer: RecordedAnswer) -> None:
    output.say(f"{before}{answer.verdict.value.replace('_', ' ')}: {answer.reason}")
