"""Options that many commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

DEFAULT_PORT = 8470

JsonOption = Annotated[bool, typer.Option("--json", help="Print exactly one JSON document, for scripts.")]

DataOption = Annotated[
    Path | None,
    typer.Option(
        "--data",
        metavar="DIR",
        help="The data folder of the server on this machine (default: TIDEGATE_DATA, or the platform's).",
        show_default=False,
    ),
]

RunArgument = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        help="A run's id or its beginning (4 characters or more), its commit's beginning, or latest.",
        show_default=False,
    ),
]

ReasonOption = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; it is recorded.")]
