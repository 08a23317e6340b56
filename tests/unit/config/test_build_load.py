"""What the keys of a build become: steps with all that they depend on, and one for each combination of a matrix."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest
from tests.unit.model.builders import a_pipeline, a_run, a_step, a_step_run

from tidegate.config.step_consistency import TOLD_VARIABLES
from tidegate.config.tidegate_yaml import load
from tidegate.model.pipeline import (
    Build,
    Concurrency,
    FolderCache,
    Outdated,
    Pipeline,
    Setup,
    Sidecar,
    SidecarHealth,
    Step,
)
from tidegate.model.step_environment import run_variables

GUIDE = (Path(__file__).parents[3] / "docs" / "builds.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```yaml\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)

EVERYTHING = """
service: shop
build:
  setup:
    run: make deps
    inputs: [deps.txt, ./tools/, "!tools/*.md"]
    outputs: [.deps]
    cache: {paths: [.cache/deps], key: [deps.txt]}
  image: docker.io/library/python:3.12
  outdated: cancel
  steps:
    - name: unit tests
      run: make test
      inputs: ["src/**", "!src/**/*.md", $TIDEGATE_COMMIT, "."]
      outputs: [out, "!out/tmp/**"]
      working_directory: ./server
      if: branch == "main"
      allow_failure: true
      services:
        test-db:
          image: localhost:5000/team/postgres:16
          port: 5432
          env: {POSTGRES_PASSWORD: test}
          command: postgres -c fsync=off
          health: {command: pg_isready, within: 30s}
        queue: {image: redis, port: 6379}
      cache: {paths: [.cache/pip], key: ["**/requirements.txt"]}
      labels: [gpu, x86-64]
      concurrency: {group: licence, limit: 2}
    - name: lint
      run: make lint
      image: docker.io/library/debian:12
"""


def built(text: str) -> Build:
    return load("service: shop\nbuild:\n" + text).build


def test_every_key_of_a_build_arrives() -> None:
    assert load(EVERYTHING).build == Build(
        setup=Setup(
            "make deps",
            inputs=("deps.txt", "tools", "!tools/*.md"),
            outputs=(".deps",),
            cache=FolderCache((".cache/deps",), ("deps.txt",)),
        ),
        outdated=Outdated.CANCEL,
        steps=(
            Step(
                "unit tests",  # type: ignore[arg-type]
                "make test",
                inputs=("src/**", "!src/**/*.md", "$TIDEGATE_COMMIT", "**"),
                outputs=("out", "!out/tmp/**"),
                working_directory="server",
                condition='branch == "main"',
                allow_failure=True,
                image="docker.io/library/python:3.12",
                sidecars=(
                    Sidecar(
                        "test-db",
                        "localhost:5000/team/postgres:16",
                        5432,
                        {"POSTGRES_PASSWORD": "test"},
                        "postgres -c fsync=off",
                        SidecarHealth("pg_isready", timedelta(seconds=30)),
                    ),
                    Sidecar("queue", "redis", 6379),
                ),
                cache=FolderCache((".cache/pip",), ("**/requirements.txt",)),
                labels=("gpu", "x86-64"),
                concurrency=Concurrency("licence", 2),
            ),
            Step("lint", "make lint", image="docker.io/library/debian:12"),  # type: ignore[arg-type]
        ),
    )


def test_setup_may_be_a_script_alone() -> None:
    assert built("  setup: make deps\n  steps: [{name: a, run: x}]\n").setup == Setup("make deps")


MATRIX = """\
  steps:
    - name: unit tests
      matrix:
        PYTHON: ["3.11", "3.12"]
        DATABASE: [sqlite, postgres]
        exclude: [{PYTHON: "3.12", DATABASE: sqlite}]
      env: {LOG_LEVEL: info}
      run: tox
