"""Floors: what the server's configuration demands of every service that goes into an environment."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase

from tidegate.model.gate_rules import GateRules
from tidegate.model.ids import EnvironmentName


@dataclass(frozen=True, slots=True)
class Floor:
    """What one section of the server's configuration demands. No service's file weakens it.

    `services` are patterns of names; `must_have_passed` the environments that the same artifacts must have passed
    before; where `deployment` is false, a person opens the gate whatever is wished and granted.
    """

    gate: GateRules
    services: tuple[str, ...] = ("*",)
    must_have_passed: tuple[EnvironmentName, ...] = ()
    deployment: bool = True

    @property
    def name(self) -> str:
        """What it is called where it is given as a reason."""
        return self.gate.source

    def concerns(self, service: str) -> bool:
        """Whether it holds for the service."""
        return any(fnmatchcase(service, pattern) for pattern in self.services)
