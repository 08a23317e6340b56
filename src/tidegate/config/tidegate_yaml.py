"""`tidegate.yaml`: the whole definition of a service's pipeline, read from its repository."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from tidegate.config import document, explain, resolve
from tidegate.config.consistency import contradictions
from tidegate.config.explain import MOST_PROBLEMS
from tidegate.config.json_schema import schema_of
from tidegate.config.problem import ConfigError, Problem
from tidegate.config.sections import PipelineSection
from tidegate.model.environment import Environment
from tidegate.model.ids import EnvironmentName
from tidegate.model.pipeline import Pipeline

__all__ = ["FILE", "MOST_PROBLEMS", "ConfigError", "Problem", "json_schema", "load"]

FILE = "tidegate.yaml"


def load(
    text: str,
    file: str = FILE,
    environments: Mapping[EnvironmentName, Environment] | Collection[EnvironmentName] | None = None,
) -> Pipeline:
    """Read a pipeline. `file` is what messages call the text; `environments` are the known ones, None to not check.

    Raises ConfigError with everything that is wrong: up to MOST_PROBLEMS, and word that there are more.
    """
    read = document.read(text, file)
    section = explain.validate(read, PipelineSection, contradictions(read, environments))
    return resolve.pipeline(section)


def json_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of the file, for editors."""
    return schema_of(PipelineSection, "tidegate.yaml")
