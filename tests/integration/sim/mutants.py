"""Engines that are broken on purpose, each in one way: the simulator must catch every one of them.

A mutant is a real engine of which one function does something else. `where` says how it is caught: by a story told
without a crash, by the same story with a crash at each point, or by random runs.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import Connection

from tidegate.engine import engine as engine_module
from tidegate.engine import leasing
from tidegate.engine.engine import Engine
from tidegate.engine.facts import judge_rollout
from tidegate.engine.loading import load_placement
from tidegate.engine.performing import Performed, Performer
from tidegate.engine.placements import PlacementActs
from tidegate.engine.refusal import Refusal, Refused
from tidegate.judge.comparison import ComparisonJudge
from tidegate.judge.judge import Case
from tidegate.model import (
    convergence,
    decide_gate,
    decide_placement,
    decide_run,
    gate_order,
    gate_time,
    rollout_forward,
    rollout_return,
    run_stages,
)
from tidegate.model.convergence import Convergence, Progress
from tidegate.model.decision import Decision
from tidegate.model.effect import Act, Effect, Install
from tidegate.model.event import Event, EventKind
from tidegate.model.gate import GateDecision, GateState, RuleVerdict
from tidegate.model.gate_question import GateQuestion
from tidegate.model.ids import IncidentId, PlacementId
from tidegate.model.placement import Arrangement, Part
from tidegate.model.placement_draft import PlacementDraft, PlacementState
from tidegate.model.reason import Reason
from tidegate.model.rollout import Cause, Rollout, RolloutState
from tidegate.model.run import RunStatus
from tidegate.model.run_draft import RunDraft
from tidegate.model.share import WHOLE
from tidegate.model.verdict import Judgement, Verdict
from tidegate.sim.shop import SimulatedService
from tidegate.sim.stories import QUICK, STORIES, WATCHED
from tidegate.sim.telling import Story
from tidegate.store import events, queries, saving

Patch = pytest.MonkeyPatch


@dataclass(frozen=True, slots=True)
class Told:
    """By a story; where it takes a crash, `crash_from` is the first point that is tried."""

    story: Story
    crash_from: int | None = None


@dataclass(frozen=True, slots=True)
class Seeds:
    """By one of some random runs, beginning with the one that found it first."""

    first: int
    at_most: int = 60


@dataclass(frozen=True, slots=True)
class Mutant:
    """`name` says what it does wrong; `rule` is how what caught it begins."""

    name: str
    breaks: Callable[[Patch], None]
    where: Told | Seeds
    rule: str


def _open(*_: object) -> RuleVerdict:
    return RuleVerdict(GateState.OPEN, Reason("nothing", "nobody looked"))


# gates


def every_gate_is_open(patch: Patch) -> None:
    def decide(_question: GateQuestion, _now: datetime) -> GateDecision:
        return GateDecision(GateState.OPEN, (Reason("nothing", "nobody looked"),), "nobody")

    patch.setattr(run_stages, "decide_gate", decide)


def an_approval_opens_for_ever(patch: Patch) -> None:
    def decide(question: GateQuestion, now: datetime) -> GateDecision:
        rules = tuple(
            replace(one, approvals=replace(one.approvals, expires=None)) if one.approvals else one
            for one in question.rules
        )
        return decide_gate.decide_gate(replace(question, rules=rules), now)

    patch.setattr(run_stages, "decide_gate", decide)


def an_older_release_comes_after_a_newer_one(patch: Patch) -> None:
    patch.setattr(gate_order, "order", _open)


def nothing_is_superseded(patch: Patch) -> None:
    patch.setattr(gate_order, "newer_release", _open)


def an_approved_release_is_superseded(patch: Patch) -> None:
    newer_release = gate_order.newer_release
    patch.setattr(gate_order, "newer_release", lambda question, _approved: newer_release(question, False))


def a_hold_holds_nothing(patch: Patch) -> None:
    patch.setattr(gate_order, "hold", _open)


def a_freeze_freezes_nothing(patch: Patch) -> None:
    patch.setattr(gate_time, "_freeze", _open)


def a_window_is_always_open(patch: Patch) -> None:
    patch.setattr(gate_time, "_window", _open)


def two_rollouts_at_once(patch: Patch) -> None:
    patch.setattr(run_stages, "_busy", lambda _draft, _site: None)


def a_breach_leaves_the_next_gate_open(patch: Patch) -> None:
    patch.setattr(run_stages, "_upstream_failure", lambda _draft, _stage: None)


# verification


def no_data_is_a_pass(patch: Patch) -> None:
    _judge_otherwise(patch, Verdict.NO_DATA, Verdict.PASS)


def no_data_is_a_fail(patch: Patch) -> None:
    _judge_otherwise(patch, Verdict.NO_DATA, Verdict.FAIL)


def harm_is_a_pass(patch: Patch) -> None:
    _judge_otherwise(patch, Verdict.FAIL, Verdict.PASS)


def _judge_otherwise(patch: Patch, said: Verdict, instead: Verdict) -> None:
    judge = ComparisonJudge.judge

    def judge_otherwise(self: ComparisonJudge, case: Case) -> Judgement:
        judgement = judge(self, case)
        return replace(judgement, verdict=instead) if judgement.verdict is said else judgement

    patch.setattr(ComparisonJudge, "judge", judge_otherwise)


def everything_is_rolled_back(patch: Patch) -> None:
    patch.setattr(decide_placement, "find_harm", lambda _draft: Cause("one never knows", for_cause=True))


def nobody_looks_while_people_are_asked(patch: Patch) -> None:
    find_harm = rollout_forward.find_harm

    def look_away(draft: PlacementDraft) -> Cause | None:
        asking = draft.rollout is not None and draft.rollout.state is RolloutState.ASKING
        return None if asking else find_harm(draft)

    patch.setattr(decide_placement, "find_harm", look_away)


def approvals_between_shares_are_ignored(patch: Patch) -> None:
    patch.setattr(rollout_forward, "_ask", rollout_forward._next_step)


# going back


def nothing_is_quarantined(patch: Patch) -> None:
    patch.setattr(rollout_return, "_quarantine", lambda _draft, _rollout, _cause: None)


def the_line_is_never_stopped(patch: Patch) -> None:
    patch.setattr(rollout_return, "ROLLBACKS_THAT_STOP_THE_LINE", 99)


def a_rollback_ends_with_one_instance(patch: Patch) -> None:
    def finish(draft: PlacementDraft, reached: Convergence) -> None:
        if reached.progress is Progress.REACHED and draft.rollout is not None:
            rollout_return._note_routed(draft, draft.rollout)
            draft.update_rollout(state=RolloutState.ROLLED_BACK, ended_at=draft.now)
            draft.say(EventKind.ROLLOUT_ENDED, "done, more or less")

    def way_back(_draft: PlacementDraft, rollout: Rollout) -> Arrangement:
        return Arrangement((Part(rollout.old, 1, WHOLE),) if rollout.old else ())

    patch.setattr(rollout_return, "_way_back", way_back)
    patch.setattr(decide_placement, "finish_return", finish)


def a_pause_blocks_a_rollback(patch: Patch) -> None:
    roll_back = PlacementActs.roll_back

    def refuse_while_paused(self: PlacementActs, service: str, *rest: Any, **named: Any) -> Rollout:
        with self._parts.database.reading() as connection:
            found = queries.known_service(connection, service)
        if found and found.paused_because:
            raise Refused(Refusal.REFUSED, "the service is paused")
        return roll_back(self, service, *rest, **named)

    patch.setattr(PlacementActs, "roll_back", refuse_while_paused)


def a_cancelled_run_ends_at_once(patch: Patch) -> None:
    def cancel(draft: RunDraft, who: str) -> None:
        decide_run._end(draft, RunStatus.CANCELLED, (Reason("cancel", f"cancelled by {who}"),))

    patch.setattr(decide_run, "_cancel", cancel)


# moving


def a_move_keeps_its_generation(patch: Patch) -> None:
    move = PlacementDraft.move

    def stay(self: PlacementDraft, arrangement: Any) -> None:
        generation = self.placement.generation
        move(self, arrangement)
        self.placement = replace(self.placement, generation=generation)

    patch.setattr(PlacementDraft, "move", stay)


def late_effects_act_as_the_newest(patch: Patch) -> None:
    """Effects of older generations are not cancelled, and whoever performs one says that it is of the newest."""
    act_on = Performer._act

    def act_as_the_newest(self: Performer, effect: Effect, act: Act) -> Performed:
        with self._parts.database.reading() as connection:
            placement = queries.placement(connection, effect.placement)
        assert placement is not None
        return act_on(self, replace(effect, generation=placement.generation), act)

    def lease(self: Performer, effect: Effect) -> Effect:
        return effect

    patch.setattr(saving, "_cancel_older", lambda _connection, _placement: None)
    patch.setattr(Performer, "_lease", lease)
    patch.setattr(Performer, "_act", act_as_the_newest)


def traffic_before_the_instances_are_healthy(patch: Patch) -> None:
    def converge(draft: PlacementDraft) -> Convergence:
        for part in draft.placement.arrangement.parts:
            if part.instances > draft.deployments[part.deployment].installed:
                draft.update_deployment(part.deployment, present=True)
                draft.effect(Install(part.deployment, part.instances))
        return convergence._route(draft)

    patch.setattr(decide_placement, "converge", converge)


def instances_stop_without_draining(patch: Patch) -> None:
    patch.setattr(convergence, "_drained", lambda _draft, _act: True)


def nothing_is_ever_removed(patch: Patch) -> None:
    patch.setattr(decide_placement, "tidy", lambda _draft: None)


def ports_are_kept(patch: Patch) -> None:
    patch.setattr(Performer, "_give_back_ports", lambda _self, _effect, _act: None)


# crashes


def events_are_told_after_their_changes(patch: Patch) -> None:
    """In a transaction of their own, so that a crash may come between."""
    untold: list[Event] = []
    hint_others = Engine._hint_others

    def save_untold(connection: Connection, decision: Decision, now: datetime, new_id: Callable[[], str]) -> None:
        untold[:] = decision.events
        saving.save(connection, replace(decision, events=()), now, new_id)

    def tell(self: Engine, *rest: Any, **named: Any) -> None:
        with self.parts.database.writing() as connection:
            events.append(connection, untold, self.parts.clock.now())
        hint_others(self, *rest, **named)

    patch.setattr(engine_module, "save", save_untold)
    patch.setattr(Engine, "_hint_others", tell)


def events_are_told_before_their_changes(patch: Patch) -> None:
    def decide(self: Engine, name: PlacementId) -> tuple[PlacementState, Decision]:
        facts, parts = self._read_facts(name), self.parts
        with parts.database.writing() as connection:
            now = parts.clock.now()
            state = load_placement(
                connection, name, parts.environments, parts.settings.batch, IncidentId(parts.new_id())
            )
            if facts.fits(state):
                judgement = judge_rollout(connection, parts.judge, state, facts)
                state = replace(state, observed=facts.observed, measured=True, judgement=judgement)
            decision = decide_placement.decide_placement(state, now)
            events.append(connection, decision.events, now)
        with parts.database.writing() as connection:
            saving.save(connection, replace(decision, events=()), now, parts.new_id)
        return state, decision

    patch.setattr(Engine, "_decide_placement", decide)


def the_leases_of_a_dead_server_are_respected(patch: Patch) -> None:
    patch.setattr(Engine, "_recover", lambda _self: None)


def a_lost_hint_is_lost(patch: Patch) -> None:
    patch.setattr(Engine, "sweep", Engine._recover)


def a_report_under_an_old_lease_counts(patch: Patch) -> None:
    patch.setattr(leasing, "_holds", lambda _step, _held: True)


def _approved_late(shop: SimulatedService) -> None:
    """A person approves just when a breach in staging was found, before anything of the run has heard of it."""
    run = shop.push("v2", WATCHED)
    shop.world.advance(until=run.waits_at("production"))
    shop.world.version("v2").fails(0.3)
    shop.world.advance(until=lambda: _goes_back(run.rollout("staging")))
    shop.approve(run)
    shop.world.advance(until=run.decided)


def _let_go_late(shop: SimulatedService) -> None:
    """The second is approved and held until the third is out."""
    second = shop.push("v2", QUICK)
    shop.hold(second)
    shop.world.advance(until=second.waits_at("production"))
    shop.approve(second)
    third = shop.push("v3", QUICK)
    shop.world.advance(until=third.waits_at("production"))
    shop.approve(third)
    shop.world.advance(until=third.decided)
    with suppress(Refused):
        shop.let_go(second)
    shop.world.advance(until=second.decided)


def _goes_back(rollout: Rollout | None) -> bool:
    return rollout is not None and rollout.cause is not None


def the(name: str) -> Story:
    """The short story of that name."""
    return next(one for one in STORIES if one.name == name)


BAD, ASKED, NEWER = (
    the("a bad canary"),
    the("a good canary with approvals"),
    the("a newer release arrives at the gate"),
)
APPROVED_LATE = Story("an approval comes too late", _approved_late, lambda shop: None)
LET_GO_LATE = Story("a release is let go too late", _let_go_late, lambda shop: None)


MUTANTS = (
    Mutant("every gate is open", every_gate_is_open, Told(NEWER), "1 "),
    Mutant(
        "an approval opens for ever", an_approval_opens_for_ever, Told(the("an approval expires while it waits")), "1 "
    ),
    Mutant(
        "an older release comes after a newer one",
        an_older_release_comes_after_a_newer_one,
        Told(LET_GO_LATE),
        "4 ",
    ),
    Mutant("nothing is superseded", nothing_is_superseded, Told(the("two releases wait and nobody approves")), "5 "),
    Mutant(
        "an approved release is superseded",
        an_approved_release_is_superseded,
        Told(the("an approved release waits while a newer one comes")),
        "5 ",
    ),
    Mutant("a hold holds nothing", a_hold_holds_nothing, Told(the("a run is held and let go")), "what a person holds"),
    Mutant("a freeze freezes nothing", a_freeze_freezes_nothing, Seeds(4), "a freeze lets nothing in"),
    Mutant("a window is always open", a_window_is_always_open, Seeds(4), "a window that is shut"),
    Mutant("two rollouts at once", two_rollouts_at_once, Told(the("a newer release arrives during a rollout")), "5 "),
    Mutant(
        "a breach leaves the next gate open",
        a_breach_leaves_the_next_gate_open,
        Told(APPROVED_LATE),
        "6 ",
    ),
    Mutant("no data is a pass", no_data_is_a_pass, Told(BAD), "7 "),
    Mutant("no data is a fail", no_data_is_a_fail, Seeds(0), "7 "),
    Mutant("harm is a pass", harm_is_a_pass, Told(BAD), "the run is succeeded, not rolled_back"),
    Mutant("everything is rolled back", everything_is_rolled_back, Seeds(0), "good releases are promoted"),
    Mutant(
        "nobody looks while people are asked",
        nobody_looks_while_people_are_asked,
        Told(the("a breach while people are asked")),
        "",
    ),
    Mutant(
        "approvals between shares are ignored", approvals_between_shares_are_ignored, Told(ASKED), "a share that asks"
    ),
    Mutant("nothing is quarantined", nothing_is_quarantined, Told(BAD), "3 "),
    Mutant("the line is never stopped", the_line_is_never_stopped, Told(the("two bad releases in a row")), "3 "),
    Mutant(
        "a rollback ends with one instance",
        a_rollback_ends_with_one_instance,
        Told(the("a person rolls back a rolling rollout")),
        "2 ",
    ),
    Mutant(
        "a pause blocks a rollback",
        a_pause_blocks_a_rollback,
        Told(the("a rollback while the service is paused")),
        "8 ",
    ),
    Mutant(
        "a cancelled run ends at once",
        a_cancelled_run_ends_at_once,
        Told(the("a cancel while it is being installed")),
        "",
    ),
    Mutant("a move keeps its generation", a_move_keeps_its_generation, Told(BAD), "every move"),
    Mutant("late effects act as the newest", late_effects_act_as_the_newest, Seeds(21), ""),
    Mutant(
        "traffic before the instances are healthy", traffic_before_the_instances_are_healthy, Told(BAD), "new instances"
    ),
    Mutant("instances stop without draining", instances_stop_without_draining, Told(BAD), "instances are drained"),
    Mutant("nothing is ever removed", nothing_is_ever_removed, Told(BAD), ""),
    Mutant("ports are kept", ports_are_kept, Told(BAD), "ports are given back"),
    Mutant("events are told after their changes", events_are_told_after_their_changes, Told(BAD, 1), ""),
    Mutant("events are told before their changes", events_are_told_before_their_changes, Told(BAD, 1), ""),
    Mutant("the leases of a dead server are respected", the_leases_of_a_dead_server_are_respected, Told(BAD, 1), ""),
    Mutant("a lost hint is lost", a_lost_hint_is_lost, Told(BAD, 1), ""),
    Mutant("a report under an old lease counts", a_report_under_an_old_lease_counts, Seeds(10), "every event once"),
)
