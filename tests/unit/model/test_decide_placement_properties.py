"""What holds for a placement whatever happens to it, in whatever order.

The story that carries the decisions out checks on its way that generations only grow, that shares add up, that traffic
goes to healthy instances only and that nothing stops while it gets traffic.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.model.builders import (
    ANNA,
    BEN,
    FAIL,
    HOUR,
    MINUTE,
    NEW,
    NO_DATA,
    NOON,
    OLD,
    PASS,
    UNDECIDED,
    UNHURRIED,
    an_approval,
)
from tests.unit.model.placement_story import (
    PlacementStory,
    a_first_release,
    an_upgrade,
    ended,
    is_at_rest_with,
    with_an_older_one_kept_warm,
)

from tidegate.model.approval import Answer
from tidegate.model.decide_placement import decide_placement
from tidegate.model.effect import Drain, EffectState
from tidegate.model.installation import Installation, InstallationState
from tidegate.model.pipeline import ApprovalPoint, DeployRule, OnDoubt, RolloutPoint, SharePoint, Strategy, VerifyRule
from tidegate.model.rollout import Cause, RolloutState
from tidegate.model.share import Share

CRASHED = Installation(InstallationState.FAILED, detail="it ended 5 times within a minute")
LIMP = Installation(InstallationState.STARTING, detail="1 instance is being started again")
Happening = Callable[[PlacementStory], object]


def _ask_back(story: PlacementStory) -> None:
    if not ended(story):
        story.people_say(rollback_asked=Cause("by anna", True, ANNA))


def _answer(answer: Answer) -> Happening:
    def at_the_point(story: PlacementStory) -> None:
        for actor in (ANNA, BEN):
            story.answer(an_approval(actor, answer, point=story.rollout.step + 1))

    return at_the_point


def _promote(story: PlacementStory) -> None:
    if story.rollout.state is RolloutState.JUDGING:
        story.people_say(promote_step=story.rollout.step, promoted_by="anna")


def _be_away(story: PlacementStory) -> None:
    story.away = "" if story.away else "nobody answers"


def _break(story: PlacementStory) -> None:
    story.broken ^= {NEW}


def _keep_busy(story: PlacementStory) -> None:
    story.busy ^= {OLD}


def _be_refused(story: PlacementStory) -> None:
    """The world has seen a higher generation: the rows were restored from a backup."""
    story.state = replace(
        story.state,
        effects=tuple(
            replace(effect, state=EffectState.CANCELLED, detail="late")
            if effect.state is EffectState.PENDING and not isinstance(effect.act, Drain)
            else effect
            for effect in story.state.effects
        ),
    )


def _take_time(story: PlacementStory) -> None:
    story.slow ^= {NEW}


HAPPENINGS: dict[str, Happening] = {
    "it passes": lambda story: story.hear(PASS),
    "it fails": lambda story: story.hear(FAIL),
    "it is undecided": lambda story: story.hear(UNDECIDED),
    "there is no data": lambda story: story.hear(NO_DATA),
    "nothing was judged": lambda story: story.hear(None),
    "it crashes": lambda story: story.hear(None, new=CRASHED),
    "the old one limps": lambda story: story.hear(None, old=LIMP) if story.running.get(OLD) else None,
    "time passes": lambda story: story.wait(MINUTE),
    "much time passes": lambda story: story.wait(HOUR),
    "people say yes": _answer(Answer.APPROVED),
    "people say no": _answer(Answer.REJECTED),
    "a person promotes": _promote,
    "a person holds": lambda story: story.people_say(held=True) if not ended(story) else None,
    "a person resumes": lambda story: story.people_say(held=False),
    "a person rolls back": _ask_back,
    "the world goes away or comes back": _be_away,
    "the new one breaks or is mended": _break,
    "an installation takes its time, or no longer": _take_time,
    "the world has seen a higher generation": _be_refused,
    "requests do not end, or do": _keep_busy,
    "a server dies after its decision": lambda story: story.decide(),
    "effects are performed without a look": lambda story: story.perform(),
}
CALM = ("it passes", "it is undecided", "time passes", "people say yes", "a person promotes")

points = st.lists(
    st.integers(1, 9999).map(lambda parts: SharePoint(Share(parts))) | st.builds(ApprovalPoint, st.integers(1, 2)),
    max_size=4,
)
rules = st.builds(
    lambda strategy, through, minutes: DeployRule(
        strategy, tuple(through) if strategy is Strategy.CANARY else (), timedelta(minutes=minutes)
    ),
    st.sampled_from(Strategy),
    points,
    st.integers(0, 2),
)
verifies = st.builds(
    VerifyRule,
    soak=st.sampled_from([timedelta(0), MINUTE]),
    at_most=st.just(10 * MINUTE),
    watch=st.sampled_from([timedelta(0), HOUR]),
    undecided=st.sampled_from(OnDoubt),
    no_data=st.sampled_from(OnDoubt),
)
counts = st.integers(1, 5)


@st.composite
def stories(draw: st.DrawFn) -> PlacementStory:
    rule: DeployRule = draw(rules)
    verify = draw(verifies if rule.strategy is Strategy.CANARY else st.none() | verifies)
    if draw(st.booleans()):
        story = an_upgrade(rule, verify, instances=draw(counts), old=draw(counts))
        return with_an_older_one_kept_warm(story) if draw(st.booleans()) else story
    return a_first_release(rule, verify, instances=draw(counts))


happenings = st.lists(st.sampled_from(sorted(HAPPENINGS)), max_size=12)


def come_to_rest(story: PlacementStory) -> None:
    """The world is well again, people answer, and figures come: it has to end."""
    story.away = ""
    story.broken.clear()
    story.slow.clear()
    story.busy.clear()
    story.state = replace(story.state, run_open=False)
    story.people_say(held=False)
    for _ in range(12):
        story.wait(2 * HOUR)
        if story.rollout.state is RolloutState.ASKING:
            _answer(Answer.APPROVED)(story)
        story.hear(PASS)
    story.wait(HOUR)


@settings(UNHURRIED, max_examples=120)
@given(story=stories(), told=happenings)
def test_whatever_happens_a_placement_ends_with_one_deployment_old_or_new_and_all_of_it(
    story: PlacementStory, told: list[str]
) -> None:
    old = story.rollout.old
    sizes = {name: one.runtime.instances for name, one in story.state.deployments.items()}
    story.settle()
    for name in told:
        HAPPENINGS[name](story)
    come_to_rest(story)
    assert ended(story), story.rollout.state
    serves = NEW if story.rollout.state is RolloutState.SUCCEEDED else old
    assert is_at_rest_with(story, serves, sizes[serves] if serves else 0)
    assert story.placement.stuck_because is None


@UNHURRIED
@given(story=stories(), told=happenings)
def test_deciding_twice_while_nothing_changed_changes_nothing(story: PlacementStory, told: list[str]) -> None:
    for name in told:
        HAPPENINGS[name](story)
        story.settle()
        first = story.decide()
        assert (first.changes, first.events, first.effects) == ((), (), ())
        assert decide_placement(story.state, NOON + story.now_) == first


@UNHURRIED
@given(story=stories(), told=happenings)
def test_a_hint_that_comes_twice_is_as_good_as_one(story: PlacementStory, told: list[str]) -> None:
    """Two looks in a row save no more than one, also before what the first asked for was performed."""
    for name in told:
        HAPPENINGS[name](story)
        story.decide()
        again = story.decide()
        assert (again.events, again.effects) == ((), ())


@UNHURRIED
@given(story=stories(), told=happenings)
def test_what_went_back_for_cause_never_gets_a_request_again(story: PlacementStory, told: list[str]) -> None:
    story.settle()
    for name in told:
        quarantined, seen = story.deployment(NEW).is_quarantined, len(story.told)
        HAPPENINGS[name](story)
        if quarantined:
            assert all(
                route.share.parts == 0 for one in story.told[seen:] for route in one.routes if route.deployment == NEW
            )


@UNHURRIED
@given(story=stories(), told=st.lists(st.sampled_from(CALM), max_size=12))
def test_a_share_that_asks_for_people_is_never_given_without_them(story: PlacementStory, told: list[str]) -> None:
    story.settle()
    for name in told:
        HAPPENINGS[name](story)
        for point, step in enumerate(story.rollout.plan[: story.rollout.step + 1]):
            people = {one.actor for one in story.state.approvals if one.point == point}
            assert len(people) >= step.approvals


@UNHURRIED
@given(story=stories())
def test_a_good_release_is_promoted_without_anyone_but_the_people_who_are_asked(story: PlacementStory) -> None:
    story.settle()
    for _ in range(20):
        story.hear(PASS)
        story.wait(MINUTE)
        if story.rollout.state is RolloutState.ASKING:
            _answer(Answer.APPROVED)(story)
    assert story.shares == {NEW: "100%"}
    assert story.rollout.passed_at is not None


@UNHURRIED
@given(story=stories(), told=happenings)
def test_every_effect_belongs_to_the_generation_of_the_placement(story: PlacementStory, told: list[str]) -> None:
    for name in told:
        HAPPENINGS[name](story)
        assert {effect.generation for effect in story.state.effects} <= {story.placement.generation}
        assert all(effect.done_at for effect in story.state.effects if effect.state is EffectState.DONE)


def test_the_points_of_a_plan_are_what_the_file_says() -> None:
    """What the properties draw their canaries from are real points of a file."""
    example: tuple[RolloutPoint, ...] = (SharePoint(Share(1)), ApprovalPoint(1))
    assert an_upgrade(DeployRule(Strategy.CANARY, example), VerifyRule()).rollout.plan[-1].approvals == 1
