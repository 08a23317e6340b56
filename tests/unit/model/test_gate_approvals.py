"""Whose word counts at a gate: groups, authors, who asked, who stands in for whom, and who is there no more."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.model.builders import NOON, UNHURRIED, an_approval

from tidegate.model.actor import Actor, ActorKind
from tidegate.model.approval import Answer, Approval
from tidegate.model.change import Author
from tidegate.model.gate_approvals import Voters, is_enough, latest_words, not_counted, valid_approvals
from tidegate.model.gate_rules import ApprovalGroup, ApprovalRule, GateRules
from tidegate.model.known_people import KnownPeople

NAMES = ("ada", "bob", "carl", "dora")
ADA = Author("Ada", "Ada@example.com")
EVE = Author("Eve", "eve@example.com")
PEOPLE = KnownPeople(
    accounts=frozenset(NAMES),
    teams={"leads": frozenset({"ada", "bob"}), "security": frozenset({"bob", "carl"})},
    addresses={"ada@example.com": "ada"},
    keys={"SHA256:bob": "bob"},
)
LEADS_AND_SECURITY = ApprovalRule(1, all_of=(ApprovalGroup(1, ("leads",)), ApprovalGroup(1, ("security",))))


def yes(name: str, *, comment: str = "", stands_for: tuple[str, ...] = (), minutes: float = 0) -> Approval:
    given_at = NOON + timedelta(minutes=minutes)
    approval = an_approval(Actor(ActorKind.PERSON, name), at=given_at, comment=comment)
    return replace(approval, stands_for=stands_for)


def decided(
    rule: ApprovalRule, *words: Approval, authors: tuple[Author, ...] = (), by: str | None = None
) -> tuple[str, bool]:
    voters = Voters(PEOPLE, authors, by)
    counted = valid_approvals(words, rule, NOON + timedelta(hours=1), voters)
    return " ".join(one.actor.name for one in counted), is_enough(counted, rule, voters)


@pytest.mark.parametrize(
    ("rule", "words", "authors", "by", "counted", "enough"),
    [
        (ApprovalRule(1), ["dora"], (), None, "dora", True),
        (ApprovalRule(1, sources=("leads",)), ["carl"], (), None, "", False),
        (ApprovalRule(1, sources=("leads",)), ["carl", "ada"], (), None, "ada", True),
        (ApprovalRule(1, sources=("leads", "dora")), ["dora"], (), None, "dora", True),
        (ApprovalRule(2, sources=("leads",)), ["ada", "bob"], (), None, "ada bob", True),
        (LEADS_AND_SECURITY, ["bob"], (), None, "bob", False),
        (LEADS_AND_SECURITY, ["bob", "carl"], (), None, "bob carl", True),
        (LEADS_AND_SECURITY, ["bob", "ada"], (), None, "bob ada", True),
        (LEADS_AND_SECURITY, ["ada", "dora"], (), None, "ada", False),
        (ApprovalRule(1, not_author=True), ["ada"], (ADA,), None, "", False),
        (ApprovalRule(1, not_author=True), ["bob"], (ADA,), None, "bob", True),
        (ApprovalRule(1, not_author=True), ["bob"], (EVE,), None, "bob", False),
        (ApprovalRule(1, not_author=True), ["bob", "carl"], (EVE,), None, "bob carl", True),
        (ApprovalRule(1, not_author=True), ["bob", "carl"], (EVE, ADA), None, "bob carl", True),
        (ApprovalRule(1, not_author=True), ["ada", "bob"], (EVE, ADA), None, "bob", False),
        (LEADS_AND_SECURITY, ["ada", "bob"], (EVE,), None, "ada bob", True),
        (ApprovalRule(1, not_trigger=True), ["dora"], (), "dora", "", False),
        (ApprovalRule(1, not_trigger=True), ["bob"], (), "dora", "bob", True),
        (ApprovalRule(1, sources=("gone",)), ["ada"], (), None, "", False),
    ],
)
def test_whose_word_counts(
    rule: ApprovalRule, words: list[str], authors: tuple[Author, ...], by: str | None, counted: str, enough: bool
) -> None:
    given_words = [yes(name, minutes=minute) for minute, name in enumerate(words)]
    assert decided(rule, *given_words, authors=authors, by=by) == (counted, enough)


def test_who_signed_and_whose_address_it_names_both_made_a_change() -> None:
    signed = Author("Ada", "ada@example.com", "SHA256:bob")
    rule = ApprovalRule(1, not_author=True)
    assert decided(rule, yes("ada"), yes("bob"), authors=(signed,)) == ("", False)
    stranger = Author("Ada", "unknown@example.com", "SHA256:bob")
    assert decided(rule, yes("ada"), yes("bob"), authors=(stranger,)) == ("ada", True)


def test_an_unknown_author_may_be_the_one_whom_a_group_needs() -> None:
    rule = ApprovalRule(1, all_of=LEADS_AND_SECURITY.all_of, not_author=True)
    two = (yes("ada"), yes("carl"))
    assert decided(rule, *two) == ("ada carl", True)
    assert decided(rule, *two, authors=(EVE,)) == ("ada carl", False)
    assert decided(rule, *two, yes("bob"), authors=(EVE,)) == ("ada carl bob", True)


def test_more_unknown_authors_than_can_be_reasoned_about_are_enough_for_nothing() -> None:
    crowd = tuple(Author(f"{number}", f"{number}@example.com") for number in range(4))
    everybody = [yes(f"p{number}") for number in range(20)]
    assert decided(ApprovalRule(1, not_author=True), *everybody, authors=crowd[:3])[1]
    assert not decided(ApprovalRule(1, not_author=True), *everybody, authors=crowd)[1]


def test_somebody_counts_in_the_place_of_another_unless_the_rule_says_no() -> None:
    rule = ApprovalRule(1, sources=("leads",))
    dora = yes("dora", stands_for=("ada",))
    assert decided(rule, dora) == ("dora", True)
    assert decided(ApprovalRule(1, sources=("leads",), delegates=False), dora) == ("", False)


def test_a_yes_without_words_counts_for_nothing_where_words_are_wanted() -> None:
    rule = ApprovalRule(1, comment=True)
    assert decided(rule, yes("ada", comment=" ")) == ("", False)
    assert decided(rule, yes("ada", comment="I have read it")) == ("ada", True)


def test_who_would_not_count_anew_either_is_not_told_that_the_yes_was_too_long_ago() -> None:
    rule = ApprovalRule(1, timedelta(minutes=30), not_author=True)
    voters, later = Voters(PEOPLE, (ADA,)), NOON + timedelta(hours=1)
    assert not_counted(yes("ada"), [rule], later, voters) == "made one of the changes"
    assert not_counted(yes("bob"), [rule], later, voters) == "said yes too long ago"


def test_the_word_of_somebody_who_was_shut_out_meanwhile_counts_no_more() -> None:
    voters = Voters(KnownPeople(disabled=frozenset({"ada"})))
    assert valid_approvals([yes("ada"), yes("bob")], ApprovalRule(1), NOON, voters)[0].actor.name == "bob"
    assert valid_approvals([yes("ada")], ApprovalRule(1), NOON, voters) == ()


def test_who_takes_a_yes_back_has_said_nothing() -> None:
    taken = replace(yes("ada", minutes=1), answer=Answer.WITHDRAWN)
    assert decided(ApprovalRule(1), yes("ada"), taken) == ("", False)
    assert decided(ApprovalRule(1), yes("ada"), taken, yes("ada", minutes=2)) == ("ada", True)
    assert [one.answer for one in latest_words([taken, yes("ada")])] == [Answer.WITHDRAWN]


def test_between_two_shares_the_same_people_are_asked() -> None:
    assert GateRules(LEADS_AND_SECURITY).asking(2).sources == ("leads", "security")
    assert GateRules(ApprovalRule(3, timedelta(days=1), ("leads",), not_author=True)).asking(1) == ApprovalRule(
        1, None, ("leads",), not_author=True
    )
    assert GateRules().asking(2) == ApprovalRule(2)
    anybody = ApprovalRule(1, all_of=(ApprovalGroup(1), ApprovalGroup(1, ("leads",))))
    assert GateRules(anybody).asking(1).sources == ()


groups = st.builds(
    ApprovalGroup,
    st.integers(1, 2),
    st.lists(st.sampled_from(["leads", "security", *NAMES]), max_size=2, unique=True).map(tuple),
)
rules = st.builds(
    ApprovalRule,
    st.integers(1, 3),
    all_of=st.lists(groups, min_size=1, max_size=3).map(tuple),
    not_author=st.booleans(),
)


@UNHURRIED
@given(rule=rules, names=st.lists(st.sampled_from(NAMES), unique=True), unknown=st.integers(0, 2))
def test_enough_is_what_trying_everybody_in_every_seat_says(rule: ApprovalRule, names: list[str], unknown: int) -> None:
    """The oracle lets each subset of the right size be the unknown authors, and tries all ways to fill all places."""
    authors = tuple(Author("?", f"{number}@example.com") for number in range(unknown))
    counted, enough = decided(rule, *(yes(name) for name in names), authors=authors)
    people = counted.split()
    places = [group for group in rule.groups for _ in range(group.count)]

    def fits(name: str, group: ApprovalGroup) -> bool:
        return not group.sources or PEOPLE.is_among(name, group.sources)

    def fills(left: list[str]) -> bool:
        return any(all(map(fits, order, places)) for order in permutations(left, len(places)))

    lost = min(unknown, len(people)) if rule.not_author else 0
    without = [list(left) for left in permutations(people, len(people) - lost)]
    assert enough == all(fills(left) for left in without)


@UNHURRIED
@given(rule=rules, names=st.lists(st.sampled_from(NAMES), unique=True), one_more=st.sampled_from(NAMES))
def test_another_yes_never_takes_one_away(rule: ApprovalRule, names: list[str], one_more: str) -> None:
    words = [yes(name) for name in names]
    if decided(rule, *words)[1]:
        assert decided(rule, *words, yes(one_more))[1]
