"""How the environment of a step or of a deployed service is built: the one place that knows."""

from __future__ import annotations

from collections.abc import Mapping

from tidegate.model.deployment import Deployment
from tidegate.model.placement import Placement
from tidegate.model.run import Run
from tidegate.model.step_run import BUILD, StepRun


def step_environment(run: Run, step: StepRun, environment: str | None, address: str | None) -> dict[str, str]:
    """The variables of a step. A build's step knows of no environment and no address."""
    assert run.pipeline is not None
    known = {
        **step.step.env,
        "TIDEGATE_SERVICE": run.service,
        "TIDEGATE_RUN": run.id,
        "TIDEGATE_COMMIT": run.change.commit,
        "TIDEGATE_BRANCH": run.pipeline.branch or "",
        "TIDEGATE_STEP": step.name,
        "TIDEGATE_ATTEMPT": str(step.attempt),
        "TIDEGATE_RELEASE": run.release or "",
    }
    if step.scope != BUILD:
        known |= {
            "TIDEGATE_STAGE": step.scope,
            "TIDEGATE_ENVIRONMENT": environment or "",
            "TIDEGATE_URL": address or "",
        }
    return known


def service_environment(deployment: Deployment, placement: Placement) -> Mapping[str, str]:
    """The variables of a deployed service, without PORT and secrets."""
    return {
        **deployment.runtime.env,
        "TIDEGATE_SERVICE": placement.service,
        "TIDEGATE_ENVIRONMENT": placement.environment,
        "TIDEGATE_DEPLOYMENT": deployment.id,
        "TIDEGATE_RELEASE": deployment.release,
        "TIDEGATE_COMMIT": deployment.commit,
        "TIDEGATE_URL": address_of(placement),
    }


def address_of(placement: Placement) -> str:
    """Where a placement's service answers; it never changes."""
    return f"http://127.0.0.1:{placement.port}"
