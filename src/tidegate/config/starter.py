"""The `tidegate.yaml` that `tidegate init` writes: it works at once, and says what to change."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from tidegate.config.projects.project import Project, StarterStep
from tidegate.config.projects.recognise import Repository, recognise
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

_NOT_RECOGNISED = "what kind of project this is was not recognised"
_NOTHING = StarterStep("check", "ls -l", is_check=True)
_NO_TESTS = "There are no tests that were recognised: put the command that runs them here."
_PART_OF_MORE = (
    'If a step reads nothing outside of this folder, add inputs: ["**"] to it: then it is taken from the cache',
    "while no file of the folder changes.",
)
_CACHED = "      # while no file changes, it is taken from the cache"


def starter_yaml(folder: Path, service: str) -> str:
    """The first `tidegate.yaml` for the service in a folder; `service` is changed into a valid name where it is none.

    Where the files do not tell how the service is started, that part and the stages stand there as a comment.
    """
    name = service_name(service) or "service"
    found = recognise(folder, name)
    # a folder of a larger repository may read what lies beside it: what it depends on is not certain
    parts = [_HEAD.format(name=name, service=_scalar(name)), _build(found, is_whole=(folder / ".git").exists())]
    stages = _STAGES.format(path=_scalar(found.health))
    if found.runtime:
        parts += [_RUNTIME_COMMENT + _runtime(found.runtime, found.artifact, found.health), stages]
    else:
        example = _runtime(Project("an example", command='./serve --port "$PORT"'), None, found.health)
        why = '# Say here how the service is started, and remove the "# " before each of the following lines.\n'
        parts.append(why + _commented(_RUNTIME_COMMENT + example + "\n" + stages))
    return "\n".join(parts)


def _build(found: Repository, is_whole: bool) -> str:
    steps = found.steps or (() if found.image else ((_NOTHING, None),))
    lines = [f"build:      # {found.kind or _NOT_RECOGNISED}", *_script("  setup", found.setup), "  steps:"]
    if all(step.is_check for step, _ in steps):
        lines.append(f"    # {_NO_TESTS}")
    if not is_whole:
        lines += [f"    # {note}" for note in _PART_OF_MORE]
    inputs = ("**", *(f"!{path}" for path in found.makes)) if is_whole else ()
    for step, artifact in steps:
        lines += _step(step, artifact, inputs, is_handed_over=found.image is not None)
    if found.image:
        taken = {artifact for _, artifact in steps}
        name = next(name for name in ("image", "image-archive") if name not in taken)
        lines += _step(found.image, name, inputs, needs=[step.name for step, _ in steps])
    first = next((at for at, line in enumerate(lines) if line.startswith("      inputs: ")), None)
    if first is not None:
        lines[first] += _CACHED
    return "\n".join(lines) + "\n"


def _step(
    step: StarterStep,
    artifact: str | None,
    inputs: Sequence[str],
    *,
    is_handed_over: bool = False,
    needs: Sequence[str] = (),
) -> Iterator[str]:
    yield f"    - name: {_scalar(step.name)}"
    if needs:
        yield f"      needs: {_list(needs)}"
    yield from (f"      # {note}" for note in step.notes)
    yield from _script("      run", step.run)
    if inputs and step.depends_on_files_only:
        yield f"      inputs: {_list(inputs)}"
    if step.junit:
        yield f"      reports: {{junit: {_item(step.junit)}}}"
    yield from _script("      failed_first", step.failed_first)
    if step.artifact and artifact:
        if is_handed_over:
            yield f"      outputs: {_list([step.artifact])}"
        yield f"      artifacts: {{{_scalar(artifact)}: {_item(step.artifact)}}}"


def _runtime(project: Project, artifact: str | None, health: str) -> str:
    assert project.command is not None
    lines = ["runtime:", *([f"  artifact: {_scalar(artifact)}"] if artifact else [])]
    lines += [*_script("  prepare", project.prepare), *_script("  command", project.command)]
    lines.append(f"  health: {{path: {_scalar(health)}, within: 30s}}      # a path that answers 200 when it can serve")
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


def _item(text: str) -> str:
    """The text in a list or in braces; patterns in the quotes that people use for them."""
    return text if re.fullmatch("[A-Za-z.][A-Za-z0-9 /._+-]*", text) else f'"{text}"'


def _list(texts: Sequence[str]) -> str:
    return f"[{', '.join(map(_item, texts))}]"


def _commented(text: str) -> str:
    return "".join(f"# {line}\n" if line else "#\n" for line in text.splitlines())
