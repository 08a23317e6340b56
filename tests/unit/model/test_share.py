"""Shares are counted in parts, so that they always add up exactly."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.model.builders import UNHURRIED

from tidegate.model.share import NONE, WHOLE, WHOLE_PARTS, Share

shares = st.integers(0, WHOLE_PARTS).map(Share)


@pytest.mark.parametrize("parts", [-1, WHOLE_PARTS + 1, 13_000])
def test_a_share_that_cannot_be_is_refused(parts: int) -> None:
    with pytest.raises(ValueError, match="between 0% and 100%"):
        Share(parts)


@pytest.mark.parametrize("value", [-1, 100.01, 130])
def test_a_percentage_outside_of_the_whole_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match=f"not at {value:g}%"):
        Share.percent(value)


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0%"), (0.01, "0.01%"), (0.5, "0.5%"), (5, "5%"), (33.33, "33.33%"), (100, "100%")]
)
def test_a_share_reads_as_people_write_it(value: float, text: str) -> None:
    assert str(Share.percent(value)) == text


@pytest.mark.parametrize(
    ("value", "instances", "wanted"),
    [(0, 4, 0), (1, 4, 1), (25, 4, 1), (26, 4, 2), (50, 3, 2), (50, 1, 1), (99, 10, 10), (100, 4, 4), (5, 0, 0)],
)
def test_as_many_instances_as_carry_the_share_and_never_fewer(value: float, instances: int, wanted: int) -> None:
    assert Share.percent(value).of(instances) == wanted


@UNHURRIED
@given(share=shares)
def test_a_share_and_its_rest_are_the_whole(share: Share) -> None:
    assert share.parts + share.rest.parts == WHOLE_PARTS
    assert share.rest.rest == share


@UNHURRIED
@given(share=shares, instances=st.integers(1, 1000))
def test_the_instances_of_a_share_carry_at_least_it_and_exist(share: Share, instances: int) -> None:
    count = share.of(instances)
    assert 0 <= count <= instances
    assert count * WHOLE_PARTS >= share.parts * instances
    assert (count == 0) == (share == NONE)


@UNHURRIED
@given(one=shares, other=shares)
def test_shares_are_ordered_as_their_fractions(one: Share, other: Share) -> None:
    assert (one < other) == (one.fraction < other.fraction)
    assert NONE <= one <= WHOLE
