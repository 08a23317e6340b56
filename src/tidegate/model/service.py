"""A service and who may open its gates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from tidegate.model.ids import Commit, ServiceName
from tidegate.model.pipeline import Mode, Risk
from tidegate.model.reason import Reason


@dataclass(frozen=True, slots=True)
class Service:
    """What is deployed independently. `mode` is the file's wish, `grant` what a person granted for protected
    environments; `line_stopped_because` says why nothing goes to a protected environment until a person says go."""

    name: ServiceName
    repository: str
    added_at: datetime
    path: str = "."
    branch: str | None = None
    credential: str | None = None
    team: str | None = None
    risk: Risk = Risk.STANDARD
    mode: Mode = Mode.DELIVERY
    grant: Mode | None = None
    granted_at: datetime | None = None
    demoted_because: str | None = None
    """Why the grant does not count until a person grants anew: the service burnt its error budget."""

    lacks: tuple[str, ...] = ()
    """What the newest file lacks of the foundation of continuous deployment."""

    train: str | None = None
    """The release train that its newest file names."""

    requires: tuple[ServiceName, ...] = ()
    """The services of which its newest file requires something."""

    last_seen: Commit | None = None
    trouble: str | None = None
    paused_because: str | None = None
    line_stopped_because: str | None = None
    removed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class EffectiveMode:
    """The mode that a gate goes by, and why."""

    mode: Mode
    because: Reason


def mode_of(service: Service) -> EffectiveMode:
    """The mode by which the gates to protected environments go, as the service's newest file stands."""
    found = effective_mode(
        service.mode, service.grant, protected=True, lacks=service.lacks, demoted_because=service.demoted_because
    )
    return EffectiveMode(found.mode, found.because.of(service.name))


def effective_mode(
    wish: Mode,
    grant: Mode | None,
    protected: bool,
    lacks: Sequence[str] = (),
    forbidden_by: str | None = None,
    demoted_because: str | None = None,
) -> EffectiveMode:
    """The strictest of the file's wish, the grant and the demotion; an environment that is not protected needs none.

    `lacks` is what the foundation of continuous deployment misses, `forbidden_by` the rule of the server that says
    never: each makes a person open the gate, whatever is wished and granted.
    """
    if not protected:
        return EffectiveMode(Mode.DEPLOYMENT, Reason("mode", "the environment is not protected: policy opens its gate"))
    if wish is Mode.DELIVERY:
        return EffectiveMode(Mode.DELIVERY, Reason("mode", "mode: delivery, so a person opens the gate"))
    wished = "the file wishes mode: deployment, but"
    if forbidden_by:
        text = f"{wished} the server never grants it here ({forbidden_by}), so a person opens the gate"
        return EffectiveMode(Mode.DELIVERY, Reason("mode", text))
    if grant is not Mode.DEPLOYMENT:
        text = f"{wished} it is not granted, so a person opens the gate"
        return EffectiveMode(Mode.DELIVERY, Reason("mode", text, "tidegate service mode SERVICE deployment --reason …"))
    if demoted_because:
        text = f"{wished} it was taken away ({demoted_because}), so a person opens the gate"
        return EffectiveMode(Mode.DELIVERY, Reason("mode", text, "tidegate service mode SERVICE deployment --reason …"))
    if lacks:
        text = f"{wished} its foundation lacks something, so a person opens the gate: {'; '.join(lacks)}"
        return EffectiveMode(Mode.DELIVERY, Reason("mode", text, "tidegate validate"))
    return EffectiveMode(Mode.DEPLOYMENT, Reason("mode", "mode: deployment is wished and granted"))
