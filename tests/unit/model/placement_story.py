"""A placement whose decisions are carried out in memory: a target and a router that do what they are told, or do not.

Whatever a test tells with it, some things are checked on the way: generations only grow, shares add up, traffic goes to
healthy instances only, nothing stops while it gets traffic, and a decision that changes nothing waits for something.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from tests.unit.model.builders import (
    HOUR,
    NEW,
    NOON,
    OLD,
    OLDER,
    PRODUCTION,
    a_deployment,
    a_placement,
    a_rollout,
    a_service,
    an_environment,
    endpoints,
)

from tidegate.model.actor import Actor
from tidegate.model.approval import Approval
from tidegate.model.decide_placement import decide_placement
from tidegate.model.decision import Decision
from tidegate.model.deployment import Deployment
from tidegate.model.effect import Act, Drain, Effect, EffectState, Install, SetShares, act_key
from tidegate.model.event import Event, EventKind
from tidegate.model.ids import DeploymentId, EffectId, IncidentId
from tidegate.model.incident import Incident
from tidegate.model.installation import (
    Endpoint,
    Installation,
    InstallationState,
    Instance,
    InstanceState,
    Route,
    Routing,
)
from tidegate.model.pipeline import DeployRule, VerifyRule
from tidegate.model.placement import Arrangement, Part, Placement
from tidegate.model.placement_draft import PlacementState
from tidegate.model.rollout import Cause, Rollout, RolloutState
from tidegate.model.service import Service
from tidegate.model.share import NONE, WHOLE, WHOLE_PARTS
from tidegate.model.verdict import Judgement

FIRST_PORT = {NEW: 9200, OLD: 9100}
TURNS_AT_MOST = 60


@dataclass
class PlacementStory:
    """What is in the rows and in the world; the tests change both."""

    state: PlacementState
    now_: timedelta = timedelta(0)
    events: list[Event] = field(default_factory=list)
    told: list[Routing] = field(default_factory=list)
    """Every split that the router took."""

    log: list[str] = field(default_factory=list)
    """What was carried out, in words and in order."""

    broken: set[DeploymentId] = field(default_factory=set)
    """What cannot be installed, however often it is tried."""

    slow: set[DeploymentId] = field(default_factory=set)
    """What is being prepared for as long as it is here."""

    away: str = ""
    """Why nothing is taken, where it is not: no act at all, or none of the kind `refused`."""

    refused: type[Act] | None = None

    busy: set[DeploymentId] = field(default_factory=set)
    """Whose requests do not end."""

    incidents: dict[IncidentId, Incident] = field(default_factory=dict)
    """All that were opened, as they are now."""

    running: dict[DeploymentId, int] = field(default_factory=dict)
    _ids: int = 0

    def __post_init__(self) -> None:
        self.running = {one.id: one.installed for one in self.state.deployments.values() if one.installed}

    # what is to be read

    @property
    def placement(self) -> Placement:
        return self.state.placement

    @property
    def rollout(self) -> Rollout:
        assert self.state.rollout is not None
        return self.state.rollout

    @property
    def service(self) -> Service:
        return self.state.service

    @property
    def shares(self) -> dict[DeploymentId, str]:
        """Who gets traffic now, as the router was last told."""
        routes = self.told[-1].routes if self.told else ()
        return {route.deployment: str(route.share) for route in routes if route.share > NONE}

    def deployment(self, name: DeploymentId = NEW) -> Deployment:
        return self.state.deployments[name]

    def said(self, kind: EventKind) -> list[str]:
        return [event.text for event in self.events if event.kind is kind]

    # what happens

    def settle(self) -> PlacementStory:
        """Decide and perform until nothing more happens by itself at this moment."""
        for _ in range(TURNS_AT_MOST):
            decision = self.decide()
            performed = self.perform()
            if not performed and not decision.changes and not decision.effects:
                assert not decision.events, f"a decision that changes nothing tells {decision.events}"
                self._waits_for_something(decision)
                return self
        raise AssertionError("it never settles: " + "; ".join(self.log[-6:]))

    def wait(self, span: timedelta) -> PlacementStory:
        """Let time pass, and look again."""
        self.now_ += span
        return self.settle()

    def hear(self, judgement: Judgement | None, **endings: Installation) -> PlacementStory:
        """A batch is over: figures are read and judged, and the target is asked how the instances are.

        By name (`new`, `old`) a test says what the target sees where it is not healthy.
        """
        if self.state.rollout and self.rollout.measure_at:
            self.now_ = max(self.now_, self.rollout.measure_at - NOON)
        seen = {name: self.healthy(name, count) for name, count in self.running.items() if count}
        seen |= {{"new": NEW, "old": OLD}[name]: ending for name, ending in endings.items()}
        self.state = replace(self.state, measured=True, observed=seen, judgement=judgement)
        self.decide()
        self.state = replace(self.state, measured=False, observed=None, judgement=None)
        return self.settle()

    def answer(self, *approvals: Approval) -> PlacementStory:
        self.state = replace(self.state, approvals=(*self.state.approvals, *approvals))
        return self.settle()

    def people_say(self, **changes: object) -> PlacementStory:
        """A person's act changes the rollout's row: hold, promote, roll back."""
        self.state = replace(self.state, rollout=replace(self.rollout, **changes))  # type: ignore[arg-type]
        return self.settle()

    def roll_back(self, actor: Actor) -> PlacementStory:
        return self.people_say(rollback_asked=Cause(f"rolled back by {actor.name}", True, actor))

    # how the rows and the world take it

    def decide(self) -> Decision:
        """One look: decide, and save what was decided."""
        before = self.placement
        self.state = replace(self.state, new_incident=IncidentId(f"incident-{len(self.incidents) + 1}"))
        decision = decide_placement(self.state, NOON + self.now_)
        effects = {effect.key: effect for effect in self.state.effects}
        for entity in decision.changes:
            self._save(entity)
        assert self.placement.generation >= before.generation, "a generation decreased"
        if self.placement.arrangement != before.arrangement:
            assert self.placement.generation > before.generation, "another arrangement under the same generation"
        if self.placement.generation > before.generation:
            effects.clear()
        for wanted in decision.effects:
            assert wanted.generation == self.placement.generation, "an effect of an older generation"
            key = act_key(wanted.act)
            if key not in effects or wanted.again:
                effects[key] = self._effect(key, wanted.act, wanted.due_at - NOON)
        self.state = replace(self.state, effects=tuple(effects.values()))
        self.events += decision.events
        return decision

    def perform(self) -> bool:
        """Perform what is due; whether something came of it."""
        changed = False
        performed: list[Effect] = []
        for effect in self.state.effects:
            now = effect
            if effect.state is EffectState.PENDING and effect.due_at <= NOON + self.now_:
                now = self._perform(effect)
                changed |= now != effect
            performed.append(now)
        self.state = replace(self.state, effects=tuple(performed))
        return changed

    def _effect(self, key: str, act: Act, due: timedelta) -> Effect:
        self._ids += 1
        return Effect(
            id=EffectId(str(self._ids)),
            placement=self.placement.id,
            generation=self.placement.generation,
            key=key,
            act=act,
            state=EffectState.PENDING,
            created_at=NOON + self.now_,
            due_at=NOON + due,
        )

    def _save(self, entity: object) -> None:
        match entity:
            case Placement():
                self.state = replace(self.state, placement=entity)
            case Service():
                self.state = replace(self.state, service=entity)
            case Rollout():
                self.state = replace(self.state, rollout=entity)
            case Incident():
                self.state = replace(self.state, incident=entity if entity.is_open else None)
                self.incidents[entity.id] = entity
            case Deployment():
                self.state = replace(self.state, deployments={**self.state.deployments, entity.id: entity})
            case _:
                raise AssertionError(f"a placement's decision changes {entity}")

    def _perform(self, effect: Effect) -> Effect:
        if self.away and (self.refused is None or isinstance(effect.act, self.refused)):
            return replace(effect, detail=self.away, installation=None)
        done = replace(effect, state=EffectState.DONE, done_at=NOON + self.now_, detail="")
        match effect.act:
            case Install(deployment, instances):
                if deployment in self.broken and instances:
                    failed = Installation(InstallationState.FAILED, detail="the command does not exist")
                    return replace(effect, state=EffectState.FAILED, detail=failed.detail, installation=failed)
                if deployment in self.slow and instances:
                    begun = Installation(InstallationState.PREPARING, detail="pip install goes on")
                    return replace(effect, detail=begun.detail, installation=begun)
                self._install(deployment, instances)
                return replace(done, installation=self.healthy(deployment, instances))
            case SetShares(routing):
                self._route(routing)
                return done
            case Drain(deployment, leaving):
                if deployment in self.busy:
                    return replace(effect, detail="requests are still in flight")
                self.log.append(f"drain {deployment} of {len(leaving)}")
                return done

    def _install(self, name: DeploymentId, instances: int) -> None:
        before = self.running.get(name, 0)
        leaving = {endpoint.port for endpoint in self._endpoints(name, before)[instances:]}
        for route in self.told[-1].routes if self.told else ():
            busy = {endpoint.port for endpoint in route.endpoints} if route.share > NONE else set()
            assert not leaving & busy, f"an instance of {name} stops while it gets traffic"
        self.running[name] = instances
        ports = tuple(endpoint.port for endpoint in self._endpoints(name, instances))
        known = self.state.deployments[name]
        if len(ports) > len(known.ports) or not instances:
            self._save(replace(known, ports=ports))
        if before != instances:
            self.log.append(f"install {instances} of {name}")

    def _route(self, routing: Routing) -> None:
        assert sum(route.share.parts for route in routing.routes) in (0, WHOLE_PARTS)
        assert len([route for route in routing.routes if route.share > NONE]) <= 2, "never three at once"
        for route in routing.routes:
            there = self._endpoints(route.deployment, self.running.get(route.deployment, 0))
            if route.share > NONE:
                assert route.endpoints, f"{route.deployment} gets traffic without a healthy instance"
                assert set(route.endpoints) <= set(there), f"{route.deployment} gets traffic where nothing runs"
        before = self.shares
        self.told.append(routing)
        if self.shares != before:
            self.log.append("route " + (" ".join(f"{name}={share}" for name, share in self.shares.items()) or "none"))

    def _endpoints(self, name: DeploymentId, instances: int) -> tuple[Endpoint, ...]:
        first = FIRST_PORT.get(name, 9000)
        return endpoints(tuple(range(first, first + instances)))

    def healthy(self, name: DeploymentId, instances: int) -> Installation:
        known = self._endpoints(name, instances)
        copies = tuple(Instance(index, one, InstanceState.HEALTHY) for index, one in enumerate(known))
        return Installation(InstallationState.READY if instances else InstallationState.ABSENT, copies)

    def _waits_for_something(self, decision: Decision) -> None:
        """A time, an effect that is still to be performed, a person, or nothing because it is empty and at rest."""
        pending = any(effect.state is EffectState.PENDING for effect in self.state.effects)
        empty = self.placement.serving is None and (self.state.rollout is None or self.rollout.state.is_ended)
        assert decision.wake_at or pending or empty, f"nothing will ever wake {self.placement}"


def a_story(
    placement: Placement, deployments: Sequence[Deployment], rollout: Rollout | None, *, protected: bool = True
) -> PlacementStory:
    known: Mapping[DeploymentId, Deployment] = {one.id: one for one in deployments}
    environment = replace(an_environment(PRODUCTION), protected=protected)
    if rollout:
        placement = replace(placement, rollout=rollout.id)
    story = PlacementStory(
        PlacementState(placement, environment, a_service(), rollout, known, run_open=True, batch=timedelta(seconds=10))
    )
    if placement.serving:
        installed = story.deployment(placement.serving)
        story.told = [_all_to(placement, installed)]
    return story


def _all_to(placement: Placement, deployment: Deployment) -> Routing:
    return Routing(placement.id, placement.port, (Route(deployment.id, WHOLE, deployment.endpoints),))


def an_upgrade(
    rule: DeployRule, verify: VerifyRule | None = None, *, instances: int = 2, old: int = 2, protected: bool = True
) -> PlacementStory:
    """The old deployment serves with `old` instances, and a rollout to the new one has just begun."""
    placement = a_placement(Part(OLD, old, WHOLE))
    deployments = [a_deployment(OLD, instances=old, installed=old, order=1), a_deployment(NEW, instances=instances)]
    rollout = a_rollout(rule, verify, instances=instances, old_instances=old)
    return a_story(placement, deployments, rollout, protected=protected)


def with_an_older_one_kept_warm(story: PlacementStory) -> PlacementStory:
    """A third deployment, which an earlier rollout left whole for an instant way back."""
    older = replace(a_deployment(OLDER, installed=2, order=0), warm_until=NOON + HOUR)
    parts = (*story.placement.arrangement.parts, Part(OLDER, 2))
    placement = replace(story.placement, arrangement=Arrangement(parts))
    story.state = replace(story.state, placement=placement, deployments={**story.state.deployments, OLDER: older})
    story.running[OLDER] = 2
    return story


def a_first_release(rule: DeployRule, verify: VerifyRule | None = None, *, instances: int = 2) -> PlacementStory:
    """Nothing serves, and the first rollout has just begun."""
    rollout = a_rollout(rule, verify, instances=instances, old=None)
    return a_story(a_placement(), [a_deployment(NEW, instances=instances)], rollout)


def at_rest(*, instances: int = 2) -> PlacementStory:
    """One deployment serves, and no rollout goes on."""
    placement = a_placement(Part(OLD, instances, WHOLE))
    return a_story(placement, [a_deployment(OLD, instances=instances, installed=instances, order=1)], None)


def is_at_rest_with(story: PlacementStory, name: DeploymentId | None, instances: int = 2) -> bool:
    """Whether exactly one known deployment serves, whole and alone (or none), and nothing else is there."""
    wanted = Arrangement((Part(name, instances, WHOLE),)) if name else Arrangement()
    alone = {one: count for one, count in story.running.items() if count} == ({name: instances} if name else {})
    return alone and story.placement.arrangement == wanted and story.placement.reached_at is not None


def ended(story: PlacementStory) -> bool:
    return story.rollout.state in (RolloutState.SUCCEEDED, RolloutState.ROLLED_BACK)
