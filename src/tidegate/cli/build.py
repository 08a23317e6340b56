"""`tidegate build`: the build part of a `tidegate.yaml` on the working tree, without a server."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tidegate.cli.options import JsonOption


def build(
    steps: Annotated[
        list[str] | None,
        typer.Argument(metavar="STEP", help="Only these and what they need; all without one.", show_default=False),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Take nothing from the cache.")] = False,
    keep_going: Annotated[bool, typer.Option("--keep-going", help="Go on beside a failed step.")] = False,
    jobs: Annotated[
        int | None,
        typer.Option(
            "--jobs", "-j", metavar="N", min=1, help="How many run at once (default: the cores).", show_default=False
        ),
    ] = None,
    explain: Annotated[
        str | None,
        typer.Option("--explain", metavar="STEP", help="Build nothing: say why it ran the last time, or did not."),
    ] = None,
    log: Annotated[
        str | None, typer.Option("--log", metavar="STEP", help="Build nothing: print what it wrote the last time.")
    ] = None,
    file: Annotated[
        Path,
        typer.Option(
            "--file", "-f", metavar="FILE", help="The tidegate.yaml, or a folder that holds one.", show_default=False
        ),
    ] = Path(),
    json: JsonOption = False,
) -> None:
    """Run the build part of tidegate.yaml on the working tree, with what is not committed yet, without a server.

    What is not changed comes from a cache in your own cache folder (TIDEGATE_CACHE, TIDEGATE_CACHE_SIZE). Ends with 1
    where a step failed.
    """
    from tidegate.cli.build_run import Wishes, run_build

    wishes = Wishes(tuple(steps or ()), force, keep_going, jobs, explain, log, file, json)
    raise typer.Exit(run_build(wishes))
