"""What a file, or the server, demands at the gate to production besides people and hours; and the text that says so.

A policy has its expression for the engine, and beside it what it comes to in the simulated world: the rules ask that.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from tidegate.sim.version import Version

SECRET = "TICKETS"  # noqa: S105  the name of one
THE_FILES_ADDRESS, THE_FLOORS_ADDRESS = "https://tickets.example.com/file", "https://tickets.example.com/floor"
ENOUGH = 80.0
"""So many percent of the lines that are run through are enough for the policies that ask."""


@dataclass(frozen=True, slots=True)
class SimulatedPolicy:
    """An expression, and whether it holds of a version at a time."""

    expression: str
    holds: Callable[[Version, datetime], bool]


def _is_covered(version: Version) -> bool:
    return version.line_coverage is not None and version.line_coverage >= ENOUGH


POLICIES = (
    SimulatedPolicy("release.coverage.line >= 80.0", lambda version, _: _is_covered(version)),
    SimulatedPolicy(
        "!has(release.coverage) || release.coverage.line >= 80.0",
        lambda version, _: version.line_coverage is None or _is_covered(version),
    ),
    SimulatedPolicy(
        "release.tests.total > 0 && release.tests.failed == 0",
        lambda version, _: version.failed_tests == 0,
    ),
    SimulatedPolicy("now.getMinutes() % 2 == 0", lambda _, at: at.minute % 2 == 0),
    SimulatedPolicy("release.scan.critical == 0", lambda _version, _at: False),
)
"""The last one asks for a scan, which nobody ever reports."""


@dataclass(frozen=True, slots=True)
class Demand:
    """What one source demands; a floor may demand all of it, a file only a policy and an answer from outside."""

    policy: SimulatedPolicy | None = None
    asks: str | None = None
    """The time that the address has to answer; None where none is asked."""

    approvals: int = 0
    staging_first: bool = False
    never_automatic: bool = False


NOTHING = Demand()


def gate_texts(demand: Demand, address: str) -> list[str]:
    """What stands in the section of a gate."""
    found = []
    if demand.policy:
        found.append(f"policy: '{demand.policy.expression}'")
    if demand.asks:
        found.append(f"external: {{url: '{address}', secret: {SECRET}, timeout: {demand.asks}}}")
    return found


def server_text(floor: Demand) -> str:
    """The server's configuration with that floor for production."""
    gate = gate_texts(floor, THE_FLOORS_ADDRESS)
    if floor.approvals:
        gate.append(f"approvals: {{count: {floor.approvals}}}")
    lines = ["floors:", "  - name: of the company", f"    gate: {{{', '.join(gate)}}}"]
    if floor.staging_first:
        lines.append("    requires: [staging]")
    if floor.never_automatic:
        lines.append("    mode: delivery")
    return "\n".join(lines) + "\n"
