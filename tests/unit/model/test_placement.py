"""An arrangement that cannot be is not written down, and a placement says what serves."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.model.builders import HERE, NEW, OLD, UNHURRIED, a_placement, percent, serving

from tidegate.model.installation import Route, Routing
from tidegate.model.placement import Arrangement, Part
from tidegate.model.share import NONE, WHOLE, WHOLE_PARTS, Share

lists_of_shares = st.lists(st.integers(0, WHOLE_PARTS).map(Share), max_size=3)


@pytest.mark.parametrize("shares", [(50, 49), (100, 1), (5, 0)])
def test_shares_that_do_not_add_up_are_no_arrangement_and_no_routing(shares: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="add up to 100%, or to nothing"):
        Arrangement(tuple(Part(NEW, 1, percent(share)) for share in shares))
    with pytest.raises(ValueError, match="add up neither to 100% nor to nothing"):
        Routing(HERE, 8600, tuple(Route(NEW, percent(share), ()) for share in shares))


@UNHURRIED
@given(shares=lists_of_shares)
def test_exactly_the_shares_that_make_a_whole_or_nothing_are_an_arrangement(shares: list[Share]) -> None:
    parts = tuple(Part(NEW, 1, share) for share in shares)
    total = sum(share.parts for share in shares)
    try:
        made = Arrangement(parts)
    except ValueError:
        assert total not in (0, WHOLE_PARTS)
    else:
        assert total in (0, WHOLE_PARTS)
        assert bool(made.serving) == (total == WHOLE_PARTS)


def test_what_serves_are_the_deployments_with_a_share_the_largest_first() -> None:
    placement = a_placement(Part(NEW, 1, percent(5)), Part(OLD, 2, percent(95)))
    assert placement.arrangement.serving == (OLD, NEW)
    assert placement.serving == OLD


def test_what_is_only_kept_warm_does_not_serve() -> None:
    placement = a_placement(Part(NEW, 2, WHOLE), Part(OLD, 2, NONE))
    assert placement.arrangement.serving == (NEW,)


def test_an_empty_placement_serves_nothing() -> None:
    assert a_placement().serving is None


def test_a_deployments_part_is_found_by_its_id() -> None:
    assert serving(OLD).arrangement.part(OLD) == Part(OLD, 2, WHOLE)
    assert serving(OLD).arrangement.part(NEW) is None
    assert serving(OLD).arrangement.part(None) is None
