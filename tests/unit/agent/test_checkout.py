"""Checkouts: each step finds exactly its commit, whatever the steps before it did to the same tree."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.integration.api.world import eventually

from tidegate.agent.checkout import Checkout, CheckoutFailed, CheckoutKey, Checkouts
from tidegate.agent.tree import Difference, survey
from tidegate.model.ids import Commit, RunId

FILES = {
    "shop.py": "print('shop')\n",
    "src/till.py": "print('till')\n",
    "src/deep/er.txt": "deeper\n",
    "run.sh": "true\n",
}

NOWHERE = Path("/nowhere-at")
"""As long as where the link leads in the commit, and nothing is there to be harmed."""


def git(folder: Path, *arguments: str) -> str:
    person = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-c", "commit.gpgsign=false")
    done = subprocess.run(["git", *person, *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with files, a program and a link in its one commit."""
    folder = tmp_path_factory.mktemp("source")
    git(folder, "init", "--quiet", "--initial-branch=main")
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder / "run.sh").chmod(0o755)
    (folder / "link").symlink_to("src/till.py")
    (folder / ".gitignore").write_text("build/\n")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "-m", "first")
    return folder


@pytest.fixture
def key(source: Path) -> CheckoutKey:
    return CheckoutKey(RunId("01run"), str(source), Commit(git(source, "rev-parse", "HEAD")), ".", None)


@pytest.fixture
def checkouts(tmp_path: Path) -> Checkouts:
    (tmp_path / "checkouts").mkdir(exist_ok=True)
    return Checkouts(tmp_path / "checkouts", None)


def content(tree: Path) -> dict[str, object]:
    """What a step finds there: files with their modes, links, folders."""
    found: dict[str, object] = {}
    for path in sorted(tree.rglob("*")):
        name = str(path.relative_to(tree))
        if name == ".git" or name.startswith(".git/"):
            continue
        if path.is_symlink():
            found[name] = f"-> {path.readlink()}"
        else:
            found[name] = (path.stat().st_mode & 0o777, path.read_bytes() if path.is_file() else None)
    return found


def used(checkouts: Checkouts, key: CheckoutKey, act: Callable[[Path], object] = lambda tree: None) -> Checkout:
    """A checkout in which a step did something, given back."""
    checkout = checkouts.take(key)
    if not checkout.is_set_up:
        checkout.note_clean()
    act(checkout.tree)
    checkouts.give_back(checkout)
    return checkout


def test_a_checkout_is_exactly_the_commit(checkouts: Checkouts, key: CheckoutKey) -> None:
    tree = checkouts.take(key).tree
    found = content(tree)
    assert {name: found[name] for name in FILES} == {
        name: (0o755 if name == "run.sh" else 0o644, text.encode()) for name, text in FILES.items()
    }
    assert found["link"] == "-> src/till.py"
    assert git(tree, "rev-parse", "HEAD") == key.commit
    assert git(tree, "status", "--porcelain") == ""


def _commits(tree: Path) -> None:
    (tree / "shop.py").write_text("changed")
    git(tree, "add", "--all")
    git(tree, "commit", "--quiet", "-m", "of a step")


def _hooks(tree: Path) -> None:
    (tree / ".git" / "hooks").mkdir(exist_ok=True)
    (tree / ".git" / "hooks" / "post-checkout").write_text("#!/bin/sh\nexit 1\n")


def _nested(tree: Path) -> None:
    (tree / "vendor").mkdir()
    git(tree / "vendor", "init", "--quiet")


def _swaps(tree: Path) -> None:
    shutil.rmtree(tree / "src")
    (tree / "src").symlink_to(NOWHERE)


def _adds(tree: Path) -> None:
    for folder in ("new", "build"):  # the second one is ignored by git
        (tree / folder).mkdir()
        (tree / folder / "file").write_text("x")


def _turns(tree: Path) -> None:
    (tree / "link").unlink()
    (tree / "link").symlink_to(NOWHERE)


