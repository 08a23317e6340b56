"""The picture of a rollout: nothing is drawn that was not measured."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from tidegate.model.figures import Counters, Snapshot
from tidegate.model.ids import DeploymentId, Generation, PlacementId, RolloutId
from tidegate.model.pipeline import Strategy
from tidegate.model.rollout import Rollout, RolloutKind, RolloutStep
from tidegate.model.share import Share
from tidegate.web.picture import HEIGHT, WIDTH, rollout_picture

BEGIN = datetime(2026, 3, 4, 12, 0, 0, tzinfo=UTC)
NEW, OLD = DeploymentId("new"), DeploymentId("old")
ROLLOUT = Rollout(
    id=RolloutId("r"),
    placement=PlacementId("shop/production"),
    kind=RolloutKind.RELEASE,
    new=NEW,
    old=OLD,
    began_at=BEGIN,
    strategy=Strategy.CANARY,
    plan=(
        RolloutStep(Share.percent(20), 1, 2),
        RolloutStep(Share.percent(50), 1, 1),
        RolloutStep(Share.percent(100), 2, 0),
    ),
)


def _taken(second: int, step: int, new: Counters | None, old: Counters | None) -> tuple[int, Snapshot]:
    counted = {name: one for name, one in ((NEW, new), (OLD, old)) if one}
    return step, Snapshot(BEGIN + timedelta(seconds=second), Generation(step + 1), counted)


def _points(attribute: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in (point.split(",") for point in attribute.split())]


def test_before_the_first_batch_there_is_nothing_to_see() -> None:
    assert rollout_picture(ROLLOUT, ()) is None
    assert rollout_picture(ROLLOUT, [_taken(0, 0, Counters(0, 0), Counters(0, 0))]) is None


def test_a_rollout_in_one_step_has_no_picture() -> None:
    snapshots = [_taken(second, 0, Counters(second, 0), Counters(second, 0)) for second in range(3)]
    assert rollout_picture(replace(ROLLOUT, plan=ROLLOUT.plan[-1:]), snapshots) is None


def test_the_share_is_drawn_as_steps_from_edge_to_edge() -> None:
    picture = rollout_picture(
        ROLLOUT,
        [
            _taken(0, 0, Counters(0, 0), Counters(0, 0)),
            _taken(10, 0, Counters(20, 0), Counters(80, 0)),
            _taken(12, 1, Counters(25, 0), Counters(90, 0)),
            _taken(20, 1, Counters(65, 0), Counters(130, 0)),
        ],
    )
    assert picture is not None
    at_20, at_50 = HEIGHT * 0.8, HEIGHT * 0.5
    assert _points(picture.shares) == [
        (0, HEIGHT),
        (0, at_20),
        (0, at_20),
        (320, at_20),
        (384, at_20),
        (384, at_50),
        (WIDTH, at_50),
        (WIDTH, HEIGHT),
    ]
    assert picture.seconds == 20


def test_the_errors_of_both_sides_have_one_scale_and_the_worst_is_at_the_top() -> None:
    picture = rollout_picture(
        ROLLOUT,
        [
            _taken(0, 0, Counters(0, 0), Counters(0, 0)),
            _taken(10, 0, Counters(40, 10), Counters(100, 5)),
            _taken(20, 0, Counters(80, 10), Counters(200, 5)),
        ],
    )
    assert picture is not None
    new, old = _points(picture.new_errors), _points(picture.old_errors)
    assert picture.scale == "25%"
    assert [y for _, y in new] == [2, 2, HEIGHT - 2, HEIGHT - 2]
    assert old[0][1] == round(HEIGHT - 2 - 0.2 * (HEIGHT - 4), 1)
    assert [x for x, _ in new] == [0, 320, 320, WIDTH]
    assert picture.words == "new: errors at most 25% in a batch; old: errors at most 5% in a batch"


def test_one_lost_request_does_not_look_like_a_disaster() -> None:
    picture = rollout_picture(
        ROLLOUT, [_taken(0, 0, Counters(0, 0), Counters(0, 0)), _taken(10, 0, Counters(1000, 1), Counters(1000, 0))]
    )
    assert picture is not None
    assert picture.scale == "2%"
    assert _points(picture.new_errors)[0][1] > HEIGHT * 0.9


def test_a_side_without_requests_has_no_line_instead_of_one_at_zero() -> None:
    picture = rollout_picture(
        ROLLOUT, [_taken(0, 0, Counters(0, 0), Counters(0, 0)), _taken(10, 0, Counters(0, 0), Counters(100, 0))]
    )
    assert picture is not None
    assert picture.new_errors == ""
    assert picture.old_errors != ""
    assert picture.words.startswith("new: no requests")
