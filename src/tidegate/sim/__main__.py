"""`python -m tidegate.sim`: many random runs, one run told line by line, or every crash point of every story."""

from __future__ import annotations

import logging
from typing import Annotated

import typer

from tidegate.sim import campaign, replay

Seeds = Annotated[int, typer.Option(help="How many random runs.", min=1)]
First = Annotated[int, typer.Option(help="The seed of the first of them.", min=0)]
Jobs = Annotated[int, typer.Option(help="How many processes.", min=1)]
Seed = Annotated[int | None, typer.Option(help="Replay one seed, and tell its history line by line.", min=0)]
Stories = Annotated[bool, typer.Option("--stories", help="Tell every story with a crash at each point.")]
Story = Annotated[str | None, typer.Option(help="Replay one story, and tell its history line by line.")]
CrashAt = Annotated[int | None, typer.Option(help="The point at which the server ends in it.", min=1)]


def main(
    seeds: Seeds = 1000,
    first: First = 0,
    jobs: Jobs = 1,
    seed: Seed = None,
    stories: Stories = False,
    story: Story = None,
    crash_at: CrashAt = None,
) -> None:
    """Let the real engine live in a simulated world. Exits with 1 where a rule did not hold."""
    if seed is not None:
        held = replay.tell_seed(seed)
    elif story is not None:
        held = replay.tell_story(story, crash_at)
    elif stories:
        held = campaign.tell_all_stories(jobs)
    else:
        held = campaign.run_seeds(range(first, first + seeds), jobs)
    raise typer.Exit(0 if held else 1)


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)  # what the engine logs of crashes is not news here
    typer.run(main)
