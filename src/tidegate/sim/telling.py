"""Telling a story: in a world of its own, without a crash or with one, and what there is at its end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy import Connection

from tidegate.model.event import EventKind
from tidegate.model.run import Run
from tidegate.sim.ending import check_ending
from tidegate.sim.rest import is_at_rest, why_restless
from tidegate.sim.shop import SimulatedService
from tidegate.sim.world import Chances, World, WorldStuck
from tidegate.store import incident_queries, queries

REST_AT_MOST = timedelta(minutes=30)
DOWN_AT_MOST_SECONDS = 5.0

DELAY_AT_MOST = timedelta(seconds=90)
"""How much later a story may end for a crash: the server was down for up to 5 s, its agent asks every 20 s, and what
is judged in batches of 10 s begins anew, share by share, and may need some batches more."""

BACK_WITHIN_SECONDS = 15.0
"""How long it may take until all traffic is back, with a crash in between and instances that have to be started."""

AS_TIME_GOES = (
    EventKind.FREEZE_BEGAN,
    EventKind.FREEZE_ENDED,
    EventKind.GATE_DECIDED,
    EventKind.ROLLOUT_HOLDS,
    EventKind.ROLLBACK_ANSWERED,
    EventKind.VERDICT,
    EventKind.PLACEMENT_HEALTH,
    EventKind.PLACEMENT_STUCK,
)
"""How often these are told depends on how long things took, and a crash is a delay."""


class ToldOtherwise(Exception):
    """A story did not end as it should."""


@dataclass(frozen=True, slots=True)
class Story:
    """What happens (`tell` drives the world, and says so where the end is another) after `before`, whose crashes do
    not matter here."""

    name: str
    tell: Callable[[SimulatedService], None]
    before: Callable[[SimulatedService], None]


@dataclass(frozen=True, slots=True)
class End:
    """What there is when a story is over: equal ones are the same to everybody but the clock.

    `runs` says how each run and its stages ended, `serves` who serves where, `quarantined` who may not come back by
    itself, `incidents` who did harm where and how that was found, and `events` how often each kind of thing was told.
    """

    runs: tuple[str, ...]
    serves: dict[str, str | None]
    quarantined: tuple[str, ...]
    incidents: tuple[str, ...]
    events: Counter[EventKind] = field(default_factory=Counter)


def tell(story: Story, crash_at: int | None = None, watch: Callable[[World], None] | None = None) -> World:
    """Tell a story in a world of its own, with a crash at a point or without one; the world at its end.

    `watch` is given the world before anything happens in it. Raises ToldOtherwise, WorldStuck and RuleBroken.
    """
    world = World(1, Chances(crash_at=crash_at, down_at_most_seconds=DOWN_AT_MOST_SECONDS))
    if watch:
        watch(world)
    shop = SimulatedService(world)
    story.before(shop)
    world.points.arm()
    story.tell(shop)
    world.points.arm(on=False)
    try:
        world.advance(until=lambda: is_at_rest(world), at_most=REST_AT_MOST)
    except WorldStuck as error:
        raise WorldStuck(f"{why_restless(world)}\n{error}") from None
    check_ending(world)
    _check_ways_back(world)
    return world


@dataclass(frozen=True, slots=True)
class Telling:
    """A story as it was told without a crash: at how many points a crash leaves something different behind, and what
    the end is that every other telling must have."""

    story: Story
    points: int
    end: End
    seconds: float

    @classmethod
    def of(cls, story: Story) -> Telling:
        """Tell it without a crash. Raises ToldOtherwise, WorldStuck and RuleBroken."""
        world = tell(story)
        return cls(story, world.points.count, end_of(world), world.seconds)

    def tell_again(self, crash_at: int) -> World:
        """Tell it with a crash. Raises ToldOtherwise where that was more than a delay, WorldStuck and RuleBroken."""
        world = tell(self.story, crash_at)
        if len(world.points.crashed_at) != 1:
            raise ToldOtherwise(f"the server ended {len(world.points.crashed_at)} times, not once")
        end = end_of(world)
        if end != self.end:
            raise ToldOtherwise(f"the end is another: {_differences(self.end, end)}")
        if world.seconds > self.seconds + DELAY_AT_MOST.total_seconds():
            raise ToldOtherwise(f"it ended after {world.seconds:.0f} s, and after {self.seconds:.0f} s without a crash")
        return world


def end_of(world: World) -> End:
    """What there is now."""
    with world.database.reading() as connection:
        runs = reversed(queries.newest_runs(connection, limit=1000))
        placements = queries.placements(connection)
        here = [one for place in placements for one in queries.deployments_of_placement(connection, place.id)]
        names = {one.id: world.version_of_commit(one.commit).name for one in here}
        return End(
            runs=tuple(_how_it_ended(connection, world, run) for run in runs),
            serves={one.id: names[one.serving] if one.serving else None for one in placements},
            quarantined=tuple(sorted(f"{names[one.id]} in {one.placement}" for one in here if one.is_quarantined)),
            incidents=tuple(
                f"{names[one.deployment] if one.deployment else None} in {one.placement}: {one.source.words}"
                for one in incident_queries.incidents(connection)
            ),
            events=Counter(one.event.kind for one in world.rules.seen if one.event.kind not in AS_TIME_GOES),
        )


def _check_ways_back(world: World) -> None:
    for recorded in world.rules.seen:
        seconds = recorded.event.data.get("seconds")
        if recorded.event.kind is EventKind.ROLLBACK_ROUTED and not float(str(seconds)) <= BACK_WITHIN_SECONDS:
            raise ToldOtherwise(f"traffic came back late: {recorded.event.text}")


def _how_it_ended(connection: Connection, world: World, run: Run) -> str:
    stages = ", ".join(f"{one.name} {one.state.value}" for one in queries.stages(connection, run.id))
    return f"{world.version_of_commit(run.change.commit).name} {run.status.value} ({stages})"


def _differences(one: End, other: End) -> str:
    told = {kind.value: other.events[kind] - one.events[kind] for kind in one.events | other.events}
    changed = {kind: count for kind, count in told.items() if count}
    return (
        f"{other.runs}, {other.serves}, {other.quarantined}, {other.incidents}, told {changed} times more; it was {one}"
    )
