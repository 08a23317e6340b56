"""The versions that the story plays: found by their folders, and laid one over the other as commits."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tidegate.demo.versions import SHOP, NoVersions, ServiceRepository, Version, versions_in


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three versions, and what lies about beside them."""
    made = tmp_path / "versions"
    for name in ("1-first", "2-good", "10-bad", ".git", "__pycache__"):
        (made / name).mkdir(parents=True)
    (made / "1-first" / "tidegate.yaml").write_text("service: shop\n")
    (made / "1-first" / "price.txt").write_text("1")
    (made / "2-good" / "price.txt").write_text("2")
    (made / "2-good" / "__pycache__").mkdir()
    (made / "README.md").write_text("notes")
    return made


def test_versions_are_played_in_the_order_of_their_names_which_lose_their_numbers(folder: Path) -> None:
    assert [one.name for one in versions_in(folder)] == ["first", "bad", "good"]


@pytest.mark.parametrize(
    ("name", "faulty"),
    [
        ("2-bad", True),
        ("2-slow", True),
        ("2-faulty", True),
        ("2-BROKEN-checkout", True),
        ("2-good", False),
        ("2-second", False),
    ],
)
def test_a_versions_name_says_whether_it_has_to_be_rolled_back(folder: Path, name: str, faulty: bool) -> None:
    (folder / "2-good").rename(folder / name)
    (found,) = [one for one in versions_in(folder) if one.folder.name == name]
    assert found.is_faulty is faulty


def test_the_shop_that_comes_along_has_good_and_bad_versions() -> None:
    assert [(one.name, one.is_faulty) for one in versions_in(SHOP)] == [
        ("first", False),
        ("good", False),
        ("bad", True),
        ("slow", True),
    ]


def test_a_folder_without_versions_is_refused_with_what_is_expected(tmp_path: Path) -> None:
    with pytest.raises(NoVersions, match="holds no versions of a service: it needs sub-folders such as 1-first"):
        versions_in(tmp_path)
    (tmp_path / "1-first").mkdir()
    with pytest.raises(NoVersions, match=r"the first of them with a tidegate\.yaml"):
        versions_in(tmp_path)


def test_a_first_version_that_is_a_bad_one_is_refused(folder: Path) -> None:
    (folder / "1-first").rename(folder / "0-bad")
    with pytest.raises(NoVersions, match="the first version, 0-bad, must be a good one"):
        versions_in(folder)


def test_each_version_becomes_a_commit_on_top_of_the_one_before(folder: Path, tmp_path: Path) -> None:
    repository = ServiceRepository(tmp_path / "repositories" / "shop")
    repository.create()
    first, bad, good = (repository.commit(version) for version in versions_in(folder))
    assert len({first, bad, good}) == 3
    assert _git(repository, "log", "--format=%s%n%an", "--reverse").splitlines() == [
        *("first version", "Robin Demo", "bad version", "Robin Demo", "good version", "Robin Demo")
    ]
    assert _git(repository, "show", f"{bad}:price.txt") == "1"
    assert _git(repository, "show", f"{good}:price.txt") == "2"
    assert _git(repository, "ls-tree", "--name-only", good).split() == ["price.txt", "tidegate.yaml"]


def test_a_version_that_changes_nothing_is_a_commit_too(folder: Path, tmp_path: Path) -> None:
    repository = ServiceRepository(tmp_path / "shop")
    repository.create()
    version = versions_in(folder)[0]
    assert repository.commit(version) != repository.commit(Version("again", version.folder, is_faulty=False))


def _git(repository: ServiceRepository, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=repository.folder, check=True, capture_output=True, text=True)
    return done.stdout
