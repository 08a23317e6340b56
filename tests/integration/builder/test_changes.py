"""A change runs exactly the steps that depend on it: random graphs of steps against an oracle that knows no cache."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.model import builders

from tidegate.agent.this_platform import this_platform
from tidegate.integrations.git import GitMirror
from tidegate.model.agent import Agent
from tidegate.model.ids import Commit
from tidegate.model.pipeline import Build, Pipeline, Setup, Step
from tidegate.model.step_cache import with_keys
from tidegate.model.step_inputs import Listing, contents
from tidegate.model.step_key import files_digest
from tidegate.model.step_run import StepState

from .tree import Seen, Tree, step

HERE = Agent("here", builders.NOON, platform=this_platform(), seen_at=builders.NOON)
FILES = [f"src/{name}" for name in "abcd"]


@dataclass(frozen=True)
class Node:
    """A step that joins its inputs and what its needs made, or makes the same of everything; `bad` makes it fail."""

    inputs: frozenset[int]
    needs: frozenset[int]
    is_constant: bool

    def as_step(self, number: int) -> Step:
        files = [FILES[one] for one in sorted(self.inputs)]
        needed = [f"out{one}" for one in sorted(self.needs)]
        made = "echo constant" if self.is_constant else f"cat {' '.join([*files, *needed])}"
        script = f"if grep -q bad {' '.join(files)}; then exit 1; fi; {made} > out{number}"
        needs = tuple(f"s{one}" for one in sorted(self.needs))
        return step(f"s{number}", script, inputs=tuple(files), outputs=(f"out{number}",), needs=needs)


@dataclass
class Oracle:
    """What each step should make and which ones should run, from nothing but what was ever made before."""

    nodes: Sequence[Node]
    known: set[tuple[object, ...]] = field(default_factory=set)

    def build(self, files: Mapping[int, str]) -> tuple[set[str], dict[int, str]]:
        ran: set[str] = set()
        made: dict[int, str] = {}
        for number, node in enumerate(self.nodes):
            if not all(one in made for one in node.needs):
                continue
            depends = tuple(files[one] for one in sorted(node.inputs))
            needed = tuple(made[one] for one in sorted(node.needs))
            key = (number, depends, needed)
            if key not in self.known:
                ran.add(f"s{number}")
                if any("bad" in text for text in depends):
                    continue
                self.known.add(key)
            made[number] = "constant\n" if node.is_constant else "".join((*depends, *needed))
        return ran, made


@st.composite
def graphs(draw: st.DrawFn) -> list[Node]:
    count = draw(st.integers(1, 6))
    some_files = st.frozensets(st.integers(0, len(FILES) - 1), min_size=1, max_size=2)
    return [
        Node(
            draw(some_files),
            draw(st.frozensets(st.integers(0, max(0, at - 1)), max_size=3)) if at else frozenset(),
            draw(st.booleans()),
        )
        for at in range(count)
    ]


CONTENTS = st.dictionaries(st.integers(0, len(FILES) - 1), st.sampled_from(["1\n", "22\n", "bad\n"]), max_size=3)


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(graphs(), st.lists(CONTENTS, min_size=1, max_size=4))
def test_exactly_the_steps_that_depend_on_a_change_run(nodes: list[Node], changes: list[dict[int, str]]) -> None:
    folder = Path(tempfile.mkdtemp(prefix="tgb-"))
    try:
        tree = Tree(folder / "repo", folder / "cache", [node.as_step(at) for at, node in enumerate(nodes)])
        tree.folder.mkdir()
        tree.git("init", "--quiet")
        oracle = Oracle(nodes)
        files = dict.fromkeys(range(len(FILES)), "0\n")
        for change in ({}, *changes):
            files |= change
            for number, text in files.items():
                tree.write(FILES[number], text)
            ran, made = oracle.build(files)
            assert set(tree.build(keep_going=True).ran) == ran
            assert {number: tree.text(f"out{number}") for number in made} == made
    finally:
        shutil.rmtree(folder)


def test_a_key_is_the_one_that_the_server_gives_to_the_same_step_at_the_commit(tree: Tree) -> None:
    for name in ("src/a", "src/b", "req", "tests/deep/t"):
        tree.write(name, name)
    tree.write(".gitignore", "env\nout\na.whl\nfree\n")
    tree.setup = Setup("mkdir env; cat req > env/x", ("req",), ("env",))
    tree.steps = [
        step("make", "mkdir out; cat src/a > out/a; ln -s a out/l", inputs=("src/**",), outputs=("out",)),
        step("pack", "cp out/a a.whl", inputs=("src/*", "!src/b"), needs=("make",), artifacts={"shop": "*.whl"}),
        step("fails", "exit 1", allow_failure=True),
        step("free", "touch free", outputs=("free",)),
        step("last", env={"A": "1"}, inputs=("tests/", "$TIDEGATE_BRANCH"), needs=("pack", "fails", "free")),
    ]
    seen = tree.build()
    assert seen.state is StepState.SUCCEEDED
    ours = {name: known.key for name, known in tree.memory.steps.items() if known.key}
    assert ours.keys() == {"make", "pack", "last"}
    listing = GitMirror(tree.folder / ".git").listing(Commit(tree.commit()), ".")
    pipeline = Pipeline(builders.SHOP, branch="main", build=Build(tuple(tree.steps), tree.setup))
    assert ours == server_keys(pipeline, listing, seen)


def server_keys(pipeline: Pipeline, listing: Listing, seen: Seen) -> dict[str, str]:
    """The keys that a server gives at a commit with these files, after the needs of each step ended as was seen."""
    run = builders.a_run(pipeline)
    assert pipeline.build.setup is not None
    keys = {}
    for asked in pipeline.build.steps:
        files = (*listing.matched(asked.inputs), *listing.matched(pipeline.build.setup.inputs))
        steps = [
            replace(builders.a_step_run(one, seen.state_of(one.name)), report=seen.ends[one.name].report)
            if one is not asked
            else replace(builders.a_step_run(one), files=files_digest(contents(files)) if one.inputs else None)
            for one in pipeline.build.steps
        ]
        keys[str(asked.name)] = next(one.key for one in with_keys(run, steps, [HERE]) if one.name == asked.name)
    return {name: key for name, key in keys.items() if key}
