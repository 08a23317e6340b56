"""Identifiers. New ones are ULIDs, made by the caller and passed in."""

from __future__ import annotations

from typing import NewType

ServiceName = NewType("ServiceName", str)
EnvironmentName = NewType("EnvironmentName", str)
StageName = NewType("StageName", str)
StepName = NewType("StepName", str)
Commit = NewType("Commit", str)
Digest = NewType("Digest", str)
"""`sha256:` and 64 hexadecimal digits."""

RunId = NewType("RunId", str)
ReleaseId = NewType("ReleaseId", str)
StepRunId = NewType("StepRunId", str)
RolloutId = NewType("RolloutId", str)
EffectId = NewType("EffectId", str)
IncidentId = NewType("IncidentId", str)
DeploymentId = NewType("DeploymentId", str)
"""`<environment>-<release>-<first 8 digits of the configuration's hash>`, lower case: fit for a label or a file."""

PlacementId = NewType("PlacementId", str)
"""`<service>/<environment>`."""

Generation = NewType("Generation", int)


def placement_id(service: ServiceName, environment: EnvironmentName) -> PlacementId:
    """The placement of a service in an environment."""
    return PlacementId(f"{service}/{environment}")


def split_placement(placement: PlacementId) -> tuple[ServiceName, EnvironmentName]:
    """The service and the environment of a placement."""
    service, _, environment = placement.rpartition("/")
    return ServiceName(service), EnvironmentName(environment)
