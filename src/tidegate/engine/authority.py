"""Whether somebody may do what is asked to the service, environment or run that it concerns."""

from __future__ import annotations

from tidegate.engine.engine import Engine
from tidegate.engine.refusal import Refusal, Refused, not_found
from tidegate.engine.trains import travellers
from tidegate.model.ids import StageName
from tidegate.model.run import Run
from tidegate.security.permission import Identity, Permission
from tidegate.store import queries


class Authority:
    """Every method raises Refused where it is not allowed, and says what is missing."""

    def __init__(self, engine: Engine) -> None:
        self._parts = engine.parts

    def check(
        self, who: Identity, permission: Permission, service: str | None = None, environment: str | None = None
    ) -> None:
        """Whether `who` has the permission for that service there; None stands for what concerns no one of them."""
        if who.may(permission, service, environment):
            return
        where = f" of {service}" * bool(service) + f" in {environment}" * bool(environment)
        raise Refused(
            Refusal.REFUSED,
            f"{who.actor.name} ({who.roles}) lacks the permission {permission.value!r}{where}",
            "an administrator gives roles: tidegate user grant NAME ROLE",
        )

    def check_run(self, who: Identity, permission: Permission, run_id: str) -> None:
        """Whether `who` has the permission for the service of that run, in every environment."""
        if not who.may(permission):
            self.check(who, permission, self._run(run_id).service)

    def check_stage(self, who: Identity, permission: Permission, run: Run, stage: StageName) -> None:
        """Whether `who` has the permission for the run's service in the environment of that stage."""
        assert run.pipeline is not None  # it has stages
        self.check(who, permission, run.service, run.pipeline.stage(stage).environment)

    def check_train(self, who: Identity, permission: Permission, name: str) -> None:
        """Whether `who` has the permission for each service that travels with that train, where it goes."""
        train = self._parts.trains.get(name)
        if train is None:
            self.check(who, permission)  # else anybody could find out which trains there are
            raise not_found("train", name, "tidegate train list")
        with self._parts.database.reading() as connection:
            services = travellers(connection, self._parts, name)
        for service in services or (None,):
            self.check(who, permission, service, train.environment)

    def _run(self, run_id: str) -> Run:
        with self._parts.database.reading() as connection:
            run = queries.run(connection, run_id)
        if run is None:
            raise not_found("run", run_id, "tidegate runs")
        return run
