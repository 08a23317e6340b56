"""Real git repositories: every new commit is noticed once, in order, and whatever happens to a repository is said."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.integration.engine.shop import PLAIN, SHOP
from tests.integration.engine.test_creation import BROKEN
from tests.integration.engine.watched import Watched

from tidegate.engine.refusal import Refusal
from tidegate.model.ids import ServiceName
from tidegate.model.run import RunStatus
from tidegate.model.step_inputs import contents
from tidegate.model.step_key import files_digest
from tidegate.store import queries


def test_a_service_begins_with_the_newest_commit_only(watched: Watched) -> None:
    watched.commit("second")
    service = watched.add()
    assert [subject for _, subject in watched.runs()] == ["second"]
    assert service.branch == "trunk"
    assert service.last_seen == watched.repository.git("rev-parse", "HEAD")
    assert watched.look() == []


def test_a_new_commit_is_noticed_once(watched: Watched) -> None:
    watched.add()
    watched.commit("second")
    assert watched.look() == ["second"]
    assert watched.look() == []


def test_commits_that_come_together_are_run_oldest_first_and_merged_ones_as_their_merge(watched: Watched) -> None:
    watched.add()
    watched.commit("second")
    watched.repository.git("checkout", "--quiet", "-b", "feature")
    watched.commit("on a branch")
    watched.repository.git("checkout", "--quiet", "trunk")
    watched.commit("third", PLAIN + "# changed\n")
    watched.repository.git("merge", "--quiet", "--no-ff", "-X", "ours", "-m", "the merge", "feature")
    watched.commit("fourth")
    assert watched.look() == ["second", "third", "the merge", "fourth"]
    with watched.shop.database.reading() as connection:
        orders = [run.order for run in sorted(queries.newest_runs(connection), key=lambda run: run.id)]
    assert orders == [1, 2, 3, 4, 5]


def test_a_rewritten_branch_is_run_from_its_new_head_on(watched: Watched) -> None:
    watched.commit("second")
    watched.add()
    watched.repository.git("reset", "--quiet", "--hard", "HEAD~1")
    watched.commit("second, rewritten")
    watched.commit("third, on top of it")
    assert watched.look() == ["third, on top of it"]
    watched.commit("fourth")
    assert watched.look() == ["fourth"]


def test_a_branch_that_was_set_back_is_noticed_and_an_older_order_is_kept(watched: Watched) -> None:
    watched.commit("second")
    watched.add()
    watched.repository.git("reset", "--quiet", "--hard", "HEAD~1")
    assert watched.look() == ["first"]
    assert watched.shop.run(watched.runs()[-1][0]).order == 1
    assert watched.look() == []


@pytest.mark.parametrize("branch", ["main", "release/2.x", "ümlaut", "-"])
def test_a_branch_is_followed_whatever_it_is_called(watched: Watched, branch: str) -> None:
    if branch == "-":
        branch = "a-branch-of-200-letters-" + "x" * 176
    watched.repository.git("branch", "--move", branch)
    assert watched.add().branch == branch
    watched.commit("second")
    assert watched.look() == ["second"]


def test_who_works_on_another_branch_in_the_repository_begins_no_run(watched: Watched) -> None:
    watched.add()
    watched.repository.git("checkout", "--quiet", "-b", "feature")
    watched.commit("not yet merged")
    assert watched.look() == []


def test_a_branch_that_was_named_is_followed_whatever_is_checked_out(watched: Watched) -> None:
    watched.repository.git("branch", "stable")
    assert watched.add(branch="stable").branch == "stable"
    watched.commit("on trunk")
    assert watched.look() == []
    watched.repository.git("checkout", "--quiet", "stable")
    watched.commit("on stable")
    assert watched.look() == ["on stable"]


def test_a_branch_that_was_named_is_found_where_the_repository_itself_names_none(watched: Watched) -> None:
    watched.repository.git("branch", "--move", "develop")
    watched.repository.git("branch", "feature")
    watched.repository.git("symbolic-ref", "HEAD", "refs/heads/not-there")
    refused = watched.shop.refuses(watched.add, Refusal.INVALID)
    assert "names no branch that has a commit" in str(refused)
    assert watched.add(branch="develop").branch == "develop"


def test_a_branch_that_is_not_there_is_refused_with_those_that_are(watched: Watched) -> None:
    watched.repository.git("branch", "stable")
    refused = watched.shop.refuses(lambda: watched.add(branch="stabel"), Refusal.INVALID)
    assert "has no branch 'stabel'; it has: stable, trunk" in str(refused)


def test_a_branch_that_was_removed_is_said_once_and_what_came_meanwhile_is_run_when_it_is_back(
    watched: Watched,
) -> None:
    watched.add()
    watched.commit("second")
    watched.repository.git("branch", "--move", "renamed")
    assert [watched.look(), watched.look()] == [[], []]
    assert watched.troubles() == [f"{watched.repository.path} has no branch 'trunk' any more"]
    watched.repository.git("branch", "--move", "trunk")
    assert watched.look() == ["second"]
    assert watched.service().trouble is None


def test_a_repository_that_is_gone_is_said_once_and_so_is_its_return(watched: Watched) -> None:
    watched.add()
    away = watched.repository.path.with_name("away")
    watched.repository.path.rename(away)
    assert [watched.look(), watched.look()] == [[], []]
    (trouble,) = watched.troubles()
    assert str(watched.repository.path) in trouble
    assert watched.service().trouble == trouble
    away.rename(watched.repository.path)
    assert [watched.look(), watched.look()] == [[], []]
    assert watched.troubles() == [trouble, "the repository can be read again"]
    watched.commit("second")
    assert watched.look() == ["second"]


def test_a_mirror_that_was_lost_is_made_again(watched: Watched) -> None:
    watched.add()
    subprocess.run(["rm", "-rf", watched.mirrors.of(SHOP).folder], check=True)
    watched.commit("second")
    assert watched.look() == ["second"]


def test_a_broken_file_is_a_failed_run_and_the_corrected_one_is_run(watched: Watched) -> None:
    watched.add()
    watched.commit("broken", BROKEN)
    watched.commit("corrected")
    assert watched.look() == ["broken", "corrected"]
    broken, corrected = (watched.shop.run(run) for run, _ in watched.runs()[1:])
    assert (broken.status, corrected.status) == (RunStatus.FAILED, RunStatus.RUNNING)


def _link(file: Path) -> None:
    file.unlink()
    file.symlink_to("/nowhere")


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (_link, "is a link or a folder; make it a plain file"),
        (lambda file: file.write_bytes(b"service: \xff\xfe\n"), "is not UTF-8 text"),
        (lambda file: file.write_text("#" * (1024 * 1024 + 1)), "such a file is not read"),
    ],
    ids=["a link", "binary", "too large"],
)
def test_a_file_that_cannot_be_read_is_a_failed_run_and_does_not_stand_in_the_way_of_the_next_commit(
    watched: Watched, spoil: Callable[[Path], object], says: str
) -> None:
    watched.add()
    file = watched.repository.path / "tidegate.yaml"
    spoil(file)
    watched.repository.commit("spoilt")
    assert watched.look() == ["spoilt"]
    spoilt = watched.shop.run(watched.runs()[-1][0])
    assert spoilt.status is RunStatus.FAILED
    assert says in spoilt.because[0].text
    file.unlink()
    watched.commit("corrected")
    assert watched.look() == ["corrected"]
    assert watched.shop.run(watched.runs()[-1][0]).status is RunStatus.RUNNING


def test_a_service_in_a_folder_of_its_repository_is_read_there(watched: Watched) -> None:
    inner = watched.repository.path / "services" / "till"
    inner.mkdir(parents=True)
    (inner / "tidegate.yaml").write_text(PLAIN.replace("service: shop", "service: till"))
    watched.repository.commit("a second service")
    service = watched.add(path="services/till")
    assert (service.name, service.path) == ("till", "services/till")
    (inner / "tidegate.yaml").write_text("service: till\nbuild: {}\n")
    watched.repository.commit("broken")
    watched.repositories.look(watched.service("till"))
    broken = watched.shop.run(watched.runs()[-1][0])
    assert broken.because[0].text.startswith("services/till/tidegate.yaml:")


@pytest.mark.parametrize(
    ("at", "says"), [("services/till", "."), ("services/till", "services/till"), (".", "services/till")]
)
def test_a_service_is_built_in_its_folder_wherever_that_is_said(watched: Watched, at: str, says: str) -> None:
    inner = watched.repository.path / "services" / "till"
    inner.mkdir(parents=True)
    (inner / "a.c").write_text("x")
    step = '{name: compile, run: make, inputs: ["*.c"]}'
    text = f"service: till\npath: {says}\nbuild:\n  steps:\n    - {step}\n"
    (watched.repository.path / at / "tidegate.yaml").write_text(text)
    watched.repository.commit("till")
    watched.add(path=at)
    (run,) = (watched.shop.run(one) for one, _ in watched.runs())
    assert run.pipeline is not None
    assert run.pipeline.path == "services/till"
    (row,) = watched.shop.rows()["step_run"]
    listing = watched.mirrors.of(ServiceName("till")).listing(run.change.commit, "services/till")
    assert row["files"] == files_digest(contents(listing.matched(["*.c"])))
    assert listing.matched(["*.c"])
