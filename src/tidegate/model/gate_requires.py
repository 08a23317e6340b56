"""The rule by which a release waits for what it needs of other services."""

from __future__ import annotations

from collections.abc import Mapping

from tidegate.model.gate import RuleVerdict, opens, waits
from tidegate.model.ids import ServiceName
from tidegate.model.requires import Requirement, Serving
from tidegate.model.version import fits

REQUIRES_RULE = "requires"


def requires(
    requirements: tuple[Requirement, ...], others: Mapping[ServiceName, Serving], environment: str
) -> RuleVerdict:
    """It opens when of each service a version that fits serves in the environment, and passed there."""
    found = [(one, _missing(one, others.get(one.service, Serving()), environment)) for one in requirements]
    missing = [(one, text) for one, text in found if text]
    if not missing:
        names = ", ".join(f"{one.service} {others[one.service].version}" for one in requirements)
        return opens(REQUIRES_RULE, f"{names} in {environment}: that is what it requires")
    return waits(REQUIRES_RULE, "; ".join(text for _, text in missing), f"tidegate status {missing[0][0].service}")


def unmet(
    requirements: tuple[Requirement, ...], others: Mapping[ServiceName, Serving], environment: str
) -> tuple[ServiceName, ...]:
    """The services of which what serves does not fit."""
    seen = ((one, others.get(one.service, Serving())) for one in requirements)
    return tuple(dict.fromkeys(one.service for one, serving in seen if _missing(one, serving, environment)))


def _missing(one: Requirement, serving: Serving, environment: str) -> str | None:
    needed = f"{one.specifier} is required"
    if not serving.is_known:
        return f"there is no service {one.service} here; {needed}"
    if serving.label is None:
        return f"nothing of {one.service} serves in {environment}; {needed}"
    if serving.version is None:
        text = f"{one.service} serves {serving.label} in {environment}, which has no version"
        return f"{text} (no version tag leads to it); {needed}"
    if not fits(serving.version, one.specifier):
        return f"{one.service} serves {serving.version} in {environment}; {needed}"
    if not serving.passed:
        return f"{one.service} {serving.version} has not passed in {environment} yet; {needed}"
    return None
