"""How long `tidegate build` and `turbo run build` take for the same graph of 200 steps. Prints, asserts nothing.

.venv/bin/python tests/bench/build_vs_turbo.py [--steps N] [--warm N] [--cold N]

The graph is one of packages that need up to three of the ten before them; a step copies its source to one output. Both
tools get a git repository of their own with the same files, and run in turns. Needs npm, which fetches turbo.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median

SCRIPT = "mkdir -p dist && cat src/in.txt > dist/out.txt"
TIDEGATE = [sys.executable, "-c", "from tidegate.cli.start import main; main()", "build"]
TURBO_TASKS = {"build": {"dependsOn": ["^build"], "inputs": ["src/**"], "outputs": ["dist/**"]}}


def a_graph(steps: int) -> list[list[int]]:
    """For each step those that it needs."""
    chance = random.Random(1)
    return [sorted(chance.sample(range(max(0, at - 10), at), min(at, chance.randint(0, 3)))) for at in range(steps)]


def run(folder: Path, *command: str, env: Mapping[str, str] | None = None) -> None:
    """Run a command that has to succeed."""
    done = subprocess.run(command, cwd=folder, env={**os.environ, **(env or {})}, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")


def make_sources(folder: Path, graph: list[list[int]]) -> None:
    """The files that both tools have in common."""
    for at in range(len(graph)):
        source = folder / f"packages/p{at}/src"
        source.mkdir(parents=True)
        (source / "in.txt").write_text(f"{at}\n")
    (folder / ".gitignore").write_text("dist\nnode_modules\n.turbo\n")


def commit(folder: Path) -> None:
    """A repository with everything in it."""
    run(folder, "git", "init", "--quiet")
    run(folder, "git", "add", "--all")
    who = ("-c", "user.name=bench", "-c", "user.email=bench@example.org")
    run(folder, "git", *who, "commit", "--quiet", "--message", "a graph")


def make_turbo(folder: Path, graph: list[list[int]]) -> None:
    """The graph as npm workspaces."""
    make_sources(folder, graph)
    root = {"name": "bench", "private": True, "workspaces": ["packages/*"], "devDependencies": {"turbo": "*"}}
    npm = subprocess.run(["npm", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    (folder / "package.json").write_text(json.dumps({**root, "packageManager": f"npm@{npm}"}))
    (folder / "turbo.json").write_text(json.dumps({"tasks": TURBO_TASKS}))
    for at, needs in enumerate(graph):
        package = {"name": f"p{at}", "version": "1.0.0", "scripts": {"build": SCRIPT}}
        package["dependencies"] = {f"p{need}": "*" for need in needs}
        (folder / f"packages/p{at}/package.json").write_text(json.dumps(package))
    run(folder, "npm", "install", "--no-audit", "--no-fund")
    commit(folder)


def make_tidegate(folder: Path, graph: list[list[int]]) -> None:
    """The graph as a tidegate.yaml."""
    make_sources(folder, graph)
    steps = [
        {
            "name": f"p{at}",
            "run": SCRIPT,
            "working_directory": f"packages/p{at}",
            "needs": [f"p{need}" for need in needs],
            "inputs": [f"packages/p{at}/src/**"],
            "outputs": [f"packages/p{at}/dist/**"],
        }
        for at, needs in enumerate(graph)
    ]
    (folder / "tidegate.yaml").write_text(json.dumps({"service": "bench", "build": {"steps": steps}}, indent=1))
    commit(folder)


class Contest:
    """Both tools, each with its repository."""

    def __init__(self, root: Path, steps: int) -> None:
        graph = a_graph(steps)
        self.turbo, self.tidegate, self.cache = root / "turbo", root / "tidegate", root / "cache"
        make_turbo(self.turbo, graph)
        make_tidegate(self.tidegate, graph)

    def build_turbo(self) -> float:
        command = [str(self.turbo / "node_modules/.bin/turbo"), "run", "build"]
        return timed(lambda: run(self.turbo, *command, env={"TURBO_TELEMETRY_DISABLED": "1"}))

    def build_tidegate(self) -> float:
        return timed(lambda: run(self.tidegate, *TIDEGATE, env={"TIDEGATE_CACHE": str(self.cache)}))

    def forget(self) -> None:
        """Take away all that was built, and the caches."""
        shutil.rmtree(self.cache, ignore_errors=True)
        for folder in (self.turbo / ".turbo", self.turbo / "node_modules/.cache"):
            shutil.rmtree(folder, ignore_errors=True)
        for root in (self.turbo, self.tidegate):
            for made in [*root.glob("packages/*/dist"), *root.glob("packages/*/.turbo")]:
                shutil.rmtree(made)

    def change(self, text: str) -> None:
        """Change the source of the step in the middle."""
        for root in (self.turbo, self.tidegate):
            packages = len(list((root / "packages").iterdir()))
            (root / f"packages/p{packages // 2}/src/in.txt").write_text(text)

    def take_turns(self, what: str, rounds: int, before: Callable[[int], None]) -> None:
        """Build with both in turns, and print medians and their ratio."""
        times: list[tuple[float, float]] = []
        for number in range(rounds):
            before(number)
            times.append((self.build_turbo(), self.build_tidegate()))
        turbo, tidegate = (median(one) for one in zip(*times, strict=True))
        rest = f"({rounds} rounds; turbo {least_and_most([one for one, _ in times])}"
        rest += f", tidegate {least_and_most([one for _, one in times])})"
        print(f"{what:<12} turbo {turbo:7.3f} s   tidegate {tidegate:7.3f} s   {tidegate / turbo:5.2f}×   {rest}")


def timed(act: Callable[[], None]) -> float:
    """The seconds that an act takes."""
    began = time.monotonic()
    act()
    return time.monotonic() - began


def least_and_most(times: list[float]) -> str:
    """`0.151-0.174`."""
    return f"{min(times):.3f}-{max(times):.3f}"


def main() -> None:
    """Build from nothing, without a change, and after a change of one file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--warm", type=int, default=10)
    parser.add_argument("--cold", type=int, default=3)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tgb-") as name:
        contest = Contest(Path(name), asked.steps)
        print(f"{asked.steps} steps, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
        contest.take_turns("from nothing", asked.cold, lambda _: contest.forget())
        contest.take_turns("unchanged", asked.warm, lambda _: None)
        contest.take_turns("one change", asked.cold, lambda number: contest.change(f"changed {number}\n"))


if __name__ == "__main__":
    main()
