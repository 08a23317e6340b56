"""What is run for a deployment, as values: nothing here starts anything."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Mapping
from datetime import timedelta
from pathlib import Path

from tidegate.model.ids import DeploymentId
from tidegate.model.installation import DesiredInstallation
from tidegate.supervision.program import Program
from tidegate.targets.folder import DeploymentFolder

_FALLBACK_PATH = "/usr/local/bin:/usr/bin:/bin"
_PHASE_GRACE = timedelta(seconds=5)


def instance_name(deployment: DeploymentId, index: int) -> str:
    """The name of the program that is an instance of a deployment."""
    return f"svc-{deployment}-{index}"


def phase_name(deployment: DeploymentId, phase: str) -> str:
    """The name of the program that does a phase of a deployment."""
    return f"{phase}-{deployment}"


def instance_indexes(deployment: DeploymentId, names: Iterable[str]) -> list[int]:
    """The indexes of a deployment's instances among the names of programs, highest first."""
    pattern = re.compile(re.escape(f"svc-{deployment}-") + r"(\d+)")
    return sorted((int(match[1]) for name in names if (match := pattern.fullmatch(name))), reverse=True)


def instance(desired: DesiredInstallation, folder: DeploymentFolder, index: int, run_as: int | None) -> Program:
    """The program of one instance."""
    return Program(
        name=instance_name(desired.deployment, index),
        command=("sh", "-eu", "-c", desired.runtime.command),
        cwd=_work_folder(desired, folder),
        log=folder.log(f"instance-{index}"),
        env={**_environment(desired, folder, run_as), "PORT": str(desired.ports[index])},
        stop_grace=desired.runtime.stop_grace,
        run_as=run_as,
        inherited=_inherited(desired),
    )


def phase(desired: DesiredInstallation, folder: DeploymentFolder, name: str, run_as: int | None) -> Program:
    """The program of a phase, run once."""
    if name == "checkout":
        return _checkout(desired, folder, run_as)
    return Program(
        name=phase_name(desired.deployment, name),
        command=("sh", "-eu", "-c", desired.runtime.prepare or ""),
        cwd=_work_folder(desired, folder),
        log=folder.log(name),
        env=_environment(desired, folder, run_as),
        stop_grace=_PHASE_GRACE,
        autorestart=False,
        run_as=run_as,
        inherited=_inherited(desired),
    )


def _work_folder(desired: DesiredInstallation, folder: DeploymentFolder) -> Path:
    """Where the service's commands run: in a checkout, the service's own folder of it."""
    return folder.app / desired.path if desired.source else folder.app


def _checkout(desired: DesiredInstallation, folder: DeploymentFolder, run_as: int | None) -> Program:
    """The checkout, with our own rights: the repository may be closed to the user that the service gets."""
    handed_on = ("PATH", "HOME", "PYTHONPATH", "SSH_AUTH_SOCK", "LANG")
    return Program(
        name=phase_name(desired.deployment, "checkout"),
        command=(sys.executable, "-P", "-m", "tidegate.targets.checkout"),
        cwd=folder.path,
        log=folder.log("checkout"),
        env={name: os.environ[name] for name in handed_on if name in os.environ}
        | {
            "CHECKOUT_SOURCE": desired.source or "",
            "CHECKOUT_COMMIT": desired.commit,
            "CHECKOUT_INTO": str(folder.app),
            "CHECKOUT_OWNER": "" if run_as is None else str(run_as),
        },
        stop_grace=_PHASE_GRACE,
        autorestart=False,
        inherited=frozenset(handed_on),
    )


_OF_THE_SERVER = frozenset(("PATH", "LANG", "HOME", "USER", "LOGNAME"))


def _inherited(desired: DesiredInstallation) -> frozenset[str]:
    """What its commands have from the server, whose shell may be another one the next time."""
    return _OF_THE_SERVER - set(desired.env) - set(desired.secrets)


def _environment(desired: DesiredInstallation, folder: DeploymentFolder, run_as: int | None) -> Mapping[str, str]:
    """What a deployment's commands find: a plain base, what is desired, and its secrets, in rising precedence."""
    base = {"PATH": os.environ.get("PATH", _FALLBACK_PATH), "LANG": os.environ.get("LANG", "C.UTF-8")}
    if run_as is None:
        base |= {name: os.environ[name] for name in ("HOME", "USER", "LOGNAME") if name in os.environ}
    else:
        base |= {"HOME": str(folder.home), "USER": "tidegate", "LOGNAME": "tidegate"}
    return base | dict(desired.env) | dict(desired.secrets) | {"TIDEGATE_ARTIFACTS": str(folder.artifacts)}
