"""One run or story again, told line by line."""

from __future__ import annotations

import typer

from tidegate.model.event import RecordedEvent
from tidegate.sim.broken import RuleBroken
from tidegate.sim.clock import BEGINNING
from tidegate.sim.every_story import EVERY_STORY as STORIES
from tidegate.sim.random_run import simulate
from tidegate.sim.telling import Story, ToldOtherwise, tell
from tidegate.sim.world import World, WorldStuck


def tell_seed(seed: int) -> bool:
    """Tell the history and the ending of a random run; whether all rules held."""
    outcome = simulate(seed, watch=_listen)
    typer.echo(f"seed {seed}: {outcome.runs} runs ({', '.join(outcome.statuses)}), {outcome.crashes} crashes")
    typer.echo(f"fingerprint {outcome.fingerprint}")
    typer.echo(outcome.failure or "all rules held")
    return outcome.failure is None


def tell_story(name: str, crash_at: int | None) -> bool:
    """Tell the history of a story, with a crash at a point where one is given; whether it ended as it should."""
    try:
        world = tell(_story(name), crash_at, watch=_listen)
    except (ToldOtherwise, RuleBroken, WorldStuck) as error:
        typer.echo(str(error))
        return False
    typer.echo(f"it ended as it should, after {world.seconds:.1f} s and {world.points.count} points")
    return True


def _story(name: str) -> Story:
    found = next((one for one in STORIES if one.name == name), None)
    if found is None:
        names = "\n".join(f"  {one.name}" for one in STORIES)
        raise typer.BadParameter(f"there is no story {name!r}; there are\n{names}")
    return found


def _listen(world: World) -> None:
    world.listeners.append(_tell)
    world.crash_listeners.append(lambda place: typer.echo(f"{_clock(world.seconds)} the server ends {place}"))


def _tell(recorded: RecordedEvent) -> None:
    event = recorded.event
    run = f" [{event.about['run']}]" if "run" in event.about else ""
    at = (recorded.at - BEGINNING).total_seconds()
    typer.echo(f"{_clock(at)} {recorded.id:4} {event.kind.value}{run} {event.text}")


def _clock(seconds: float) -> str:
    return f"{seconds:9.3f}"
