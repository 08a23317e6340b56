"""How the environment of a step or of a deployed service is built: the one place that knows."""

from __future__ import annotations

from collections.abc import Mapping

from tidegate.model.deployment import Deployment
from tidegate.model.placement import Placement
from tidegate.model.run import Run
from tidegate.model.step_inputs import variables_in
from tidegate.model.step_run import BUILD, StepRun

FIXED_EPOCH = "315532800"
"""1980-01-01, the first day that a ZIP archive can name; see https://reproducible-builds.org/specs/source-date-epoch/."""


def step_environment(run: Run, step: StepRun, environment: str | None, address: str | None) -> dict[str, str]:
    """The variables of a step. A build's step knows of no environment and no address.

    A step with inputs is told only those of the run's variables that are among them: its result is kept for other
    runs.
    """
    of_run = run_variables(run, step)
    epoch = str(round(run.change.at.timestamp()))
    if step.step.is_cacheable:
        of_run = {name: of_run[name] for name in variables_in(step.step.inputs) if name in of_run}
        epoch = FIXED_EPOCH
    known = {
        **step.step.env,
        "SOURCE_DATE_EPOCH": epoch,
        "TIDEGATE_SERVICE": run.service,
        "TIDEGATE_STEP": step.name,
        **of_run,
    }
    if step.scope != BUILD:
        known |= {
            "TIDEGATE_STAGE": step.scope,
            "TIDEGATE_ENVIRONMENT": environment or "",
            "TIDEGATE_URL": address or "",
        }
    return known


def run_variables(run: Run, step: StepRun) -> dict[str, str]:
    """What differs from run to run."""
    assert run.pipeline is not None
    return {
        "TIDEGATE_RUN": run.id,
        "TIDEGATE_COMMIT": run.change.commit,
        "TIDEGATE_BRANCH": run.pipeline.branch or "",
        "TIDEGATE_ATTEMPT": str(step.attempt),
        "TIDEGATE_RELEASE": run.release or "",
    }


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
