"""A new server goes on where an earlier one ended, wherever that was, and does nothing twice."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from tests.integration.engine.shop import BATCH, OWNER, PLAIN, PRODUCTION, STAGING, PromptRouter, Shop, holds, report

from tidegate.model.approval import Answer
from tidegate.model.effect import Effect, EffectState
from tidegate.model.ids import Generation
from tidegate.model.installation import DesiredInstallation, Installation, ObservedRouting, Routing
from tidegate.model.run import RunStatus
from tidegate.store import rows


class Killed(BaseException):
    """The server is killed at this moment."""


class Mortal:
    """Kills the server right before or right after the n-th time that it does something outside."""

    def __init__(self, at: int) -> None:
        self._left = at

    def passes(self) -> None:
        self._left -= 1
        if self._left == 0:
            raise Killed


def story(shop: Shop) -> Iterator[None]:
    """A version goes to production, step by step; between two of them anything may happen."""
    run = shop.added()
    while leases := shop.leased():
        yield
        shop.leasing.report(holds(leases[0]), report(shop.clock.now()))
        yield
        shop.settle()
    yield
    shop.runs.answer(run, Answer.APPROVED, OWNER)
    yield
    shop.settle()


def _without_ids(shop: Shop) -> list[str]:
    return sorted(text.split(" (tidegate approve")[0] for text in shop.said())


def test_a_server_that_begins_anew_between_any_two_steps_ends_the_same_and_says_everything_once(
    shop: Shop, second_shop: Shop
) -> None:
    for _ in story(shop):
        shop.restart()
        shop.settle()
    for _ in story(second_shop):
        pass
    assert shop.serving() == second_shop.serving() == "01c0ffee"
    assert _without_ids(shop) == _without_ids(second_shop)


@pytest.mark.parametrize("side", ["before", "after"])
@pytest.mark.parametrize("at", range(1, 5))
def test_a_server_killed_while_it_deploys_is_only_a_delay(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, at: int, side: str
) -> None:
    mortal = Mortal(at)
    _kill_beside(mortal, side, monkeypatch, shop)
    killed = 0
    told = story(shop)
    while True:
        try:
            next(told)
        except StopIteration:
            break
        except Killed:
            killed += 1
            shop.restart()
            shop.settle()
            told = _rest_of(shop)
    assert killed == 1
    assert shop.serving() == shop.serving(STAGING) == "01c0ffee"
    assert len([text for text in shop.said() if text.startswith("100% of")]) == 2


def _rest_of(shop: Shop) -> Iterator[None]:
    (run,) = [row["id"] for row in shop.rows()["run"]]
    shop.settle()
    if shop.run(run).status is RunStatus.WAITING:
        shop.runs.answer(run, Answer.APPROVED, OWNER)
        yield
    shop.settle()


def _kill_beside(mortal: Mortal, side: str, monkeypatch: pytest.MonkeyPatch, shop: Shop) -> None:
    apply, set_shares = shop.target.apply, PromptRouter.set_shares

    def _apply(desired: DesiredInstallation, generation: Generation) -> Installation:
        if side == "before":
            mortal.passes()
        done = apply(desired, generation)
        if side == "after":
            mortal.passes()
        return done

    def _set_shares(self: PromptRouter, routing: Routing, generation: Generation) -> ObservedRouting | None:
        if side == "before":
            mortal.passes()
        done = set_shares(self, routing, generation)
        if side == "after":
            mortal.passes()
        return done

    monkeypatch.setattr(shop.target, "apply", _apply)
    monkeypatch.setattr(PromptRouter, "set_shares", _set_shares)


def test_what_a_killed_server_had_leased_is_performed_at_once_by_the_next(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    _kill_beside(Mortal(1), "before", monkeypatch, shop)
    shop.added()
    with pytest.raises(Killed):
        shop.built()
    began = shop.clock.now()
    shop.restart()
    shop.settle()
    assert shop.serving(STAGING) == "01c0ffee"
    assert shop.clock.now() == began


def test_a_later_sweep_of_the_same_server_leaves_what_it_performs_alone(shop: Shop) -> None:
    shop.engine.sweep()
    shop.added()
    apply = shop.target.apply
    at_the_time: list[Effect] = []

    def _sweeping(desired: DesiredInstallation, generation: Generation) -> Installation:
        shop.engine.sweep()
        with shop.database.reading() as connection:
            at_the_time.extend(rows.every_equal(connection, Effect, state=EffectState.PENDING))
        return apply(desired, generation)

    shop.target.apply = _sweeping  # type: ignore[method-assign]
    shop.built()
    assert at_the_time
    assert all(effect.leased_until for effect in at_the_time)


def test_a_step_that_runs_while_no_server_does_is_reported_to_the_next(shop: Shop) -> None:
    run = shop.added()
    (lease,) = shop.leased()
    shop.clock.time += timedelta(hours=2)
    shop.restart()
    shop.settle()
    assert shop.leased(held=(holds(lease),)) == ()
    assert shop.reports(lease)
    shop.built()
    assert shop.run(run).release is not None


def test_a_person_who_is_waited_for_is_waited_for_after_a_restart_too(shop: Shop) -> None:
    run = shop.added()
    shop.built()
    assert shop.run(run).status is RunStatus.WAITING
    shop.restart()
    shop.settle()
    assert shop.run(run).status is RunStatus.WAITING
    shop.approved(run)
    assert shop.run(run).status is RunStatus.SUCCEEDED


def test_what_is_gone_is_no_error(shop: Shop) -> None:
    shop.engine.look("run:01hzzzzzzzzzzzzzzzzzzzzzzz")
    shop.engine.look("placement:nobodys/production")
    assert shop.queue.due == {}


def test_a_run_that_had_succeeded_learns_that_it_went_back_though_the_server_ended_just_then(shop: Shop) -> None:
    first = shop.deployed()
    run = shop.pushed(PLAIN.replace("    gate:", "    verify: {watch: 1h}\n    gate:"))
    shop.built()
    shop.approved(run)
    shop.settle_until(lambda: shop.run(run).status == "succeeded")
    assert shop.serving() != shop.label(first)
    shop.placements.roll_back("shop", "production", OWNER)
    while "production: the rollout is rolled back" not in shop.said():
        shop.clock.time += BATCH
        shop.engine.look(f"placement:{PRODUCTION}")  # and at nothing else: what is hinted at is lost
    assert shop.run(run).status == "succeeded"
    shop.restart()
    assert f"run:{run}" in shop.queue.due
    shop.settle()
    assert shop.run(run).status == "rolled_back"
