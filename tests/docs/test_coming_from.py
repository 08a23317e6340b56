"""What the page for those who come from other tools shows is what the commands say."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from ruamel.yaml import YAML
from tests.docs.markdown import ROOT, blocks

from tidegate.config import judge_file
from tidegate.config.imports import analysis_template, kayenta
from tidegate.judge.methods import judge_recordings

PAGE = (ROOT / "docs" / "coming-from.md").read_text()
SHOWN = ["\n".join(block.lines) for block in blocks(PAGE) if block.language in ("json", "yaml")]


def after(begin: str) -> tuple[str, str]:
    """The block that begins so, and the one after it: what goes in, and what comes out."""
    place = next(place for place, text in enumerate(SHOWN) if text.startswith(begin))
    return SHOWN[place], SHOWN[place + 1]


def parsed(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(text)


@pytest.mark.parametrize(
    ("begin", "translate"),
    [('{\n  "name": "shop"', kayenta.translate), ("apiVersion: argoproj.io", analysis_template.translate)],
)
def test_a_file_becomes_what_the_page_shows(begin: str, translate: Callable[..., Any]) -> None:
    given, shown = after(begin)
    made = translate(given, "file", {})
    assert made.missing == ()
    assert parsed(made.yaml()) == parsed(shown)


@pytest.mark.parametrize("method", ["mann_whitney", "threshold"])
def test_figures_are_judged_as_the_page_shows(method: str) -> None:
    given, shown = after(f'{{"method": "{method}"')
    expected = json.loads(shown)
    (answer,) = judge_recordings(judge_file.load(given.encode(), "figures.json").rollouts)
    found = {key: getattr(answer, key) for key in expected if key != "metrics"}
    assert found == {key: value for key, value in expected.items() if key != "metrics"}
    classified = [{"name": one.name, "classification": one.classification} for one in answer.metrics]
    assert classified == expected.get("metrics", classified)
