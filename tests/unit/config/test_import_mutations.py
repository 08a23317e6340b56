"""Whatever stands in a foreign file: it is refused, or translated, and what a stage would not take is said."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from ruamel.yaml import YAML
from tests.docs.markdown import ROOT, blocks

from tidegate.config.imports import analysis_template, kayenta
from tidegate.config.imports.translation import Translation
from tidegate.config.problem import ConfigError

SHOWN = ["\n".join(block.lines) for block in blocks((ROOT / "docs" / "coming-from.md").read_text())]
CANARY = next(json.loads(one) for one in SHOWN if one.startswith('{\n  "name": "shop"'))
TEMPLATE = next(YAML(typ="safe", pure=True).load(one) for one in SHOWN if one.startswith("apiVersion: argoproj.io"))
JUNK: list[Any] = [
    *(
        None,
        True,
        0,
        -1,
        1e300,
        "",
        "x",
        "$",
        "${",
        "*",
        "{",
        "errors",
        "latency",
        "a\nb",
        "PromQL:",
        "0s",
        "9" * 15 + "d",
    ),
    *("result[0] > 5", "{{args.x}}", [], {}, [None], [1, "a"], {"a": None}, {"": 1}),
]


def places(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inner:
        yield (*place, key)
        yield from places(one, (*place, key))


def mutated(value: Any, rng: random.Random) -> Any:
    made = copy.deepcopy(value)
    for _ in range(rng.randint(1, 3)):
        *around, last = rng.choice(list(places(made)))
        at = made
        for key in around:
            at = at[key]
        if rng.random() < 0.7:
            at[last] = copy.deepcopy(rng.choice(JUNK))
        else:
            del at[last]
        if not made:
            return made
    return made


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize(("plain", "translate"), [(CANARY, kayenta.translate), (TEMPLATE, analysis_template.translate)])
def test_a_mutated_file(plain: Any, translate: Callable[..., Translation], seed: int) -> None:
    text = json.dumps(mutated(plain, random.Random(seed)))
    try:
        made = translate(text, "file", {})
    except ConfigError:
        return
    assert YAML(typ="safe", pure=True).load(made.yaml()).keys() == {"verify"}
    assert json.dumps(dict(made.verify))
