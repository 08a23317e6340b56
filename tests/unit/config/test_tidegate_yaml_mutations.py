"""Whatever is done to a file, it is read or refused with problems that lie in it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from hypothesis import example, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from ruamel.yaml import YAML

from tidegate.config import server_yaml
from tidegate.config.tidegate_yaml import ConfigError, Problem, json_schema, load
from tidegate.model.environment import DEFAULT_ENVIRONMENTS

VALID = """\
service: shop
risk: high # the harm
path: services/shop
build:
  setup: {run: make deps, inputs: [deps.txt], outputs: [.deps]}
  image: docker.io/library/python:3.12
  outdated: cancel
  steps:
    - name: unit tests
      run: |
        make test
      inputs: ["src/**", "!src/*.md", $TIDEGATE_COMMIT]
      outputs: [out/x]
      matrix: {PYTHON: ["3.11", 3.12], exclude: [{PYTHON: "3.11"}]}
      services: {database: {image: postgres:16, port: 5432, health: {within: 30s}}}
      cache: {paths: [.cache], key: [deps.txt]}
      labels: [linux]
      concurrency: {group: licence, limit: 2}
      timeout: 10m
      retry: {attempts: 2, causes: [lost, timeout]}
      env: &env {LOG_LEVEL: "info"}
      reports: {junit: reports/unit.xml}
    - name: package
      needs: [unit tests]
      run: make package
      if: changed.exists(f, f.startsWith("src/")) && needs["unit tests (3.12)"].cached
      artifacts: {shop: "dist/*.whl"}
runtime:
  artifact: shop
  command: ./serve --port "$PORT"
  health: {path: /healthz, within: 10s}
  instances: 2
  env: *env
  secrets: [DATABASE_URL]
stages:
  - name: staging
    environment: staging
    verify:
      soak: 2m
      traffic: {path: /, rate: 5/s}
  - name: production
    needs: [staging]
    environment: production
    gate:
      approvals: {count: 1, expires: 3d}
    deploy:
      strategy: canary
      shares: [1%, {approve: 1}, {share: 50%, at_least: 5m}]
    verify:
      metrics: {latency: {quantiles: [0.5, 0.95], tolerance: 10%}}
      objective: {availability: 99.9%}
"""
SERVER = (
    "environments:\n  staging: {protected: false}\n  production: {protected: true, target: local}\npoll_interval: 1m\n"
)
SCHEMA = Draft202012Validator(json_schema())
WORDS = sorted(set(re.findall(r"[\w.%/-]+", VALID)))
PIECES = st.one_of(
    st.sampled_from(
        [*WORDS, *"-:{}[]&*!|>'\"%@`#,?~<\n\t ", "- ", ": ", "\n  ", "<<: *env", "!!int ", "---\n", "...\n"]
    ),
    st.sampled_from(
        ["null", "true", "9" * 30, ".nan", "-1", "1e999", "120%", "0%", "1/s", "..", "\\u0000", "\ufeff", "é"]
    ),
    st.text(max_size=4),
    st.integers().map(str),
)


def problems_of(text: str, read: Callable[[str], object]) -> tuple[Problem, ...]:
    """What is wrong with the text; nothing where it was read."""
    try:
        read(text)
    except ConfigError as error:
        return error.problems
    return ()


def assert_read_or_refused(text: str, read: Callable[[str], object]) -> bool:
    """Whether it was read; if not, that each problem lies in the text and is one line."""
    lines = text.removeprefix("\ufeff").split("\n")
    problems = problems_of(text, read)
    for problem in problems:
        assert 1 <= problem.line <= len(lines)
        assert 1 <= problem.column <= len(lines[problem.line - 1]) + 1
        assert problem.message.isprintable()
        assert str(problem).startswith(f"t.yaml:{problem.line}:{problem.column}: ")
    return not problems


@st.composite
def mutated(draw: st.DrawFn, text: str) -> str:
    for _ in range(draw(st.integers(1, 4))):
        begin = draw(st.integers(0, len(text)))
        end = draw(st.integers(begin, min(len(text), begin + 12)))
        text = text[:begin] + draw(PIECES) + text[end:]
    return text


@settings(max_examples=300, deadline=None)
@given(mutated(VALID))
@example(VALID.replace('"info"', '"\\UFFFFFFFF"'))
@example(VALID.replace("5/s", "9" * 400 + "/s"))
@example(VALID.replace("2m", "9" * 400 + "d"))
@example(VALID.replace("1%,", "9" * 400 + "%,"))
@example(VALID.replace("instances: 2", "instances: " + "9" * 5000))
def test_a_mutated_file_is_read_or_refused_with_problems_that_lie_in_it(text: str) -> None:
    if assert_read_or_refused(text, lambda it: load(it, "t.yaml", DEFAULT_ENVIRONMENTS)):
        assert SCHEMA.is_valid(YAML(typ="safe", pure=True).load(text)), "what is read is valid for an editor too"


@settings(max_examples=80, deadline=None)
@given(mutated(SERVER))
def test_a_mutated_server_file_is_read_or_refused_with_problems_that_lie_in_it(text: str) -> None:
    assert_read_or_refused(text, lambda it: server_yaml.load(it, "t.yaml"))


@settings(max_examples=100, deadline=None)
@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    assert not assert_read_or_refused(text, lambda it: load(it, "t.yaml"))


def places(value: object, place: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place, *(found for key, child in inner for found in places(child, (*place, key)))]


FILE = json.loads(json.dumps(YAML(typ="safe", pure=True).load(VALID)))
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.sampled_from(WORDS)),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=2),
    max_leaves=4,
)


@settings(max_examples=250, deadline=None)
@given(st.sampled_from(places(FILE)), VALUES)
def test_any_value_in_any_place_is_read_or_refused_where_it_stands(place: tuple[str | int, ...], value: object) -> None:
    changed = json.loads(json.dumps(FILE))
    around = changed
    for part in place[:-1]:
        around = around[part]
    if place:
        around[place[-1]] = value
    else:
        changed = value
    assert_read_or_refused(json.dumps(changed, indent=1), lambda it: load(it, "t.yaml"))


NEEDS = st.sampled_from(["", ", needs: []", *(f", needs: [{name}]" for name in "abcd")])


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abc"), NEEDS), min_size=1, max_size=5))
def test_any_order_of_stages_and_steps_is_read_or_refused(order: list[tuple[str, str]]) -> None:
    steps = "".join(f"    - {{name: {name}, run: x{needs}}}\n" for name, needs in order)
    stages = "".join(f"  - {{name: {name}, environment: dev{needs}}}\n" for name, needs in order)
    text = f"service: shop\nbuild:\n  steps:\n{steps}runtime: {{command: ./serve}}\nstages:\n{stages}"
    if assert_read_or_refused(text, lambda it: load(it, "t.yaml")):
        assert len({name for name, _ in order}) == len(order)
