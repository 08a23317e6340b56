"""The JSON Schema that editors get, and the reference page: both say what `load` does."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from ruamel.yaml import YAML

from tidegate.config import server_yaml
from tidegate.config.gate_sections import GateSection
from tidegate.config.sections import (
    DeploySection,
    PipelineSection,
    RuntimeSection,
    StageSection,
    VerifySection,
)
from tidegate.config.step_sections import BuildSection, StageStepSection
from tidegate.config.tidegate_yaml import ConfigError, json_schema, load

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "tidegate-yaml.md"
TEXT = PAGE.read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```yaml\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
BUILD = "build: {steps: [{name: package, run: make, artifacts: {shop: out}}]}\n"


def plain(text: str) -> Any:
    reader = YAML(typ="safe", pure=True)
    # YAML 1.2 has no type of its own for dates, and editors read them as text
    reader.constructor.add_constructor("tag:yaml.org,2002:timestamp", lambda _, node: node.value)
    return reader.load(text)


def whole(example: str) -> str:
    """A part of a file as a whole file."""
    absent = {"service": "service: shop\n", "build": BUILD, "runtime": "runtime: {command: ./serve, instances: 2}\n"}
    keys = plain(example)
    if "stages" not in keys:
        del absent["runtime"]
    return example + "".join(text for key, text in absent.items() if key not in keys)


def keys_of(schema: dict[str, Any]) -> dict[str, tuple[dict[str, Any], bool]]:
    """Every key of a schema, as the page writes its place, with what the schema says and whether it is required."""
    definitions = schema["$defs"]

    def resolved(part: dict[str, Any]) -> dict[str, Any]:
        reference = part.get("$ref", "").rpartition("/")[2]
        return {**definitions[reference], **part} if reference else part

    def walk(part: dict[str, Any], place: str) -> Iterator[tuple[str, tuple[dict[str, Any], bool]]]:
        for option in map(resolved, part.get("oneOf", [part])):
            for key, value in option.get("properties", {}).items():
                inner = resolved(value)
                yield place + key, (inner, key in option.get("required", ()))
                yield from walk(inner, f"{place}{key}.")
                yield from walk(resolved(inner.get("items", {})), f"{place}{key}[].")
                if not isinstance(inner.get("additionalProperties", False), bool):
                    yield from walk(resolved(inner["additionalProperties"]), f"{place}{key}.NAME.")
                for named in inner.get("patternProperties", {}).values():
                    yield from walk(resolved(named), f"{place}{key}.NAME.")

    return dict(walk(schema, ""))


def rows() -> dict[str, list[str]]:
    """The first cell of each row of the page's tables of keys, and the other cells."""
    found = {}
    for line in TEXT.splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if len(cells) == 4 and re.fullmatch(r"`[\w\[\].]+`", cells[0]):
            found[cells[0].strip("`")] = cells[1:]
    return found


SCHEMAS = {**keys_of(json_schema()), **keys_of(server_yaml.json_schema())}
IRREVERSIBLE = "stages[].steps[].irreversible"
STEPS, HOOKS = "stages[].steps[].", "stages[].deploy.hooks.after_rollback[]."
DOCUMENTED = {
    key: said
    for key, said in SCHEMAS.items()
    # the page says once that a stage's steps have the keys of the build's, and gates of the server those of a stage's
    if not key.startswith((STEPS, HOOKS, "environments.NAME.gate.", "floors[].gate.")) or key == IRREVERSIBLE
}


def test_the_schema_is_one_and_every_key_has_a_description() -> None:
    schema = json_schema()
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert [key for key, (said, _) in SCHEMAS.items() if not said.get("description")] == []


def test_the_steps_of_a_stage_have_the_keys_of_the_build_but_for_those_of_its_files() -> None:
    places = {
        place: {key for key in SCHEMAS if key.startswith(place)} for place in ("build.steps[].", "stages[].steps[].")
    }
    build, stage = ({key.removeprefix(place) for key in keys} for place, keys in places.items())
    assert {key.partition(".")[0] for key in build - stage} == {"artifacts", "inputs", "outputs", "cache"}
    assert stage - build == {"irreversible"}


def test_the_page_has_every_key_of_the_schemas_and_no_other() -> None:
    assert set(rows()) == set(DOCUMENTED)


