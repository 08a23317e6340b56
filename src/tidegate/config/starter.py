"""The `tidegate.yaml` that `tidegate init` writes: it works at once, and says what to change."""

from __future__ import annotations

import re
from pathlib import Path

from tidegate.config.project import Project, recognise
from tidegate.config.values import service_name

_HEAD = """\
# How {name} gets from a commit to production.
# "tidegate validate" checks this file; every key is explained in the reference of tidegate.yaml.
service: {service}
mode: delivery      # a person opens the gate to production: tidegate approve RUN
"""

_RUNTIME_COMMENT = "# How one instance is started. It must listen on 127.0.0.1, on the port in $PORT.\n"

_STAGES = """\
# There may be no users yet, so Tidegate sends requests of its own and judges by those.
stages:
  - name: staging
    environment: staging
    deploy: {{strategy: blue-green}}
    verify:
      soak: 30s
      traffic: {{path: {path}, rate: 10/s}}      # a path that the service answers
  - name: production
    environment: production
    deploy: {{strategy: blue-green}}      # with users, and two instances: strategy: canary
    verify:
      soak: 1m
      traffic: {{path: {path}, rate: 10/s}}      # with users, remove this line
"""

_UNKNOWN = Project("what kind of project this is was not recognised")


def starter_yaml(repository: Path, service: str) -> str:
    """The first `tidegate.yaml` for the service in a folder; `service` is changed into a valid name where it is none.

    Where the files do not tell how the service is started, that part and the stages stand there as a comment.
    """
    name = service_name(service) or "service"
    project = recognise(repository, name) or _UNKNOWN
    parts = [_HEAD.format(name=name, service=_scalar(name)), _build(project)]
    stages = _STAGES.format(path=_scalar(project.health))
    if project.command:
        parts += [_RUNTIME_COMMENT + _runtime(project), stages]
    else:
        example = Project("an example", command='./serve --port "$PORT"', health=project.health)
        why = '# Say here how the service is started, and remove the "# " before each of the following lines.\n'
        parts.append(why + _commented(_RUNTIME_COMMENT + _runtime(example) + "\n" + stages))
    return "\n".join(parts)


def _build(project: Project) -> str:
    lines = [f"build:      # {project.kind}", *_script("  setup", project.setup), "  steps:"]
    if project.tests:
        lines += ["    - name: unit tests", *_script("      run", project.tests)]
        if project.junit:
            lines.append(f"      reports: {{junit: {project.junit}}}")
    else:
        lines.append("    # There are no tests that were recognised: put the command that runs them here.")
        lines += ["    - name: check", *_script("      run", project.check or "ls -l")]
    return "\n".join(lines) + "\n"


def _runtime(project: Project) -> str:
    assert project.command is not None
    lines = ["runtime:", *_script("  prepare", project.prepare), *_script("  command", project.command)]
    lines.append(
        f"  health: {{path: {_scalar(project.health)}, within: 30s}}      # a path that answers 200 when it can serve"
    )
    lines += [f"  env: {{{name}: {_scalar(value)}}}" for name, value in project.env.items()]
    return "\n".join(lines) + "\n"


def _script(key: str, script: str | None) -> list[str]:
    """The lines of a key with a script; none where there is no script."""
    if script is None:
        return []
    if "\n" not in script:
        return [f"{key}: {_scalar(script)}"]
    indent = " " * (len(key) - len(key.lstrip()) + 2)
    return [f"{key}: |", *(indent + line for line in script.splitlines())]


def _scalar(text: str) -> str:
    """The text as YAML, with quotes only where it would mean something else without them."""
    plain = re.fullmatch(r"""[A-Za-z/.][A-Za-z0-9 /._$"=+-]*""", text) and not text.endswith(" ")
    if plain and text.lower() not in ("true", "false", "null", "yes", "no", "on", "off", "y", "n"):
        return text
    return "'" + text.replace("'", "''") + "'"


def _commented(text: str) -> str:
    return "".join(f"# {line}\n" if line else "#\n" for line in text.splitlines())