"""


def test_a_matrix_makes_a_step_of_each_combination_that_is_not_left_out() -> None:
    steps = built(MATRIX).steps
    assert [step.name for step in steps] == [
        "unit tests (3.11, sqlite)",
        "unit tests (3.11, postgres)",
        "unit tests (3.12, postgres)",
    ]
    assert steps[2].env == {"LOG_LEVEL": "info", "PYTHON": "3.12", "DATABASE": "postgres"}
    assert {step.run for step in steps} == {"tox"}


def test_who_needs_a_step_with_a_matrix_needs_all_of_its_steps_or_the_one_that_it_names() -> None:
    all_needed = "    - {name: b, run: x, needs: [unit tests]}\n"
    one_needed = '    - {name: c, run: x, needs: ["unit tests (3.12, postgres)"]}\n'
    *_, all_of_them, one = built(MATRIX + all_needed + one_needed).steps
    assert all_of_them.needs == (
        "unit tests (3.11, sqlite)",
        "unit tests (3.11, postgres)",
        "unit tests (3.12, postgres)",
    )
    assert one.needs == ("unit tests (3.12, postgres)",)


def test_two_matrices_in_a_row_wait_for_each_other_whole() -> None:
    steps = "[{name: a, run: x, matrix: {A: [1, 2]}}, {name: b, run: x, needs: [a], matrix: {B: [1, 2]}}]"
    built_steps = built(f"  steps: {steps}\n").steps
    assert [(step.name, step.needs) for step in built_steps[2:]] == [
        ("b (1)", ("a (1)", "a (2)")),
        ("b (2)", ("a (1)", "a (2)")),
    ]


def test_a_left_out_part_of_a_combination_stands_for_all_that_have_it() -> None:
    matrix = "{A: [1, 2], B: [x, y], C: [p], exclude: [{A: 2}, {B: y, C: p}]}"
    (only,) = built(f"  steps: [{{name: t, run: x, matrix: {matrix}}}]\n").steps
    assert only.name == "t (1, x, p)"


def test_the_key_image_of_a_matrix_is_the_image_of_the_step_and_no_variable() -> None:
    first, second = built(
        "  image: debian:11\n  steps: [{name: t, run: x, matrix: {image: [debian:12, alpine], A: [1]}}]\n"
    ).steps
    assert (first.name, first.image, first.env) == ("t (debian:12, 1)", "debian:12", {"A": "1"})
    assert second.image == "alpine"


@pytest.mark.parametrize(("written", "text"), [("3.11", "3.11"), ("8", "8"), ('"3.10"', "3.10"), ("1.0", "1.0")])
def test_a_number_of_a_matrix_is_the_text_that_is_written(written: str, text: str) -> None:
    (step,) = built(f"  steps: [{{name: t, run: x, matrix: {{A: [{written}]}}}}]\n").steps
    assert step.env == {"A": text}


def test_a_step_with_one_combination_may_make_artifacts() -> None:
    (step,) = built("  steps: [{name: t, run: x, matrix: {A: [1]}, artifacts: {shop: out}}]\n").steps
    assert step.artifacts == {"shop": "out"}


def of_a_stage(steps: str) -> Pipeline:
    head = "service: shop\nbuild: {steps: [{name: a, run: x}]}\n"
    return load(f"{head}stages: [{{name: s, environment: x, steps: [{steps}]}}]\n")


def test_a_stages_steps_have_images_services_conditions_and_matrices_too() -> None:
    keys = "image: debian:12, services: {db: {image: x, port: 1}}, if: 'trigger == \"push\"', allow_failure: true"
    more = "labels: [a], concurrency: {group: g}, matrix: {A: [1, 2]}, working_directory: e2e"
    (stage,) = of_a_stage(f"{{name: t, run: x, {keys}, {more}}}, {{name: u, run: x, needs: [t]}}").stages
    first, _, last = stage.steps
    assert (first.name, first.image, first.allow_failure, first.labels) == ("t (1)", "debian:12", True, ("a",))
    assert first.sidecars == (Sidecar("db", "x", 1),)
    assert first.condition == 'trigger == "push"'
    assert (first.concurrency, first.working_directory) == (Concurrency("g", 1), "e2e")
    assert last.needs == ("t (1)", "t (2)")
    assert last.image is None


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: " ".join(example.split()[:3]))
def test_every_example_of_the_guide_is_a_build(example: str) -> None:
    around = {0: "", 4: "build:\n  steps:\n", 6: "build:\n  steps:\n    - name: a\n      run: x\n"}
    indent = len(example) - len(example.lstrip())
    assert load("service: shop\n" + around[indent] + example).build.steps


def test_the_variables_that_may_be_inputs_are_those_that_a_build_is_told_of_its_run() -> None:
    of_run = run_variables(a_run(a_pipeline()), a_step_run(a_step("test")))
    assert of_run.keys() - {"TIDEGATE_RELEASE"} == set(TOLD_VARIABLES), "a build makes the release, and knows none"
