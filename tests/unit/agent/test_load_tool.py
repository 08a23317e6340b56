"""The load tool's script and its report: whatever a service's files make of them, the agent goes on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tidegate.agent.collect import NotMade
from tidegate.agent.confined import ConfinedFolder
from tidegate.agent.load_tool import load_environment, load_script, read_load
from tidegate.model.load import LoadPlan, LoadStep

PLAN = LoadPlan("http://127.0.0.1:8600/basket?x=1", (10.0, 20.0), 15.0, busiest=600)
STEP = {"rate": 10.0, "sent": 150, "failed": 1, "sent_rate": 10.0, "answered_rate": 9.9, "p50": 4.0, "p95": 6, "p99": 9}


def reported(folder: Path, report: Any) -> ConfinedFolder:
    text = report if isinstance(report, str) else json.dumps(report)
    (folder / ".tidegate-load.json").write_text(text)
    return ConfinedFolder(folder)


def test_the_script_brings_the_ramp_and_names_where_it_goes() -> None:
    script = load_script(PLAN)
    assert "class Ramp(FastHttpUser)" in script
    assert "--host http://127.0.0.1:8600" in script.splitlines()[-1]
    assert json.loads(load_environment(PLAN)["TIDEGATE_LOAD_PLAN"])["rates"] == [10.0, 20.0]


def test_the_report_is_read_with_the_busiest_minute_that_it_was_made_for(tmp_path: Path) -> None:
    silent = {**STEP, "answered_rate": 0, "p50": None, "p95": None, "p99": None}
    found = read_load(PLAN, reported(tmp_path, {"began": 0, "ended": 30, "steps": [STEP, silent]}))
    assert found.busiest == 600
    assert found.steps[0] == LoadStep(10.0, 150, 1, 10.0, 9.9, 4.0, 6.0, 9.0)
    assert found.steps[1].p99 is None


@pytest.mark.parametrize(
    "report",
    [
        "{",
        [],
        {"began": 0, "ended": 1},
        {"began": 0, "ended": 1, "steps": [{**STEP, "p99": "NaN"}]},
        {"began": 0, "ended": 1, "steps": [{**STEP, "rate": "Infinity"}]},
        {"began": 0, "ended": 1, "steps": [{"rate": 1}]},
        {"began": 0, "ended": 1e30, "steps": []},
    ],
)
def test_what_is_no_report_is_told_and_read_as_none(tmp_path: Path, report: Any) -> None:
    with pytest.raises(NotMade, match="the load tool's report cannot be used"):
        read_load(PLAN, reported(tmp_path, report))


def test_a_tool_that_left_no_report_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotMade, match="ended without a report"):
        read_load(PLAN, ConfinedFolder(tmp_path))


def test_a_report_that_leads_elsewhere_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".tidegate-load.json").symlink_to("/etc/passwd")
    with pytest.raises(NotMade):
        read_load(PLAN, ConfinedFolder(tmp_path))
