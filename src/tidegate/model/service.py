"""A service and who may open its gates."""

from __future__ import annotations

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


def effective_mode(wish: Mode, grant: Mode | None, protected: bool) -> EffectiveMode:
    """The stricter of the file's wish and the grant; an environment that is not protected needs no grant."""
    if not protected:
        return EffectiveMode(Mode.DEPLOYMENT, Reason("mode", "the environment is not protected: policy opens its gate"))
    if wish is Mode.DELIVERY:
        return EffectiveMode(Mode.DELIVERY, Reason("mode", "mode: delivery, so a person opens the gate"))
    if grant is Mode.DEPLOYMENT:
        return EffectiveMode(Mode.DEPLOYMENT, Reason("mode", "mode: deployment is wished and granted"))
    return EffectiveMode(
        Mode.DELIVERY,
        Reason(
            "mode",
            "the file wishes mode: deployment, but it is not granted, so a person opens the gate",
            "tidegate service mode SERVICE deployment --reason …",
        ),
    )
