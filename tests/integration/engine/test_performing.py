"""Effects: done once, by whoever holds them, for the newest generation; what cannot be done is said and tried again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from tests.integration.api.world import ObedientTarget
from tests.integration.engine.shop import OWNER, PLAIN, PRODUCTION, SHOP, STAGING, PromptRouter, Shop

from tidegate.engine.performing import PORTS_LEFT_AT_MOST, Performer
from tidegate.model.effect import Effect, EffectState, Install
from tidegate.model.generation import StaleGeneration
from tidegate.model.ids import DeploymentId, Generation, PlacementId
from tidegate.model.installation import (
    DesiredInstallation,
    Endpoint,
    Installation,
    InstallationState,
    Instance,
    InstanceState,
    ObservedRouting,
    Routing,
)
from tidegate.model.run import RunStatus
from tidegate.routers.router import RouterRefused
from tidegate.security.secret_box import SecretBox
from tidegate.store import queries, rows
from tidegate.store.database import Database
from tidegate.targets.target import TargetAway

WITH_SECRET = PLAIN.replace("  instances: 2", "  instances: 2\n  secrets: [DATABASE_URL]")
LONG = timedelta(minutes=3)
"""Longer than anything is waited for before it is said."""


class Performance:
    """A target that does first what the test tells it to."""

    def __init__(self) -> None:
        self.obedient = ObedientTarget()
        self.before: Callable[[DesiredInstallation], Installation | None] = lambda desired: None
        self.asked: list[DesiredInstallation] = []

    def apply(self, desired: DesiredInstallation, generation: Generation) -> Installation:
        self.asked.append(desired)
        return self.before(desired) or self.obedient.apply(desired, generation)

    def observe(self, deployment: DeploymentId) -> Installation:
        return self.obedient.observe(deployment)


@pytest.fixture
def target() -> Performance:
    return Performance()


@pytest.fixture
def shop(sqlite: Database, tmp_path: Path, target: Performance) -> Shop:
    return Shop(sqlite, tmp_path, target=target)


def effects(shop: Shop, placement: PlacementId = STAGING) -> list[Effect]:
    with shop.database.reading() as connection:
        return list(rows.every_equal(connection, Effect, placement=placement))


def install_of(shop: Shop) -> Effect:
    (found,) = [one for one in effects(shop) if isinstance(one.act, Install)]
    return found


def stuck(shop: Shop) -> str | None:
    with shop.database.reading() as connection:
        found = queries.placement(connection, STAGING)
    return found.stuck_because if found else None


def wait_till_stuck(shop: Shop) -> str:
    """Why the placement does not come to where it should be, as it is said after a while."""
    shop.settle_over(20, LONG / 20)
    because = stuck(shop)
    assert because
    assert any(because in text and text.startswith("stuck: ") for text in shop.said())
    return because


def test_a_late_performer_whose_lease_ran_out_changes_nothing_any_more(shop: Shop, target: Performance) -> None:
    results: list[bool] = []

    def _slow(desired: DesiredInstallation) -> Installation | None:
        if len(target.asked) > 1:
            return None
        shop.clock.time += shop.parts.settings.effect_lease + timedelta(seconds=1)
        results.append(Performer(shop.parts).perform_due(STAGING))  # another one takes over, and is done
        return Installation(InstallationState.FAILED, detail="what the first one saw long ago")

    target.before = _slow
    shop.added()
    shop.built()
    assert results == [True]
    effect = install_of(shop)
    assert (effect.state, effect.token, effect.performed) == (EffectState.DONE, 2, 1)
    assert shop.serving(STAGING) is not None


def test_what_is_being_performed_is_not_performed_by_another_at_the_same_time(shop: Shop, target: Performance) -> None:
    others: list[bool] = []

    def _meanwhile(desired: DesiredInstallation) -> None:
        others.append(Performer(shop.parts).perform_due(STAGING))

    target.before = _meanwhile
    shop.added()
    shop.built()
    assert others == [False]
    assert install_of(shop).performed == 1


class MeetingClock:
    """Two threads that have asked it once wait for each other when they ask again: both know by then what is due."""

    def __init__(self, time: datetime) -> None:
        self._time = time
        self._asked = threading.local()
        self._together = threading.Barrier(2, timeout=20)

    def now(self) -> datetime:
        self._asked.times = getattr(self._asked, "times", 0) + 1
        if self._asked.times == 2:
            self._together.wait()
        return self._time


def test_of_two_who_find_the_same_effect_due_one_performs_it(shop: Shop, target: Performance) -> None:
    target.before = lambda desired: Installation(InstallationState.STARTING, detail="soon")
    shop.added()
    shop.built()
    due = shop.clock.now() + LONG
    asked = len(target.asked)
    performer = Performer(replace(shop.parts, clock=MeetingClock(due)))
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: performer.perform_due(STAGING), range(2)))
    assert len(target.asked) == asked + 1


def test_an_effect_of_a_generation_that_was_overtaken_is_not_performed(shop: Shop, target: Performance) -> None:
    target.before = lambda desired: Installation(InstallationState.STARTING, detail="soon")
    shop.added()
    shop.built()
    asked = len(target.asked)
    with shop.database.writing() as connection:
        placement = queries.placement(connection, STAGING)
        assert placement is not None
        rows.put(connection, replace(placement, generation=Generation(placement.generation + 1)))
    shop.clock.time += LONG
    Performer(shop.parts).perform_due(STAGING)
    assert len(target.asked) == asked
    assert install_of(shop).state is EffectState.CANCELLED
    assert install_of(shop).detail == "a newer generation took over"


def test_a_target_that_has_seen_a_higher_generation_is_believed_and_overtaken(shop: Shop, target: Performance) -> None:
    def _restored_rows(desired: DesiredInstallation) -> None:
        if len(target.asked) <= 2:
            raise StaleGeneration("generation 1 is stale: staging has seen 3")

    target.before = _restored_rows
    shop.added()
    shop.built()
    shop.settle_over(5)
    assert shop.serving(STAGING) is not None
    with shop.database.reading() as connection:
        placement = queries.placement(connection, STAGING)
    assert placement is not None
    assert placement.generation > 1
    assert any(one.detail.startswith("late: generation 1") for one in effects(shop))


@pytest.mark.parametrize("error", [TargetAway("supervisord does not answer"), OSError(28, "No space left on device")])
def test_a_target_that_is_away_is_said_and_waited_for(shop: Shop, target: Performance, error: Exception) -> None:
    def _away(desired: DesiredInstallation) -> None:
        raise error

    target.before = _away
    run = shop.added()
    shop.built()
    assert str(error) in wait_till_stuck(shop)
    assert shop.run(run).status is RunStatus.RUNNING
    target.before = lambda desired: None
    shop.settle_over(3)
    assert stuck(shop) is None
    assert shop.serving(STAGING) == shop.label(run)


def test_a_router_that_refuses_is_said_and_asked_again(
    sqlite: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = Shop(sqlite, tmp_path)

    def _refuse(self: PromptRouter, routing: Routing, generation: Generation) -> ObservedRouting | None:
        raise RouterRefused("Envoy rejected the listener: address in use")

    monkeypatch.setattr(PromptRouter, "set_shares", _refuse)
    run = shop.added()
    shop.built()
    assert "Envoy rejected the listener" in wait_till_stuck(shop)
    monkeypatch.undo()
    shop.settle_over(3)
    assert shop.serving(STAGING) == shop.label(run)


def test_shares_that_the_router_has_not_confirmed_are_not_taken_for_served(
    sqlite: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = Shop(sqlite, tmp_path)
    confirmed: list[ObservedRouting] = []

    def _set(self: PromptRouter, routing: Routing, generation: Generation) -> ObservedRouting | None:
        return next(iter(confirmed), None)

    monkeypatch.setattr(PromptRouter, "set_shares", _set)
    shop.added()
    shop.built()
    shop.settle_over(3)
    assert not [text for text in shop.said() if text.startswith("100% of")]
    at = shop.clock.now()
    confirmed.append(ObservedRouting(1, at))
    shop.settle_over(1)
    assert [one.done_at for one in effects(shop) if one.key == "shares"] == [at]
    assert [text for text in shop.said() if text.startswith("100% of")]


def test_a_secret_that_is_not_set_is_said_with_the_remedy_which_helps(shop: Shop, target: Performance) -> None:
    run = shop.added(WITH_SECRET)
    shop.built()
    because = wait_till_stuck(shop)
    assert because == "the secret DATABASE_URL is not set; tidegate secret set shop DATABASE_URL"
    assert target.asked == []
    shop.services.set_secret(SHOP, "DATABASE_URL", "tide:gate", OWNER)
    shop.settle_over(3)
    assert shop.serving(STAGING) == shop.label(run)
    assert target.asked[-1].secrets == {"DATABASE_URL": "tide:gate"}


def test_a_secret_that_the_key_does_not_open_is_said_with_the_remedy_which_helps(
    shop: Shop, target: Performance, tmp_path: Path
) -> None:
    run = shop.added(WITH_SECRET)
    shop.services.set_secret(SHOP, "DATABASE_URL", "tide:gate", OWNER)
    (tmp_path / "secret-key").write_bytes(Fernet.generate_key())
    shop.restart(secrets=SecretBox(tmp_path / "secret-key"))
    shop.built()
    because = wait_till_stuck(shop)
    assert f"was not sealed with the key in {tmp_path / 'secret-key'}" in because
    assert "set the secret again: tidegate secret set" in because
    assert target.asked == []
    shop.services.set_secret(SHOP, "DATABASE_URL", "tide:gate", OWNER)
    shop.settle_over(3)
    assert shop.serving(STAGING) == shop.label(run)


def test_an_installation_that_fails_is_not_tried_again_and_rolls_back(shop: Shop, target: Performance) -> None:
    target.before = lambda desired: Installation(InstallationState.FAILED, detail="prepare failed: exit status 7")
    run = shop.added()
    shop.built()
    shop.settle_over(3)
    assert shop.run(run).status is RunStatus.ROLLED_BACK
    assert "prepare failed: exit status 7" in shop.said()[-1]
    assert [desired.instances for desired in target.asked if desired.instances] == [2]


def _taken(*ports: int) -> Callable[[DesiredInstallation], Installation | None]:
    """Somebody else listens on these ports."""

    def _before(desired: DesiredInstallation) -> Installation | None:
        if not set(ports) & set(desired.ports[: desired.instances]):
            return None
        instances = tuple(
            Instance(index, Endpoint("127.0.0.1", port), InstanceState.FAILED, port_taken=port in ports)
            for index, port in enumerate(desired.ports[: desired.instances])
        )
        return Installation(InstallationState.FAILED, instances, "a port is taken by pid 7 (nginx)")

    return _before


def test_an_instance_whose_port_somebody_took_gets_another_and_its_deployment_is_not_blamed(
    shop: Shop, target: Performance
) -> None:
    target.before = _taken(20001, 20003)
    run = shop.added()
    shop.built()
    shop.settle_over(3)
    assert shop.serving(STAGING) == shop.label(run)
    ports = [desired.ports for desired in target.asked[:3]]
    assert [len(set(one)) for one in ports] == [2, 2, 2]
    assert not {20001, 20003} & set(ports[-1])


def test_a_deployment_that_finds_every_port_taken_fails_after_a_few(shop: Shop, target: Performance) -> None:
    target.before = _taken(*range(20000, 30000))
    run = shop.added()
    shop.built()
    shop.settle_over(5)
    assert shop.run(run).status is RunStatus.ROLLED_BACK
    tried = {port for desired in target.asked for port in desired.ports[: desired.instances]}
    assert len(tried) <= PORTS_LEFT_AT_MOST + 2


def test_what_is_removed_gives_its_ports_back_and_keeps_those_of_others(shop: Shop, target: Performance) -> None:
    first, second = shop.deployed(), shop.deployed()
    assert first != second
    shop.services.remove(SHOP, OWNER)
    shop.settle_over(10, timedelta(minutes=1))
    owners = {row["owner"] for row in shop.rows()["port"]}
    assert owners == {STAGING, PRODUCTION}
    assert [row["ports"] for row in shop.rows()["deployment"]] == ["[]"] * 4


def test_what_has_requests_in_flight_is_not_stopped_before_they_end(
    shop: Shop, target: Performance, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.deployed()
    busy = [True]

    def _drained(
        self: PromptRouter, placement: PlacementId, deployment: DeploymentId, endpoints: Collection[Endpoint]
    ) -> bool:
        return not busy

    monkeypatch.setattr(PromptRouter, "drained", _drained)
    shop.placements.roll_back(SHOP, "staging", OWNER, stop=True)
    shop.settle_over(3)
    assert target.asked[-1].instances == 2
    busy.clear()
    shop.settle_over(3)
    assert target.asked[-1].instances == 0


def test_a_deployment_whose_secrets_cannot_be_opened_any_more_can_be_stopped(
    shop: Shop, target: Performance, tmp_path: Path
) -> None:
    shop.services.set_secret(SHOP, "DATABASE_URL", "tide:gate", OWNER)
    shop.deployed(WITH_SECRET)
    (tmp_path / "secret-key").write_bytes(Fernet.generate_key())
    shop.restart(secrets=SecretBox(tmp_path / "secret-key"))
    shop.placements.roll_back(SHOP, "staging", OWNER, stop=True)
    shop.settle_over(3)
    assert (target.asked[-1].instances, target.asked[-1].secrets) == (0, {})
    assert shop.serving(STAGING) is None
