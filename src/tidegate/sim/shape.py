"""The shape of a simulated pipeline, and the `tidegate.yaml` that says so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tidegate.model.pipeline import Mode, OnBlind, OnDoubt, Strategy
from tidegate.sim.demand import NOTHING, THE_FILES_ADDRESS, Demand, gate_texts

ORDERS, WISH_LIST = "orders", "wish list"
OWN = {ORDERS: "worse: down, tolerance: 10%", WISH_LIST: "usage: true"}
"""Metrics of a service's own, and how each is compared."""


@dataclass(frozen=True, slots=True)
class Approve:
    """A point between two shares at which people are asked."""

    count: int = 1


@dataclass(frozen=True, slots=True)
class Shape:
    """What differs between simulated pipelines; durations are written as in the file."""

    mode: Mode = Mode.DEPLOYMENT
    strategy: Strategy = Strategy.CANARY
    shares: Sequence[str | Approve] = ("10%", "50%")
    instances: int = 2
    approvals: int | None = None
    expires: str | None = None
    staging: bool = True
    staging_steps: bool = True
    staging_verified: bool = False
    drops: bool = False
    """Whether the last step in production is one that cannot be undone."""

    step_attempts: int = 1
    at_most: str = "10m"
    soak: str = "0s"
    watch: str = "0s"
    keep_warm: str = "20s"
    verified: bool = True
    no_data: OnDoubt = OnDoubt.HOLD
    undecided: OnDoubt = OnDoubt.HOLD
    objective: str | None = None
    checks: int = 0
    """How many scripts run while a deployment is verified."""

    load: bool = False
    """Whether verification ends with a load check."""

    own: Sequence[str] = ()
    """The metrics of the service's own that are compared: of OWN."""

    step_timeout: str = "2m"
    blind: OnBlind | None = None
    blind_after: str = "5m"
    window: Sequence[str] = ()
    """The hours (UTC) in which the gate to production opens; where there are none, at all times."""

    demand: Demand = NOTHING
    """What the gate to production demands besides."""

    hooks: bool = field(default=False, repr=False)
    """Whether something runs after a rollback in production. What is drawn by a shape's words must not depend on it."""


def pipeline_text(service: str, shape: Shape) -> str:
    """The file of a service with a pipeline of that shape."""
    timeout = f"timeout: {shape.step_timeout}"
    retry = timeout + f", retry: {{attempts: {shape.step_attempts}, causes: [lost, timeout, failed]}}"
    lines = [
        f"service: {service}",
        "risk: high",
        f"mode: {shape.mode.value}",
        "build:",
        "  steps:",
        f"    - {{name: unit tests, run: 'true', reports: {{junit: tests.xml}}, {retry}}}",
        f"    - {{name: package, needs: [unit tests], run: 'true', {retry}}}",
        "runtime:",
        "  command: serve",
        f"  instances: {shape.instances}",
        "  health: {path: /healthz, within: 10s}",
        "stages:",
    ]
    if shape.staging:
        lines += ["  - name: staging", "    environment: staging", "    deploy: {strategy: blue-green, keep_warm: 0s}"]
        if shape.staging_steps:
            lines.append(f"    steps: [{{name: integration tests, run: 'true', {retry}}}]")
        if shape.staging_verified:
            lines.append(f"    verify: {_verify(shape)}")
    lines += ["  - name: production", "    environment: production"]
    if gate := _gate(shape):
        lines.append(f"    gate: {{{', '.join(gate)}}}")
    lines.append(f"    deploy: {_deploy(shape)}")
    if shape.drops:
        lines.append(f"    steps: [{{name: drop old tables, run: 'true', irreversible: true, {retry}}}]")
    if shape.verified:
        lines.append(f"    verify: {_verify(shape)}")
    return "\n".join(lines) + "\n"


def _gate(shape: Shape) -> list[str]:
    rules = []
    if shape.approvals is not None:
        expires = f", expires: {shape.expires}" if shape.expires else ""
        rules.append(f"approvals: {{count: {shape.approvals}{expires}}}")
    if shape.window:
        windows = ", ".join(f'{{hours: "{hours}", timezone: UTC}}' for hours in shape.window)
        rules.append(f"window: [{windows}]")
    return rules + gate_texts(shape.demand, THE_FILES_ADDRESS)


def _deploy(shape: Shape) -> str:
    shares = ""
    if shape.strategy is Strategy.CANARY:
        points = [f"{{approve: {one.count}}}" if isinstance(one, Approve) else one for one in shape.shares]
        shares = f", shares: [{', '.join(points)}]"
    hooks = ", hooks: {after_rollback: [{name: clear caches, run: 'true'}]}" if shape.hooks else ""
    return f"{{strategy: {shape.strategy.value}{shares}, keep_warm: {shape.keep_warm}{hooks}}}"


def _verify(shape: Shape) -> str:
    return (
        f"{{soak: {shape.soak}, at_most: {shape.at_most}, watch: {shape.watch}, "
        f"undecided: {shape.undecided.value}, no_data: {shape.no_data.value}, "
        + (f"objective: {{availability: {shape.objective}}}, " if shape.objective else "")
        + (f"checks: [{', '.join(_check(number) for number in range(shape.checks))}], " if shape.checks else "")
        + ("load: {of: production, at_least: 100/s, protected: true}, " if shape.load else "")
        + (f"blind: {shape.blind.value}, " if shape.blind else "")
        + f"blind_after: {shape.blind_after}, "
        + f"metrics: {{{''.join(map(_own, shape.own))}latency: {{quantiles: [0.5], tolerance: 25%}}}}}}"
    )


def _own(name: str) -> str:
    return f"{name}: {{source: prometheus, query: '{name} of $deployment', window: 10s, {OWN[name]}}}, "


def _check(number: int) -> str:
    """Every second one bears a failure; rounds are far apart, so that a world comes to rest between them."""
    return f"{{name: check {number}, run: 'true', every: 5m, timeout: 2m, failures: {1 + number % 2}}}"
