"""The seam between the engine and the way in which a deployment is installed."""

from __future__ import annotations

from typing import Protocol

from tidegate.model.ids import DeploymentId, Generation
from tidegate.model.installation import DesiredInstallation, Installation


class TargetAway(Exception):
    """The target cannot be asked or told now; the message says why. Nothing is known of its deployments until it can
    (which is not the same as ABSENT): try again."""


class Target(Protocol):
    """Installs deployments. Looks first and does only the difference; each call takes seconds at most."""

    def apply(self, desired: DesiredInstallation, generation: Generation) -> Installation:
        """Bring the deployment nearer to what is desired and say how far it is.

        Called again until it is READY (or ABSENT for 0 instances); long work is started by one call and observed
        by the next. Raises model.generation.StaleGeneration when the placement has seen a higher one,
        or TargetAway.
        """

    def observe(self, deployment: DeploymentId) -> Installation:
        """How the deployment is now; changes nothing. Raises TargetAway."""
