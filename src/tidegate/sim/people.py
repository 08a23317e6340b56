"""People who do the right thing, the wrong thing, or nothing, at moments that nobody planned."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from random import Random

from tidegate.engine.refusal import Refused
from tidegate.model.gate import FLOOR_RULE
from tidegate.model.ids import RunId
from tidegate.model.pipeline import Mode
from tidegate.model.rollout import RolloutState
from tidegate.model.run import RunStatus
from tidegate.sim.shop import ANNA, BEN, PRODUCTION, SimulatedService
from tidegate.sim.shop_run import SimulatedRun

IN_VAIN = {"policy", "promotion", "external answer", FLOOR_RULE}
"""The rules of a gate at which no yes helps."""

Act = Callable[[SimulatedService, SimulatedRun], None]


class People:
    """Those who work with some services. `touched` are the runs whose ending may be a person's doing."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self.touched: set[RunId] = set()
        self.promoted: set[RunId] = set()
        self._acts: tuple[tuple[float, Act], ...] = (
            (6, self._approve),
            (0.5, self._approve_early),
            (1, self._reject),
            (1, self._cancel),
            (1, self._hold),
            (2, self._resume),
            (1, self._promote),
            (1, self._retry),
            (1, self._roll_back),
            (0.7, self._roll_back_to),
            (0.3, self._stop),
            (0.1, self._remove),
            (1, self._deploy),
            (0.5, self._pause),
            (0.3, self._change_mode),
            (2, self._go),
        )

    def do_something(self, service: SimulatedService) -> None:
        """One of them does something to the service, or is told that it cannot be done."""
        runs = service.runs()
        if not runs:
            return
        run = self._random.choice(runs[:3])
        weights = [weight for weight, _ in self._acts]
        act = self._random.choices([act for _, act in self._acts], weights)[0]
        with suppress(Refused):
            act(service, run)

    def end_every_wait(self, service: SimulatedService) -> bool:
        """Do all that somebody is waited for; whether there was anything."""
        if not service.is_known:
            return False
        anything = self._let_the_line_go(service) | self._give_up_what_is_stuck(service)
        for run in service.runs():
            if not run.decided():
                anything |= self._end_waiting(service, run)
        return anything

    def _let_the_line_go(self, service: SimulatedService) -> bool:
        row = service.row
        if row.paused_because is None and row.line_stopped_because is None:
            return False
        service.go()
        return True

    def _give_up_what_is_stuck(self, service: SimulatedService) -> bool:
        """What cannot be brought to where it should be is stopped."""
        stuck = [one for one in service.placements() if one.stuck_because is not None and one.serving]
        for placement in stuck:
            self.touch_all(service)
            service.roll_back(placement.environment, stop=True)
        return bool(stuck)

    def _end_waiting(self, service: SimulatedService, run: SimulatedRun) -> bool:
        rollout = run.rollout_under_way()
        if run.row.held_by:
            service.let_go(run)
        elif rollout and rollout.state is RolloutState.JUDGING and rollout.holds_because:
            good = service.world.version_of_commit(run.row.change.commit).is_good
            with suppress(Refused):
                self._promote(service, run) if good else service.cancel(run)
        elif (rollout and rollout.state is RolloutState.ASKING) or _only_people_are_missing(run):
            self._approve_twice(service, run)
        else:
            return False
        return True

    def _approve_twice(self, service: SimulatedService, run: SimulatedRun) -> None:
        for person in (ANNA, BEN):
            with suppress(Refused):
                service.approve(run, person)

    def _approve(self, service: SimulatedService, run: SimulatedRun) -> None:
        service.approve(run, self._random.choice((ANNA, BEN)))

    def _approve_early(self, service: SimulatedService, run: SimulatedRun) -> None:
        service.approve(run, self._random.choice((ANNA, BEN)), PRODUCTION)

    def _reject(self, service: SimulatedService, run: SimulatedRun) -> None:
        self.touched.add(run.id)
        service.reject(run, BEN)

    def _cancel(self, service: SimulatedService, run: SimulatedRun) -> None:
        self.touched.add(run.id)
        service.cancel(run)

    def _hold(self, service: SimulatedService, run: SimulatedRun) -> None:
        service.hold(run)

    def _resume(self, service: SimulatedService, run: SimulatedRun) -> None:
        service.let_go(run)

    def _promote(self, service: SimulatedService, run: SimulatedRun) -> None:
        self.promoted.add(run.id)
        service.promote(run)

    def _retry(self, service: SimulatedService, run: SimulatedRun) -> None:
        self.touched.add(run.id)
        service.retry(run)

    def _roll_back(self, service: SimulatedService, run: SimulatedRun) -> None:
        self.touch_all(service)
        service.roll_back(self._somewhere())

    def _roll_back_to(self, service: SimulatedService, run: SimulatedRun) -> None:
        self.touch_all(service)
        service.roll_back(self._somewhere(), BEN, to=service.world.version_of_commit(run.row.change.commit))

    def _stop(self, service: SimulatedService, run: SimulatedRun) -> None:
        self.touch_all(service)
        service.roll_back(self._somewhere(), stop=True)

    def _remove(self, service: SimulatedService, run: SimulatedRun) -> None:
        self.touch_all(service)
        service.remove()

    def _somewhere(self) -> str:
        return self._random.choice((PRODUCTION, PRODUCTION, "staging"))

    def touch_all(self, service: SimulatedService) -> None:
        """All that did not end badly before may end so by a person's doing."""
        for one in service.runs():
            if not one.decided() or one.row.status is RunStatus.SUCCEEDED:
                self.touched.add(one.id)

    def _deploy(self, service: SimulatedService, run: SimulatedRun) -> None:
        version = service.world.version_of_commit(run.row.change.commit)
        self.touched.add(service.deploy(version).id)

    def _pause(self, service: SimulatedService, run: SimulatedRun) -> None:
        service.pause()

    def _change_mode(self, service: SimulatedService, run: SimulatedRun) -> None:
        service.grant(Mode.DELIVERY if service.row.grant is Mode.DEPLOYMENT else Mode.DEPLOYMENT)
        if (placement := service.placement(PRODUCTION)) and placement.floor:
            self.touch_all(service)
            service.lift_floor()

    def _go(self, service: SimulatedService, run: SimulatedRun) -> None:
        service.go()


def _only_people_are_missing(run: SimulatedRun) -> bool:
    """Whether a gate waits for a yes, and for nothing that a yes does not change."""
    rules = {one.rule for one in run.row.because}
    return run.row.status is RunStatus.WAITING and "approvals" in rules and not rules & IN_VAIN
