"""Sending a load check's requests with Locust, and reading what it measured."""

from __future__ import annotations

import json
import math
import shlex
import sys
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import Any

from tidegate.agent.collect import NotMade
from tidegate.agent.confined import ConfinedFolder, Escape
from tidegate.model.load import LoadPlan, LoadReport, LoadStep

MISSING = (126, 127)
"""The exit codes of a shell that say that the tool is not there, or not for the steps' user."""

MISSING_IN_WORDS = (
    "this agent has no load tool that the user of its steps may run: install Locust there (pip install locust), so "
    "that the command locust is on the agent's PATH or beside its Python"
)

_RAMP = ".tidegate-load.py"
_REPORT = ".tidegate-load.json"
_REPORT_BYTES = 1_000_000


def load_script(plan: LoadPlan) -> str:
    """The script that sends a plan, in the place of a step's own."""
    ramp = resources.files("tidegate.agent").joinpath("load_ramp.py").read_text()
    beside = shlex.quote(str(Path(sys.executable).parent / "locust"))
    host = shlex.quote("/".join(plan.url.split("/")[:3]))
    return "\n".join(
        (
            "tool=$(command -v locust || true)",
            f'[ -n "$tool" ] || tool={beside}',
            f"cat > {_RAMP} <<'END_OF_RAMP'",
            ramp.rstrip("\n"),
            "END_OF_RAMP",
            f'exec "$tool" -f {_RAMP} --headless --only-summary --exit-code-on-error 0 -u 1 -r 1 --host {host}',
        )
    )


def load_environment(plan: LoadPlan) -> Mapping[str, str]:
    """What the ramp is told."""
    return {"TIDEGATE_LOAD_PLAN": json.dumps(asdict(plan)), "TIDEGATE_LOAD_REPORT": _REPORT}


def read_load(plan: LoadPlan, folder: ConfinedFolder) -> LoadReport:
    """What was measured. Raises NotMade."""
    try:
        with folder.open(_REPORT) as file:
            found = json.loads(file.read(_REPORT_BYTES))
        return LoadReport(
            steps=tuple(_step(one) for one in found["steps"]),
            began_at=datetime.fromtimestamp(found["began"], UTC),
            ended_at=datetime.fromtimestamp(found["ended"], UTC),
            busiest=plan.busiest,
        )
    except FileNotFoundError:
        raise NotMade("the load tool ended without a report; its log says why") from None
    except (Escape, OSError, ValueError, KeyError, TypeError, OverflowError) as error:
        raise NotMade(f"the load tool's report cannot be used: {error}") from None


def _step(found: Mapping[str, Any]) -> LoadStep:
    return LoadStep(
        rate=_number(found["rate"]),
        sent=int(found["sent"]),
        failed=int(found["failed"]),
        sent_rate=_number(found["sent_rate"]),
        answered_rate=_number(found["answered_rate"]),
        p50=_milliseconds(found["p50"]),
        p95=_milliseconds(found["p95"]),
        p99=_milliseconds(found["p99"]),
    )


def _number(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{value} is no figure")
    return number


def _milliseconds(value: Any) -> float | None:
    return None if value is None else _number(value)