@pytest.mark.parametrize("key", DOCUMENTED)
def test_the_page_says_of_a_key_what_the_schema_says(key: str) -> None:
    said, required = DOCUMENTED[key]
    kind, default, meaning = rows()[key]
    assert meaning
    assert (default == "required") == required
    if "enum" in said:
        assert re.findall("`(.*?)`", kind) == said["enum"]
    if said.get("default") not in (None, {}, []):
        written = said["default"] if isinstance(said["default"], str) else json.dumps(said["default"])
        assert default == f"`{written.replace(chr(34), '')}`"


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: " ".join(example.split()[:4]))
def test_every_example_of_the_page_is_valid_for_the_schema_and_for_the_server(example: str) -> None:
    if example.startswith("# tidegate-server.yaml"):
        server_yaml.load(example)
        Draft202012Validator(server_yaml.json_schema()).validate(plain(example))
    else:
        load(whole(example))
        Draft202012Validator(json_schema()).validate(plain(whole(example)))


BY_NAME = ("services.", "metrics.")
"""Places where sections stand under names that users choose, beside those that are built in."""


def used(value: Any, place: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            key = "NAME" if place.endswith(BY_NAME) and key != "latency" else key
            yield place + key
            yield from used(inner, f"{place}{key}.")
    elif isinstance(value, list):
        for inner in value:
            yield from used(inner, place.removesuffix(".") + "[].")


def test_every_key_stands_in_an_example() -> None:
    shown = {place for example in EXAMPLES for place in used(plain(example))}
    pipeline_keys = set(keys_of(json_schema())) & set(DOCUMENTED)
    assert pipeline_keys - shown == set()


def test_the_page_names_every_key_that_is_not_supported_yet() -> None:
    later = TEXT.partition("## Not supported yet")[2].partition("## The server's own file")[0]
    sections = (PipelineSection, BuildSection, StageStepSection, RuntimeSection, StageSection, GateSection)
    for section in (*sections, DeploySection, VerifySection):
        assert [key for key in section.not_yet if f"`{key}`" not in later] == []


@pytest.mark.parametrize(
    "text",
    [
        "service: shop\n" + BUILD + "matrix: {}\n",
        BUILD,
        "service: My Shop\n" + BUILD,
        "service: shop\nbuild: {steps: []}\n",
        "service: shop\nbuild: {steps: [{name: a, run: x, inputs: []}]}\n",
        "service: shop\nbuild: {steps: [{name: a, run: x, image: A B}]}\n",
        "service: shop\nbuild: {steps: [{name: a, run: x, matrix: {A-B: [x]}}]}\n",
        "service: shop\nbuild: {steps: [{name: a, run: x, matrix: {A: [true]}}]}\n",
        "service: shop\nbuild: {steps: [{name: a, run: x, services: {b: {image: x}}}]}\n",
        "service: shop\nbuild: {setup: {inputs: [x]}, steps: [{name: a, run: x}]}\n",
        "service: shop\nbuild: {outdated: maybe, steps: [{name: a, run: x}]}\n",
        "service: shop\n" + BUILD + "runtime: {command: x, instances: 0}\n",
        "service: shop\n" + BUILD + "runtime: {command: x, stop_grace: 20}\n",
        "service: shop\n" + BUILD + "runtime: {command: x, env: {A-B: x}}\n",
        "service: shop\n" + BUILD + "stages: [{name: a, environment: x, deploy: {shares: [5]}}]\n",
        "service: shop\n"
        + BUILD
        + "stages: [{name: a, environment: x, deploy: {shares: [{share: 5%, approve: 1}]}}]\n",
    ],
)
def test_an_editor_finds_the_mistakes_that_the_server_would_find(text: str) -> None:
    assert not Draft202012Validator(json_schema()).is_valid(plain(text))
    with pytest.raises(ConfigError):
        load(text)


WITHIN_ABSENT = (
    "rehearsals.",
    *(".traffic.", ".approvals.", ".window.", ".schedule.", ".external."),
    *(".hooks.", ".setup.", ".NAME.", ".concurrency.", ".cache.", ".checks[].", ".load."),
)
"""Sections whose defaults count only where the section is there."""


def test_what_the_schema_calls_a_default_is_what_happens_without_the_key() -> None:
    """Each default of the schema, written out, gives the same pipeline as its absence."""
    text = "service: shop\n" + BUILD + "runtime: {command: ./serve, artifact: shop}\n"
    text += "stages: [{name: a, environment: x, verify: {}}]\n"
    written = plain(text)
    defaults = {key: said["default"] for key, (said, _) in keys_of(json_schema()).items() if said.get("default")}
    for key, default in defaults.items():
        if (".steps[]" in key and key.startswith("stages")) or any(part in key for part in WITHIN_ABSENT):
            continue
        at = written
        *around, last = key.replace("[]", ".0").split(".")
        for part in around:
            at = at[int(part)] if part.isdigit() else at.setdefault(part, {})
        at[last] = default
    assert load(json.dumps(written)) == load(text)
    assert len(defaults) > 15
