"""`tidegate build` as a person, a pipe and a script see it."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.integration.cli.command_line import SECONDS, Command

from tidegate.cli.build_run import Wishes
from tidegate.cli.main import run
from tidegate.cli.start import understood

Git = Callable[..., str]

FILE = """\
service: shop
build:
  setup: echo ready > .ready
  steps:
    - name: lint
      run: echo linting
      inputs: ["src/**/*.py"]
    - name: unit tests
      run: mkdir -p reports; cp tests.xml coverage.xml reports
      inputs: ["src/**", "*.xml"]
      reports: {junit: reports/tests.xml, coverage: reports/coverage.xml}
    - name: types
      matrix: {PYTHON: ["3.11", "3.12"]}
      run: echo "$PYTHON"
      inputs: ["src/**"]
    - name: wheel
      run: mkdir -p dist; cp src/shop/prices.py dist/shop-1.0-py3-none-any.whl
      inputs: ["src/**"]
      outputs: ["dist/*.whl"]
      artifacts: {shop: "dist/*.whl"}
    - name: image
      needs: [wheel]
      run: cat dist/*.whl > image.tar
      inputs: [tidegate.yaml]
      artifacts: {image: image.tar}
"""
STEPS = ["lint", "unit tests", "types (3.11)", "types (3.12)", "wheel", "image"]
FAILING = """\
service: shop
build:
  steps:
    - {name: bad, run: "echo one; echo two; exit 3"}
    - {name: after, needs: [bad], run: "true"}
    - {name: beside, run: "true"}
"""


@pytest.fixture
def shop(alone: Command, git: Git) -> Command:
    """The command in the repository of a shop, with a cache of its own."""
    folder = alone.cwd / "shop"
    (folder / "src/shop").mkdir(parents=True)
    (folder / "src/shop/prices.py").write_text("price = 1\n")
    (folder / "tests.xml").write_text("<testsuite><testcase/><testcase><skipped/></testcase></testsuite>")
    (folder / "coverage.xml").write_text('<coverage line-rate="0.815"/>')
    (folder / "tidegate.yaml").write_text(FILE)
    git(folder, "init", "--quiet", "--initial-branch", "main")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "a shop")
    return Command(alone.data, folder, {**alone.env, "TIDEGATE_CACHE": str(alone.cwd / "cache")})


@pytest.fixture
def failing(shop: Command) -> Command:
    """The command where a step fails."""
    (shop.cwd / "tidegate.yaml").write_text(FAILING)
    return shop


def without_times(text: str) -> list[str]:
    return [re.sub(r"\d+\.\d s", "0.0 s", line) for line in text.splitlines()]


def test_in_a_pipe_it_prints_plain_lines(shop: Command) -> None:
    ended = shop("build", "--jobs", "1")
    assert (ended.code, ended.err) == (0, "")
    assert without_times(ended.out) == [
        "✓ setup         0.0 s",
        "lint | linting",
        "✓ lint          0.0 s",
        "✓ unit tests    0.0 s    1 passed, 1 skipped, 81.5% of lines covered",
        "types (3.11) | 3.11",
        "✓ types (3.11)  0.0 s",
        "types (3.12) | 3.12",
        "✓ types (3.12)  0.0 s",
        "✓ wheel         0.0 s    dist/shop-1.0-py3-none-any.whl",
        "✓ image         0.0 s    image.tar",
        "6 steps, in 0.0 s",
    ]


def test_what_comes_from_the_cache_says_from_when(shop: Command) -> None:
    shop("build", "wheel", "unit tests")
    lines = shop("build", "wheel", "unit tests").out.splitlines()
    assert re.fullmatch(r"✓ unit tests  cached   from (just now|\d seconds? ago), 1 passed, .*", lines[0])
    assert re.fullmatch(r"✓ wheel       cached   from (just now|\d seconds? ago)", lines[1])
    assert re.fullmatch(r"2 steps, 2 cached, in \d\.\d s", lines[2])


def test_a_script_reads_one_document(shop: Command) -> None:
    document = shop("build", "--json").document
    assert set(document) == {"status", "seconds", "steps"}
    assert document["status"] == "succeeded"
    assert [step["name"] for step in document["steps"]] == STEPS
    for step in document["steps"]:
        assert set(step) == {"name", "status", "cached", "seconds"}
        assert (step["status"], step["cached"]) == ("succeeded", False)
        assert step["seconds"] > 0
    again = shop("build", "--json")
    assert all(step["cached"] for step in again.document["steps"])
    assert "6 steps, 6 cached" in again.err


def test_a_failed_step_ends_it_with_1_and_says_where_its_log_is(failing: Command) -> None:
    ended = failing("build", "--jobs", "1")
    assert ended.code == 1
    lines = without_times(ended.out)
    assert lines[:-2] == [
        "bad | one",
        "bad | two",
        "✗ bad     0.0 s    the command ended with exit status 3",
        "- after   skipped  it needs bad",
        "- beside  skipped",
    ]
    log = lines[-2].removeprefix("the whole log of bad: ")
    assert Path(log).read_text() == "one\ntwo\n"
    assert lines[-1] == "3 steps, 1 failed, 2 skipped, in 0.0 s"
    statuses = [step["status"] for step in failing("build", "--json", "--keep-going").document["steps"]]
    assert statuses == ["failed", "skipped", "succeeded"]


def test_a_second_attempt_is_announced_once_and_with_its_cause(shop: Command) -> None:
    step = '{name: t, run: "test $TIDEGATE_ATTEMPT = 2", retry: {attempts: 2, causes: [failed]}}'
    (shop.cwd / "tidegate.yaml").write_text(f"service: shop\nbuild: {{steps: [{step}]}}\n")
    told = [line for line in shop("build").out.splitlines() if "attempt" in line]
    assert told == ["t | ── the command ended with exit status 1: attempt 2 follows ──"]


def test_on_a_terminal_it_draws_what_runs_and_leaves_all_steps_in_their_order(shop: Command) -> None:
    drawn = shop.on_terminal("build").out
    left = drawn.rpartition("\x1b[2K")[2]
    assert "\x1b[32m✓\x1b[0m lint" in left
    lines = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", left).splitlines()
    assert [line.split("  ")[0].lstrip("✓ ") for line in lines[:-1]] == ["setup", *STEPS]
    assert lines[-1].startswith("6 steps, in ")


def test_on_a_terminal_the_end_of_a_failed_steps_log_is_printed(failing: Command) -> None:
    drawn = failing.on_terminal("build", env={"NO_COLOR": "1"}).out
    assert "── the end of the log of bad ──\r\none\r\ntwo\r\n" in drawn
    assert "\x1b[3" not in drawn


def test_on_a_terminal_a_build_from_the_cache_is_not_drawn(shop: Command) -> None:
    shop("build", "lint")
    drawn = shop.on_terminal("build", "lint", env={"NO_COLOR": "1"}).out
    assert re.fullmatch(r"✓ lint  cached   from [^\r]*\r\n1 step, 1 cached, in [^\r]*\r\n", drawn)


def test_it_explains_down_to_the_file(shop: Command) -> None:
    assert "was not built" in shop("build", "--explain", "lint").out
    shop("build")
    assert shop("build", "--explain", "lint").out == (
        "lint ran because it had not run in this folder before, and the cache had no result of it\n"
    )
    (shop.cwd / "src/shop/prices.py").write_text("price = 2\n")
    (shop.cwd / "src/shop/taxes.py").write_text("tax = 1\n")
    files = "  src/shop/prices.py was changed\n  src/shop/taxes.py is new\n"
    assert shop("build", "--explain", "lint").out.splitlines(keepends=True)[1:] == [
        "since then its inputs changed:\n",
        *files.splitlines(keepends=True),
    ]
    shop("build")
    assert shop("build", "--explain", "lint").out == f"lint ran because its inputs changed:\n{files}"
    shop("build")
    assert shop("build", "--explain", "lint").out.startswith(
        "lint was taken from the cache because nothing that it depends on has changed since it ran "
    )
    told = shop("build", "--explain", "lint", "--json").document
    assert (told["step"], told["status"], told["cached"], told["since"]) == ("lint", "succeeded", True, [])


def test_it_explains_other_reasons(shop: Command) -> None:
    shop("build")
    file = shop.cwd / "tidegate.yaml"
    file.write_text(FILE.replace("echo linting", "echo linting more"))
    shop("build", "--force", "wheel")
    shop("build", "lint", "image")
    assert "lint ran because its command changed\n" in shop("build", "--explain", "lint").out
    assert "image ran because its inputs changed:\n  tidegate.yaml was changed\n" in (
        shop("build", "--explain", "image").out
    )
    assert "because nothing that it depends on has changed" in shop("build", "--explain", "wheel").out
    shop("build", "--force", "wheel")
    assert "wheel ran because nothing was to be taken from the cache (--force)" in (
        shop("build", "--explain", "wheel").out
    )
    (shop.cwd / "src/shop/prices.py").write_text("price = 2\n")
    assert 'since then "wheel", which it needs, has to run again' in shop("build", "--explain", "image").out


def test_it_prints_what_a_step_wrote_also_where_that_was_long_ago(shop: Command) -> None:
    assert shop("build", "--log", "lint").code == 1
    shop("build")
    shop("build")
    assert shop("build", "--log", "lint").out == "linting\n"
    assert shop("build", "--log", "lint", "--json").document == {"step": "lint", "lines": ["linting"]}
    several = shop("build", "--log", "types")
    assert (several.code, "is several steps" in several.err) == (2, True)


def test_a_file_elsewhere_is_named(shop: Command) -> None:
    inside = Command(shop.data, shop.cwd / "src", shop.env)
    assert inside("build", "--file", "..", "lint").code == 0
    assert inside("build", "--file", "../tidegate.yaml", "lint", "--json").document["steps"][0]["cached"]
    ended = inside("build")
    assert (ended.code, ended.out) == (2, "")
    assert "there is no file tidegate.yaml" in ended.err


def test_a_wrong_file_is_told_in_the_words_of_validate(shop: Command) -> None:
    (shop.cwd / "tidegate.yaml").write_text(FILE.replace("inputs", "imputs").replace("needs: [wheel]", "needs: [weel]"))
    told, validated = shop("build"), shop("validate")
    assert (told.code, validated.code) == (2, 1)
    assert (told.out, told.err) == (validated.out, validated.err)
    assert 'did you mean "wheel"?' in told.out
    as_json = shop("build", "--json")
    assert as_json.code == 2
    assert as_json.document["error"]["problems"] == told.out.splitlines()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("wheeel",), 'there is no step "wheeel"\nnext: did you mean "wheel"?'),
        (("--explain", "x"), 'there is no step "x"'),
        (("--jobs", "0"), "greater than or equal to 1"),
        (("--faster",), "--faster"),
    ],
)
def test_wrong_usage_ends_it_with_2(shop: Command, arguments: tuple[str, ...], words: str) -> None:
    for ended in (shop("build", *arguments), shop.as_process("build", *arguments)):
        assert (ended.code, ended.out) == (2, "")
        assert words in ended.err


def test_a_folder_outside_of_a_repository_is_told(shop: Command) -> None:
    folder = shop.cwd.parent / "outside"
    folder.mkdir()
    (folder / "tidegate.yaml").write_text(FAILING)
    ended = Command(shop.data, folder, shop.env)("build")
    assert ended.code == 2
    assert f"{folder} is in no git repository" in ended.err
    assert f"next: git init {folder}" in ended.err


@pytest.mark.parametrize(
    ("env", "code", "words"),
    [
        ({"TIDEGATE_CACHE": "/dev/null/cache"}, 1, "next: name another folder: TIDEGATE_CACHE=DIR"),
        ({"TIDEGATE_CACHE_SIZE": "much"}, 2, "TIDEGATE_CACHE_SIZE: 'much' is not a size; write one like 64MiB"),
    ],
)
def test_a_cache_that_cannot_be_used_is_told(shop: Command, env: dict[str, str], code: int, words: str) -> None:
    ended = shop("build", env=env)
    assert (ended.code, words in ended.err) == (code, True)


def test_without_a_word_the_cache_is_in_the_users_cache_folder(shop: Command) -> None:
    env = {name: value for name, value in shop.env.items() if name != "TIDEGATE_CACHE"}
    shop.env = {**env, "XDG_CACHE_HOME": str(shop.cwd.parent / "caches")}
    shop("build", "lint")
    assert (shop.cwd.parent / "caches/tidegate/build/results").is_dir()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_what_runs_and_the_build(shop: Command, number: signal.Signals) -> None:
    script = "trap 'echo tidied; exit 1' TERM; echo running; while :; do sleep 0.01; done"
    steps = json.dumps([{"name": "long", "run": script}, {"name": "after", "needs": ["long"], "run": "true"}])
    (shop.cwd / "tidegate.yaml").write_text(f"service: shop\nbuild: {{steps: {steps}}}\n")
    argv = [sys.executable, "-m", "tidegate.cli.start", "build", "--json"]
    with subprocess.Popen(
        argv, cwd=shop.cwd, env=shop.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "long | running\n"
        process.send_signal(number)
        out, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 130
    assert "long | tidied" in err
    document = json.loads(out)
    assert document["status"] == "cancelled"
    assert [step["status"] for step in document["steps"]] == ["cancelled", "cancelled"]


def test_the_console_script_tells_failures_as_every_command_does(shop: Command) -> None:
    argv = [sys.executable, "-m", "tidegate.cli.start", "build", "nothing", "--json"]
    done = subprocess.run(argv, cwd=shop.cwd, env=shop.env, capture_output=True, text=True)
    known = shop("build", "nothing", "--json")
    assert (done.returncode, done.stdout, done.stderr) == (known.code, known.out, known.err)


def test_a_build_from_the_cache_needs_few_libraries(shop: Command) -> None:
    (shop.cwd / "tidegate.yaml").write_text(FILE.replace("src/**/*.py", "src/**").replace('"*.xml"', "tests.xml"))
    (shop.cwd / ".gitignore").write_text("dist\n.ready\n")
    shop("build", "lint", "wheel")
    script = (
        "import sys; from tidegate.cli import start\ntry: start.main()\nfinally: print(*sys.modules, file=sys.stderr)"
    )
    argv = [sys.executable, "-c", script, "build", "lint", "wheel"]
    done = subprocess.run(argv, cwd=shop.cwd, env=shop.env, capture_output=True, text=True)
    assert "2 steps, 2 cached" in done.stdout
    loaded = {name.partition(".")[0] for name in done.stderr.split()}
    heavy = {"typer", "rich", "pydantic", "ruamel", "wcmatch", "psutil", "tarfile", "tempfile", "asyncio", "httpx"}
    assert loaded & heavy == set()


WORDS = st.sampled_from(
    [
        *("--force", "--keep-going", "--json", "--jobs", "-j", "2", "0", "x", "--explain", "--log", "--file", "-f"),
        *(".", "lint", "--", "--jobs=2", "-j2", "--help", "", "-", "--no-such", "two words"),
    ]
)


@settings(max_examples=100, deadline=None)
@given(st.lists(WORDS, max_size=6))
def test_the_console_script_understands_a_command_line_as_typer_does_or_leaves_it_alone(words: list[str]) -> None:
    meant = understood(["build", *words])
    asked: list[Wishes] = []

    def note(wishes: Wishes) -> int:
        asked.append(wishes)
        return 0

    if meant is not None:
        with patch("tidegate.cli.build_run.run_build", note):
            assert run(["build", *words]) == 0
        assert asked == [meant]


@pytest.mark.parametrize("words", [["builds"], ["validate"], [], ["--version"], ["build", "--help"], ["build", "-j2"]])
def test_the_console_script_leaves_other_command_lines_to_typer(words: list[str]) -> None:
    assert understood(words) is None
