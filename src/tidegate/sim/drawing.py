"""What one seed draws: shapes of pipelines, versions and how they behave, and how hostile the world is."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from random import Random

from tidegate.model.pipeline import Mode, OnDoubt, Strategy
from tidegate.sim.agent import AgentFaults
from tidegate.sim.queue import HintFaults
from tidegate.sim.shape import Approve, Shape
from tidegate.sim.version import Version
from tidegate.sim.world import Chances

RATES = (300.0, 100.0, 100.0, 40.0, 3.0)
"""Requests a second that come to a placement."""

SHARES: tuple[tuple[str | Approve, ...], ...] = (
    ("10%", "50%"),
    ("50%",),
    ("1%", "25%"),
    ("10%", Approve(), "50%"),
    (Approve(2), "20%"),
    ("20%", Approve(2)),
)


def draw_chances(random: Random) -> Chances:
    """How hostile the world is: a third of all worlds are friendly."""
    if random.random() < 0.33:
        return Chances()
    agent = AgentFaults(
        answer_lost=random.choice((0, 0, 0.1, 0.3)),
        attempt_lost=random.choice((0, 0, 0.05)),
        silent=random.choice((0, 0, 0.05)),
    )
    return Chances(
        hints=HintFaults(lost=random.choice((0, 0.1, 0.5)), doubled=random.choice((0, 0.2))),
        agent=agent,
        crash_chance=random.choice((0, 0.005, 0.02)),
        crashes_at_most=random.randint(1, 6),
        down_at_most_seconds=random.choice((5, 30, 150)),
    )


def draw_shape(random: Random) -> Shape:
    """A pipeline."""
    strategy = random.choice((Strategy.CANARY, Strategy.CANARY, Strategy.ROLLING, Strategy.BLUE_GREEN))
    staging = random.random() < 0.4
    shape = Shape(
        mode=random.choice((Mode.DEPLOYMENT, Mode.DELIVERY)),
        strategy=strategy,
        shares=random.choice(SHARES),
        instances=random.choice((1, 2, 2, 3, 4)),
        approvals=random.choice((None, None, 1, 2)),
        expires=random.choice((None, None, "20s")),
        staging=staging,
        staging_steps=staging and random.random() < 0.5,
        staging_verified=staging and random.random() < 0.3,
        step_attempts=random.choice((1, 2, 3)),
        at_most=random.choice(("90s", "3m", "6m")),
        soak=random.choice(("0s", "0s", "15s")),
        watch=random.choice(("0s", "0s", "40s")),
        keep_warm=random.choice(("0s", "20s", "60s")),
        verified=strategy is Strategy.CANARY or random.random() < 0.4,
        no_data=random.choice((OnDoubt.HOLD, OnDoubt.HOLD, OnDoubt.PROMOTE, OnDoubt.ROLLBACK)),
        undecided=random.choice((OnDoubt.HOLD, OnDoubt.HOLD, OnDoubt.PROMOTE, OnDoubt.ROLLBACK)),
        objective=random.choice((None, None, "98%")),
    )
    return with_foundation(shape) if shape.mode is Mode.DEPLOYMENT and shape.instances != 3 else shape


def with_foundation(shape: Shape) -> Shape:
    """The shape with all that policy needs before it opens a gate in a person's place."""
    never = {OnDoubt.PROMOTE: OnDoubt.HOLD}
    return replace(
        shape,
        staging=True,
        staging_steps=shape.staging_steps or not shape.staging_verified,
        verified=True,
        no_data=never.get(shape.no_data, shape.no_data),
        undecided=never.get(shape.undecided, shape.undecided),
    )


def draw_behaviour(random: Random, version: Version) -> None:
    """Let a version be good, as more than half of them are, or bad in one way."""
    if random.random() < 0.55:
        return
    match random.randrange(8):
        case 0 | 1:
            version.fails(random.choice((0.05, 0.2, 0.6, 1.0)))
        case 2:
            version.slows(random.choice((1.5, 3.0, 10.0)))
        case 3:
            version.build_fails = True
        case 4:
            version.tests_fail = True
        case 5:
            version.prepare_fails = True
        case 6:
            version.never_healthy = True
        case _:
            version.dies_after = timedelta(seconds=random.choice((0.5, 5, 25)))
