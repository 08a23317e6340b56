"""What people do to services: add, pause, resume, grant a mode, remove."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from sqlalchemy import Connection

from tidegate.engine.creation import Pushed, create_run
from tidegate.engine.engine import Engine
from tidegate.engine.refusal import Refusal, Refused, not_found
from tidegate.model.actor import Actor
from tidegate.model.event import Event, EventKind
from tidegate.model.ids import RolloutId, RunId, ServiceName
from tidegate.model.pipeline import Mode, Outdated
from tidegate.model.placement import Placement
from tidegate.model.rollout import Cause
from tidegate.model.rollout_begin import begin_return
from tidegate.model.run import Run, Trigger
from tidegate.model.service import Service
from tidegate.store import events, queries, rows

SERVICE_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")


class ServiceActs:
    """Each act is one transaction that changes rows and records who did it, and then a hint."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._parts = engine.parts

    def add(self, service: Service, pushed: Pushed, actor: Actor) -> Run:
        """Know a service from now on, and begin with its newest commit. Raises Refused for a bad or known name."""
        with self._parts.database.writing() as connection:
            self._parts.database.lock_service(connection, service.name)
            _check_new(connection, service.name)
            rows.put(connection, service)
            self._say(
                connection, service.name, EventKind.SERVICE_ADDED, f"{service.name} from {service.repository}", actor
            )
            run = create_run(connection, self._parts, service, pushed)
        self._engine.queue.hint(f"run:{run.id}")
        return run

    def check_new(self, name: ServiceName) -> None:
        """Raise Refused where no service of that name can be added."""
        with self._parts.database.reading() as connection:
            _check_new(connection, name)

    def push(self, name: ServiceName, commits: list[Pushed]) -> tuple[Run, ...]:
        """Begin a run for each new commit, oldest first, and remember the newest as seen."""
        runs: list[Run] = []
        outdated: set[RunId] = set()
        with self._parts.database.writing() as connection:
            self._parts.database.lock_service(connection, name)
            service = queries.service(connection, name)
            if service is None or not commits:
                return ()
            for pushed in commits:
                runs.append(create_run(connection, self._parts, service, pushed))
                service = queries.service(connection, name) or service
                outdated |= self._end_outdated(connection, runs[-1])
            rows.put(connection, replace(service, last_seen=commits[-1].change.commit, trouble=None))
        self._engine.hint_service({name}, {f"run:{run}" for run in outdated | {run.id for run in runs}})
        return tuple(runs)

    def _end_outdated(self, connection: Connection, newest: Run) -> set[RunId]:
        """Cancel older builds of the service where its newest file says so; what has become a release goes on."""
        if newest.pipeline is None or newest.pipeline.build.outdated is not Outdated.CANCEL:
            return set()
        outdated = [
            run
            for run in queries.open_runs(connection, newest.service)
            if run.order < newest.order and run.release is None and run.trigger is Trigger.PUSH
        ]
        for run in outdated:
            rows.put(connection, replace(run, cancel_asked_by=f"the newer commit {newest.label}"))
        return {run.id for run in outdated}

    def note_trouble(self, name: ServiceName, trouble: str | None) -> None:
        """Say once why a service's repository cannot be read, and once that it can be again."""
        with self._parts.database.writing() as connection:
            self._parts.database.lock_service(connection, name)
            service = queries.service(connection, name)
            if service is None or service.trouble == trouble:
                return
            rows.put(connection, replace(service, trouble=trouble))
            text = trouble or "the repository can be read again"
            said = Event(EventKind.SERVICE_TROUBLE, text, {"service": name}, data={"lasts": trouble is not None})
            events.append(connection, [said], self._parts.clock.now())

    def pause(self, name: str, actor: Actor, reason: str) -> Service:
        """Let no release of the service pass a gate."""
        because = f"{reason or 'paused'} (by {actor.name})"
        return self._change(
            name,
            actor,
            EventKind.SERVICE_PAUSED,
            f"paused: {because}",
            lambda one: replace(one, paused_because=because),
        )

    def resume(self, name: str, actor: Actor, reason: str) -> Service:
        """Lift a pause, and a stopped line: a person says go."""
        return self._change(
            name,
            actor,
            EventKind.SERVICE_RESUMED,
            f"goes on by {actor.name}" + (f": {reason}" if reason else ""),
            lambda one: replace(one, paused_because=None, line_stopped_because=None),
            reset_line=True,
        )

    def grant_mode(self, name: str, mode: Mode, actor: Actor, reason: str) -> Service:
        """Grant (or take back) that policy opens the gates to protected environments."""
        if not reason.strip():
            raise Refused(Refusal.INVALID, "a change of mode is recorded with its reason", "add --reason TEXT")
        protected = [one for one in self._parts.environments.values() if one.protected]
        never = [one.forbids_deployment(name) for one in protected]
        if mode is Mode.DEPLOYMENT and protected and all(never):
            text = f"the server never lets policy open the gates of {name}: {never[0]}"
            raise Refused(Refusal.REFUSED, text, "its administrator changes tidegate-server.yaml")
        text = f"{actor.name} grants mode: {mode.value}: {reason}"
        now = self._parts.clock.now()
        return self._change(
            name,
            actor,
            EventKind.SERVICE_MODE,
            text,
            lambda one: replace(one, grant=mode, granted_at=now, demoted_because=None),
        )

    def remove(self, name: str, actor: Actor) -> Service:
        """Forget the service: its runs are cancelled and everything of it is stopped. The record stays."""
        now = self._parts.clock.now()
        with self._parts.database.writing() as connection:
            service = self._known(connection, name)
            service = replace(service, removed_at=now)
            rows.put(connection, service)
            for run in queries.open_runs(connection, name):
                rows.put(connection, replace(run, cancel_asked_by=actor.name, wake_at=now))
            for placement in queries.placements(connection, name):
                self._stop(connection, placement, actor)
            self._say(connection, service.name, EventKind.SERVICE_REMOVED, f"{name} is removed by {actor.name}", actor)
        self._engine.sweep()
        return service

    def set_secret(self, name: str, secret: str, value: str, actor: Actor) -> None:
        """Keep a secret of a service, sealed. Its value is never shown again."""
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,99}", secret):
            raise Refused(Refusal.INVALID, f"{secret!r} cannot name a secret", "use letters, digits and underscores")
        with self._parts.database.writing() as connection:
            queries.put_secret(connection, name, secret, self._parts.secrets.seal(value), self._parts.clock.now())
            text = f"{actor.name} set the secret {secret} of {name}"
            self._say(connection, ServiceName(name), EventKind.SECRET_SET, text, actor)

    def _stop(self, connection: Connection, placement: Placement, actor: Actor) -> None:
        owner = queries.rollout(connection, placement.rollout)
        cause = Cause(f"the service is removed by {actor.name}", for_cause=False, actor=actor)
        if owner and not owner.state.is_ended:
            rows.put(connection, replace(owner, rollback_asked=cause, old=None))
        elif placement.serving:
            new_id = RolloutId(self._parts.new_id())
            now = self._parts.clock.now()
            rollout, placement = begin_return(new_id, placement, None, cause, now)
            rows.put(connection, rollout)
            rows.put(connection, placement)
            about = {"service": str(placement.service), "environment": str(placement.environment), "rollout": new_id}
            said = Event(EventKind.ROLLOUT_BEGAN, f"{placement.id} is stopped: {cause.text}", about, actor)
            events.append(connection, [said], now)

    def _change(
        self,
        name: str,
        actor: Actor,
        kind: EventKind,
        text: str,
        change: Callable[[Service], Service],
        *,
        reset_line: bool = False,
    ) -> Service:
        with self._parts.database.writing() as connection:
            service = change(self._known(connection, name))
            rows.put(connection, service)
            if reset_line:
                for placement in queries.placements(connection, name):
                    rows.put(connection, replace(placement, rollbacks_in_a_row=0))
            self._say(connection, service.name, kind, f"{name}: {text}", actor)
        self._engine.hint_service({name})
        return service

    def _known(self, connection: Connection, name: str) -> Service:
        self._parts.database.lock_service(connection, name)
        service = queries.service(connection, name)
        if service is None:
            raise not_found("service", name, "tidegate service list")
        return service

    def _say(self, connection: Connection, name: ServiceName, kind: EventKind, text: str, actor: Actor) -> None:
        events.append(connection, [Event(kind, text, {"service": name}, actor)], self._parts.clock.now())


def _check_new(connection: Connection, name: ServiceName) -> None:
    if not SERVICE_NAME.fullmatch(name):
        raise Refused(
            Refusal.INVALID,
            f"{name!r} cannot name a service",
            "use 1 to 40 lower-case letters, digits and hyphens",
        )
    known = queries.service(connection, name)
    if known:
        raise Refused(
            Refusal.CONFLICT,
            f"there is a service {name!r} already, from {known.repository}",
            f"tidegate service remove {name}",
        )