DOINGS: dict[str, Callable[[Path], object]] = {
    "nothing": lambda tree: None,
    "changes a file": lambda tree: (tree / "shop.py").write_text("changed"),
    "removes a file": lambda tree: (tree / "src" / "till.py").unlink(),
    "removes a folder": lambda tree: shutil.rmtree(tree / "src"),
    "adds files": _adds,
    "changes a mode": lambda tree: (tree / "run.sh").chmod(0o644),
    "shuts a folder": lambda tree: (tree / "src").chmod(0o700),
    "turns a link elsewhere": _turns,
    "puts a link in a folder's place": _swaps,
    "stages a change": lambda tree: ((tree / "shop.py").write_text("changed"), git(tree, "add", "shop.py")),
    "hides a change from git": lambda tree: (
        git(tree, "update-index", "--assume-unchanged", "shop.py"),
        (tree / "shop.py").write_text("changed"),
    ),
    "commits": _commits,
    "writes a hook": _hooks,
    "changes git's settings": lambda tree: git(tree, "config", "core.fsmonitor", "/nowhere/hook"),
    "makes a repository inside": _nested,
    "removes git's own files": lambda tree: shutil.rmtree(tree / ".git"),
}


@pytest.mark.parametrize("what", DOINGS)
def test_whatever_a_step_does_the_next_one_finds_the_commit(checkouts: Checkouts, key: CheckoutKey, what: str) -> None:
    clean = content(used(checkouts, key).tree)
    used(checkouts, key, DOINGS[what])
    again = checkouts.take(key)
    assert content(again.tree) == clean
    assert git(again.tree, "rev-parse", "HEAD") == key.commit
    assert git(again.tree, "status", "--porcelain", "--ignored") == ""
    assert not (again.tree / ".git" / "hooks" / "post-checkout").exists()


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.lists(st.sampled_from(sorted(DOINGS)), max_size=3, unique=True), min_size=1, max_size=3))
def test_whatever_many_steps_do_one_after_another_each_finds_the_commit(
    checkouts: Checkouts, key: CheckoutKey, steps: list[list[str]]
) -> None:
    clean = content(used(checkouts, key).tree)
    for doings in steps:
        checkout = checkouts.take(key)
        assert content(checkout.tree) == clean
        if not checkout.is_set_up:
            checkout.note_clean()
        for doing in doings:
            try:
                DOINGS[doing](checkout.tree)
            except (OSError, subprocess.CalledProcessError):
                continue  # an earlier one of this step has taken away what this one works on
        checkouts.give_back(checkout)
    assert content(checkouts.take(key).tree) == clean


def test_whatever_changes_after_a_look_has_a_later_time(checkouts: Checkouts, key: CheckoutKey) -> None:
    """Though the clock of the file system stands still for milliseconds, in which sizes need not change either."""
    checkout = checkouts.take(key)
    for number in range(40):
        (checkout.tree / "shop.py").write_text(f"{number:02}")
        seen = checkout.look()
        (checkout.tree / "shop.py").write_text(f"{99 - number:02}")
        assert Difference.between(seen, survey(checkout.tree)).altered == {"shop.py"}


def test_a_change_in_the_second_of_the_checkout_is_undone_though_git_does_not_see_it(
    checkouts: Checkouts, key: CheckoutKey
) -> None:
    """Git tells a file of the same size by the second of its time; its index was written in a later one."""
    checkout = checkouts.take(key)
    checkout.note_clean()
    changed = checkout.tree / "shop.py"
    changed.write_text("print('evil')\n")
    second = int(changed.stat().st_ctime)
    checkouts.give_back(checkout)
    eventually(lambda: _second_in(checkout.folder) > second, "the next second")
    assert (checkouts.take(key).tree / "shop.py").read_text() == FILES["shop.py"]


def _second_in(folder: Path) -> int:
    (folder / "now").touch()
    return int((folder / "now").stat().st_ctime)


def test_a_checkout_that_was_left_clean_is_used_again(checkouts: Checkouts, key: CheckoutKey) -> None:
    assert checkouts.take(key).folder != used(checkouts, key).folder
    assert used(checkouts, key, DOINGS["changes a file"]).folder == used(checkouts, key).folder


