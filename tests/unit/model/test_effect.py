"""An effect is asked for once: its key tells it from the others of its generation."""

from __future__ import annotations

from datetime import datetime

import pytest
from tests.unit.model.builders import HERE, MINUTE, NEW, NOON, OLD, endpoints

from tidegate.model.effect import Act, Drain, Effect, EffectState, Install, SetShares, act_key
from tidegate.model.ids import EffectId, Generation
from tidegate.model.installation import Route, Routing
from tidegate.model.share import NONE, WHOLE

TO_NEW = Routing(HERE, 8600, (Route(NEW, WHOLE, endpoints((9200,))),))
TO_NONE = Routing(HERE, 8600, (Route(NEW, NONE, ()),))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Install(NEW, 1), Install(NEW, 2)),
        (Install(NEW, 1), Install(OLD, 1)),
        (Drain(NEW, endpoints((9200,))), Drain(NEW, endpoints((9201,)))),
        (Drain(NEW, endpoints((9200,))), Drain(OLD, endpoints((9200,)))),
        (Install(NEW, 1), Drain(NEW, endpoints((9200,)))),
        (Install(NEW, 1), SetShares(TO_NEW)),
    ],
)
def test_different_acts_have_different_keys(one: Act, other: Act) -> None:
    assert act_key(one) != act_key(other)


def test_the_same_act_has_the_same_key() -> None:
    assert act_key(Install(NEW, 1)) == act_key(Install(NEW, 1))


def test_a_generation_has_one_split_of_the_traffic() -> None:
    """Another split is another generation; under one there is nothing to tell apart."""
    assert act_key(SetShares(TO_NEW)) == act_key(SetShares(TO_NONE))


@pytest.mark.parametrize(
    ("leased_until", "free_at"),
    [(None, NOON), (NOON - MINUTE, NOON), (NOON + MINUTE, NOON + MINUTE)],
)
def test_an_effect_is_free_when_it_is_due_and_nobody_has_it(leased_until: datetime | None, free_at: datetime) -> None:
    effect = Effect(
        EffectId("1"),
        HERE,
        Generation(7),
        act_key(Install(NEW, 1)),
        Install(NEW, 1),
        EffectState.PENDING,
        created_at=NOON - MINUTE,
        due_at=NOON,
        leased_until=leased_until,
    )
    assert effect.free_at == free_at
