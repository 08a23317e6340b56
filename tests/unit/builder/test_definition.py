"""What a file says of its build comes from the cache as it was, and is read again when it may mean another thing."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.builder import definition
from tidegate.builder.cache import Cache
from tidegate.builder.definition import read_definition
from tidegate.builder.definition_json import build_json, build_of_json
from tidegate.config.problem import ConfigError
from tidegate.model.pipeline import Build

FILE = """\
service: shop
branch: trunk
build:
  steps:
    - {name: test, run: make test, timeout: 5m}
"""

st.register_type_strategy(timedelta, st.integers(0, 10**6).map(lambda seconds: timedelta(seconds=seconds)))


def of_a_build(drawn: Build) -> Build:
    """Its steps have what a build's can have: a stage's alone are repeated, and ramp load."""
    return replace(drawn, steps=tuple(replace(one, repeat=None, load=None) for one in drawn.steps))


@given(st.from_type(Build).map(of_a_build))
def test_a_build_comes_back_as_it_was(build: Build) -> None:
    assert build_of_json(json.loads(json.dumps(build_json(build)))) == build


def test_a_file_that_did_not_change_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = Cache.open(tmp_path / "cache")
    file = tmp_path / "tidegate.yaml"
    file.write_text(FILE)
    first = read_definition(file, cache)
    assert (first.service, first.branch, first.folder) == ("shop", "trunk", tmp_path)
    assert build_of_json(first.build).steps[0].timeout == timedelta(minutes=5)
    monkeypatch.setattr("tidegate.config.tidegate_yaml.load", None)
    assert read_definition(file, cache) == first
    file.write_text(FILE + "# more\n")
    with pytest.raises(TypeError):
        read_definition(file, cache)
    file.write_text(FILE)
    monkeypatch.setattr(definition, "_FORMAT", 2)
    with pytest.raises(TypeError):
        read_definition(file, cache)


def test_a_wrong_file_is_refused_each_time(tmp_path: Path) -> None:
    cache = Cache.open(tmp_path / "cache")
    file = tmp_path / "tidegate.yaml"
    file.write_text("service: shop\n")
    for _ in range(2):
        with pytest.raises(ConfigError, match="build"):
            read_definition(file, cache)
