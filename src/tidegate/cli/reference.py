"""The reference of the commands as a page, made from the commands themselves.

`python -m tidegate.cli.reference > docs/reference/commands.md`
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import typer
from typer.core import TyperCommand, TyperGroup

from tidegate.cli.main import application
from tidegate.cli.reference_notes import ENDS_WITH, EXAMPLES, HEAD

_EVERYWHERE = ("--help", "--json", "--data")
"""Options that are explained once, at the top of the page."""


def page() -> str:
    """The whole page, as Markdown."""
    return HEAD + "".join(f"\n{part}" for part in _parts()) + "\n"


def command_names() -> frozenset[str]:
    """Every command as it is typed after `tidegate`: `watch`, `service`, `service add`."""
    return frozenset(" ".join(context.command_path.split()[1:]) for _, context in _walk())


def _parts() -> Iterator[str]:
    panel = ""
    for command, context in _walk():
        if command.rich_help_panel and command.rich_help_panel != panel:
            panel = command.rich_help_panel
            yield f"## {panel}\n"
        yield from _of_command(command, context)


def _walk() -> Iterator[tuple[TyperCommand | TyperGroup, typer.Context]]:
    root = typer.main.get_command(application())
    assert isinstance(root, TyperGroup)
    yield from _below(root, typer.Context(root, info_name="tidegate"))


def _below(group: TyperGroup, context: typer.Context) -> Iterator[tuple[TyperCommand | TyperGroup, typer.Context]]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert isinstance(command, TyperCommand | TyperGroup)
        inner = typer.Context(command, info_name=name, parent=context)
        yield command, inner
        if isinstance(command, TyperGroup):
            yield from _below(command, inner)


def _of_command(command: TyperCommand | TyperGroup, context: typer.Context) -> Iterator[str]:
    name = context.command_path.removeprefix("tidegate ")
    yield f"### tidegate {name}\n"
    yield _paragraphs(command.help or "")
    if isinstance(command, TyperGroup):
        return
    yield f"```sh\n{_usage(command, context)}\n```\n"
    rows = list(_rows(command, context))
    if rows:
        yield "| | |\n| --- | --- |\n" + "".join(f"| {left} | {right} |\n" for left, right in rows)
    if ended := ENDS_WITH.get(name):
        yield f"Ends with {ended}\n"
    for example in EXAMPLES.get(name, ()):
        yield f"`tidegate {example.arguments}` prints\n\n```json\n{example.prints.strip()}\n```\n"


def _usage(command: TyperCommand, context: typer.Context) -> str:
    pieces = [piece.replace("{", "").replace("}", "") for piece in command.collect_usage_pieces(context)]
    required = [f"{_longest(one.opts)} {one.metavar}" for one in command.params if _is_option(one) and one.required]
    return " ".join([context.command_path, *required, *pieces])


def _rows(command: TyperCommand, context: typer.Context) -> Iterator[tuple[str, str]]:
    for one in command.get_params(context):
        if _longest(one.opts) in _EVERYWHERE:
            continue
        record = one.get_help_record(context)
        if record is None:
            continue
        left, right = record
        for kind in (" <str>", " <int range>"):
            left = left.replace(kind, "" if kind == " <str>" else " N")
        yield f"`{left}`".replace("|", r"\|"), " ".join(right.replace("|", r"\|").split())


def _is_option(parameter: object) -> bool:
    return getattr(parameter, "param_type_name", "") == "option"


def _longest(names: list[str]) -> str:
    return max(names, key=len)


def _paragraphs(text: str) -> str:
    return "\n\n".join(" ".join(part.split()) for part in text.split("\n\n")) + "\n"


if __name__ == "__main__":
    # what typer prints as a default or a range must not depend on who runs this
    os.environ.pop("TIDEGATE_DATA", None)
    sys.stdout.write(page())