@pytest.mark.parametrize(
    "other", [{"run": RunId("02run")}, {"path": "src"}, {"setup": "make"}], ids=["run", "folder", "setup"]
)
def test_a_checkout_is_used_again_for_the_same_run_folder_and_setup_only(
    checkouts: Checkouts, key: CheckoutKey, other: dict[str, object]
) -> None:
    first = used(checkouts, key)
    assert checkouts.take(replace(key, **other)).folder != first.folder  # type: ignore[arg-type]


def test_what_setup_made_stays_and_is_never_guessed_at(checkouts: Checkouts, key: CheckoutKey) -> None:
    checkout = checkouts.take(key)
    checkout.note_before_setup()
    (checkout.tree / "venv").mkdir()
    (checkout.tree / "venv" / "python").write_text("made by setup")
    checkout.note_clean()
    checkouts.give_back(checkout)
    again = used(checkouts, key, DOINGS["changes a file"])
    assert again.folder == checkout.folder
    spoilt = used(checkouts, key, lambda tree: (tree / "venv" / "python").write_text("spoilt"))
    assert spoilt.folder == checkout.folder
    fresh = checkouts.take(key)
    assert fresh.folder != checkout.folder
    assert not fresh.is_set_up
    assert not (fresh.tree / "venv").exists()
    assert not checkout.folder.exists()


def test_the_newest_few_are_kept_and_one_of_which_nothing_is_known_is_not(
    checkouts: Checkouts, key: CheckoutKey
) -> None:
    free = [checkouts.take(key) for _ in range(checkouts.keep + 2)]
    unknown = free.pop()
    for checkout in free:
        checkout.note_clean()
        checkouts.give_back(checkout)
    checkouts.give_back(unknown)
    assert {path.name for path in checkouts.root.iterdir()} == {one.name for one in free[1:]}


def test_the_next_agent_finds_the_checkout_of_an_attempt_and_removes_the_others(
    checkouts: Checkouts, key: CheckoutKey, tmp_path: Path
) -> None:
    mine, other = checkouts.take(key), checkouts.take(key)
    later = Checkouts(tmp_path / "checkouts", None)
    (tmp_path / "tree").mkdir()
    later.remove_all_but([mine.name])
    assert not other.folder.exists()
    adopted = later.adopt(mine.name, key)
    assert adopted is not None
    assert (adopted.folder, adopted.is_set_up) == (mine.folder, False)
    for name in (other.name, "..", "../source", "", mine.name + "/tree"):
        assert later.adopt(name, key) is None


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"commit": Commit("d" * 40)}, "the commit dddddddd could not be checked out"),
        ({"commit": Commit("main")}, "'main' is not the full name of a commit"),
        ({"commit": Commit("--upload-pack=x")}, "is not the full name of a commit"),
        ({"source": "/nowhere/at/all"}, "could not be checked out"),
    ],
    ids=["unknown", "a branch", "an option", "no repository"],
)
def test_what_cannot_be_checked_out_is_said_and_leaves_nothing(
    checkouts: Checkouts, key: CheckoutKey, changed: dict[str, object], says: str
) -> None:
    with pytest.raises(CheckoutFailed, match=says):
        checkouts.take(replace(key, **changed))  # type: ignore[arg-type]
    assert list(checkouts.root.iterdir()) == []


@pytest.mark.parametrize("address", ["--upload-pack=touch {ran}", "ext::sh -c touch% {ran}"])
def test_a_source_runs_no_command_here(checkouts: Checkouts, key: CheckoutKey, tmp_path: Path, address: str) -> None:
    ran = tmp_path / "ran"
    with pytest.raises(CheckoutFailed):
        checkouts.take(replace(key, source=address.format(ran=ran)))
    assert not ran.exists()


def test_a_machine_without_git_says_what_to_install(
    checkouts: Checkouts, key: CheckoutKey, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CheckoutFailed, match="the git command is not on the agent's machine; install it"):
        checkouts.take(key)
    assert list(checkouts.root.iterdir()) == []
