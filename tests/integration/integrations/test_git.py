"""The mirror of a repository, with real git."""

from __future__ import annotations

import os
import resource
import shutil
import socket
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.integration.integrations.conftest import TOKEN, Repository

from tidegate.integrations.git import Credential, GitMirror, RepositoryError, head_of
from tidegate.model.ids import Commit


@pytest.fixture
def mirror(tmp_path: Path) -> GitMirror:
    return GitMirror(tmp_path / "data" / "shop.git")


def test_the_main_branch_is_found_whatever_it_is_called(repository: Repository, mirror: GitMirror) -> None:
    commit = repository.commit("first")
    mirror.clone_or_fetch(str(repository.path))
    assert mirror.default_branch() == "trunk"
    assert mirror.head("trunk") == commit


def test_working_on_another_branch_does_not_change_the_main_branch(repository: Repository, mirror: GitMirror) -> None:
    repository.commit("first")
    mirror.clone_or_fetch(str(repository.path))
    repository.git("checkout", "--quiet", "-b", "feature")
    repository.commit("aside")
    mirror.clone_or_fetch(str(repository.path))
    assert mirror.default_branch() == "trunk"


def test_a_renamed_main_branch_is_found_again(repository: Repository, mirror: GitMirror) -> None:
    commit = repository.commit("first")
    mirror.clone_or_fetch(str(repository.path))
    repository.git("branch", "--move", "trunk", "main")
    mirror.clone_or_fetch(str(repository.path))
    assert mirror.head(mirror.default_branch()) == commit
    assert mirror.default_branch() == "main"


def test_a_detached_head_still_has_a_main_branch(repository: Repository, mirror: GitMirror) -> None:
    repository.commit("first")
    repository.git("checkout", "--quiet", "--detach")
    mirror.clone_or_fetch(str(repository.path))
    assert mirror.default_branch() == "trunk"


def test_changes_come_oldest_first_along_the_first_parents(repository: Repository, mirror: GitMirror) -> None:
    first = repository.commit("first")
    repository.git("checkout", "--quiet", "-b", "side")
    aside = repository.commit("on the side", side_txt="x")
    repository.git("checkout", "--quiet", "trunk")
    second = repository.commit("second: 'ä' \"quoted\"\n\nand a body", two_txt="x")
    repository.git("merge", "--quiet", "--no-ff", "-m", "merge", "side")
    merge = repository.git("rev-parse", "HEAD")
    mirror.clone_or_fetch(str(repository.path))

    changes = mirror.first_parent_commits(None, "trunk")
    assert [change.commit for change in changes] == [first, second, merge]
    assert changes[1].subject == "second: 'ä' \"quoted\""
    assert changes[1].author_name == "Ada Ångström"
    assert changes[1].author_email == "ada@example.com"
    assert changes[0].parents == ()
    assert changes[2].parents == (second, aside)
    assert datetime.now(UTC) - changes[2].at < timedelta(minutes=1)
    assert mirror.first_parent_commits(Commit(first), "trunk") == changes[1:]
    assert mirror.first_parent_commits(Commit(merge), "trunk") == ()
    assert mirror.first_parent_commits(None, "trunk", limit=2) == changes[1:]
    assert mirror.change(Commit(second)) == changes[1]
    assert [mirror.order(change.commit, "trunk") for change in changes] == [1, 2, 3]
    assert mirror.contains(Commit(aside), Commit(merge))
    assert not mirror.contains(Commit(aside), Commit(second))


def test_a_merge_names_all_who_made_what_it_brings(repository: Repository, mirror: GitMirror) -> None:
    repository.commit("first")
    repository.git("checkout", "--quiet", "-b", "side")
    repository.git("commit", "--quiet", "--allow-empty", "-m", "aside", "--author", "Bob <bob@example.com>")
    repository.git("checkout", "--quiet", "trunk")
    repository.git("merge", "--quiet", "--no-ff", "-m", "merge", "side")
    mirror.clone_or_fetch(str(repository.path))

    (first, merge) = mirror.first_parent_commits(None, "trunk")
    assert [author.email for author in merge.authors] == ["ada@example.com", "bob@example.com"]
    assert mirror.change(merge.commit) == merge
    assert first.merged == ()


def test_a_good_signature_names_its_key_and_a_bad_one_none(
    repository: Repository, mirror: GitMirror, tmp_path: Path
) -> None:
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    shown = subprocess.run(["ssh-keygen", "-l", "-f", key], capture_output=True, text=True, check=True).stdout
    for name, value in (("gpg.format", "ssh"), ("user.signingkey", str(key))):
        repository.git("config", name, value)
    repository.git("commit", "--quiet", "--allow-empty", "-S", "-m", "signed")
    signed = repository.git("cat-file", "commit", "HEAD")
    forged = tmp_path / "forged"
    forged.write_text(signed.replace("Ada", "Eve") + "\n")
    repository.git("reset", "--hard", "--quiet", repository.git("hash-object", "-t", "commit", "-w", str(forged)))
    repository.commit("unsigned", a_txt="x")
    mirror.clone_or_fetch(str(repository.path))

    bad, unsigned = mirror.first_parent_commits(None, "trunk")
    assert (bad.author_name[:3], bad.key, unsigned.key) == ("Eve", None, None)
    repository.git("commit", "--quiet", "--allow-empty", "-S", "-m", "signed")
    mirror.clone_or_fetch(str(repository.path))
    assert mirror.change(mirror.head("trunk")).key == shown.split()[1]


def test_files_are_read_at_a_commit(repository: Repository, mirror: GitMirror) -> None:
    old = repository.commit("first", tidegate_yaml="service: shöp\n")
    new = repository.commit("second", tidegate_yaml="service: changed\n")
    mirror.clone_or_fetch(str(repository.path))
    assert mirror.file_at(Commit(old), "tidegate.yaml") == "service: shöp\n"
    assert mirror.file_at(Commit(new), "./tidegate.yaml") == "service: changed\n"
    assert mirror.file_at(Commit(new), "services/shop/tidegate.yaml") is None


@pytest.mark.parametrize("path", ["../secret", "/etc/passwd", "a/../../b"])
def test_a_path_outside_of_the_repository_is_refused(repository: Repository, mirror: GitMirror, path: str) -> None:
    commit = repository.commit("first")
    mirror.clone_or_fetch(str(repository.path))
    with pytest.raises(RepositoryError, match="not a path inside"):
        mirror.file_at(Commit(commit), path)


def test_a_link_a_large_and_a_binary_file_are_refused_in_words(repository: Repository, mirror: GitMirror) -> None:
    (repository.path / "link").symlink_to("/etc/passwd")
    (repository.path / "binary").write_bytes(b"\xff\xfe")
    commit = Commit(repository.commit("odd", large="x" * (1024 * 1024 + 1)))
    mirror.clone_or_fetch(str(repository.path))
    for name, words in (("link", "is a link"), ("binary", "not UTF-8"), ("large", "is over 1048576 bytes")):
        with pytest.raises(RepositoryError, match=words):
            mirror.file_at(commit, name)


def test_forced_pushes_and_deleted_branches_are_followed(repository: Repository, mirror: GitMirror) -> None:
    repository.commit("first")
    repository.git("branch", "gone")
    mirror.clone_or_fetch(str(repository.path))
    repository.git("branch", "--delete", "gone")
    repository.git("commit", "--quiet", "--amend", "--allow-empty", "-m", "rewritten")
    mirror.clone_or_fetch(str(repository.path))
    assert mirror.head("trunk") == repository.git("rev-parse", "HEAD")
    with pytest.raises(RepositoryError, match="no branch 'gone'; it has: trunk"):
        mirror.head("gone")


def test_a_commit_of_another_branch_has_no_order(repository: Repository, mirror: GitMirror) -> None:
    repository.commit("first")
    repository.git("checkout", "--quiet", "-b", "side")
    aside = repository.commit("aside")
    mirror.clone_or_fetch(str(repository.path))
    with pytest.raises(RepositoryError, match="not part of the branch 'trunk'"):
        mirror.order(Commit(aside), "trunk")


def test_the_repository_of_another_person_is_read(as_root: None, repository: Repository, mirror: GitMirror) -> None:
    commit = repository.commit("first")
    for folder, _, files in os.walk(repository.path):
        for name in [".", *files]:
            os.chown(Path(folder) / name, 61201, 61201, follow_symlinks=False)
    mirror.clone_or_fetch(str(repository.path))
    assert mirror.head("trunk") == commit


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: None, "there is no folder"),
        (lambda path: path.mkdir(), "is not a git repository"),
        (lambda path: subprocess.run(["git", "init", "-q", path], check=True), "has no commit yet"),
    ],
)
def test_a_repository_that_cannot_be_read_is_said_in_words_and_nothing_is_left(
    tmp_path: Path, mirror: GitMirror, make: object, words: str
) -> None:
    assert callable(make)
    make(tmp_path / "other")
    with pytest.raises(RepositoryError, match=words):
        mirror.clone_or_fetch(str(tmp_path / "other"))
    left = {file.name for file in mirror.folder.parent.iterdir()} if mirror.folder.parent.exists() else set()
    assert left <= {"shop.lock"}


@pytest.mark.parametrize(
    "url",
    [
        "--upload-pack=touch /tmp/x",
        "ext::sh -c touch% /tmp/x",
        "https://robot:hunter2@example.com/x.git",
        "gopher://example.com/x",
        "",
        "a\nb",
    ],
)
def test_an_address_that_is_an_option_a_command_or_holds_a_password_is_refused(mirror: GitMirror, url: str) -> None:
    with pytest.raises(RepositoryError) as refused:
        mirror.clone_or_fetch(url)
    assert "hunter2" not in str(refused.value)


def test_a_private_repository_is_read_with_its_credential_which_is_written_nowhere(
    repository: Repository, mirror: GitMirror, host: str
) -> None:
    commit = repository.commit("first")
    credential = Credential("robot", TOKEN)
    mirror.clone_or_fetch(f"{host}/shop/.git", credential)
    assert mirror.head("trunk") == commit
    assert head_of(f"{host}/shop/.git", "trunk", credential) == commit
    assert head_of(f"{host}/shop/.git", "other", credential) is None
    assert TOKEN not in repr(credential)
    for file in mirror.folder.rglob("*"):
        assert not file.is_file() or TOKEN.encode() not in file.read_bytes()


@pytest.mark.parametrize("credential", [None, Credential("robot", "wrong-token")])
def test_a_refused_credential_is_said_without_showing_it(
    repository: Repository, mirror: GitMirror, host: str, credential: Credential | None
) -> None:
    repository.commit("first")
    with pytest.raises(RepositoryError, match="tidegate secret set") as refused:
        mirror.clone_or_fetch(f"{host}/shop/.git", credential)
    assert "wrong-token" not in str(refused.value)
    assert "refused" in str(refused.value)
    assert not mirror.folder.exists()


def test_a_credential_is_never_sent_in_clear_to_another_machine(mirror: GitMirror) -> None:
    with pytest.raises(RepositoryError, match="only sent by https"):
        mirror.clone_or_fetch("http://example.com/x.git", Credential("robot", TOKEN))


def test_a_host_that_does_not_answer_is_said(mirror: GitMirror) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(RepositoryError, match="cannot be reached"):
        mirror.clone_or_fetch(f"http://127.0.0.1:{port}/shop.git")


def test_a_repository_that_the_host_does_not_have_is_said(mirror: GitMirror, host: str) -> None:
    with pytest.raises(RepositoryError, match="does not exist"):
        mirror.clone_or_fetch(f"{host}/nothing.git", Credential("robot", TOKEN))


@pytest.mark.parametrize("packed", [False, True])
def test_a_new_commit_of_a_local_repository_is_seen_at_once(repository: Repository, packed: bool) -> None:
    for subject in ("first", "second"):
        commit = repository.commit(subject)
        if packed:
            repository.git("pack-refs", "--all")
        assert head_of(str(repository.path), "trunk") == commit
        assert head_of(f"file://{repository.path}", "trunk") == commit


def test_a_worktree_and_a_bare_repository_are_seen_too(repository: Repository, tmp_path: Path) -> None:
    commit = repository.commit("first")
    repository.git("worktree", "add", "--quiet", "-b", "feature", str(tmp_path / "tree"))
    repository.git("clone", "--quiet", "--bare", ".", str(tmp_path / "bare"))
    assert head_of(str(tmp_path / "tree"), "feature") == commit
    assert head_of(str(tmp_path / "bare"), "trunk") == commit
    assert head_of(str(repository.path), "missing") is None


def test_looking_for_new_commits_costs_next_to_nothing(repository: Repository) -> None:
    """Ten local services looked at once a second take well under 1% of a core: 10 ms of each second."""
    repository.commit("first")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_utime, resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    for _ in range(1000):
        head_of(str(repository.path), "trunk")
    after = resource.getrusage(resource.RUSAGE_SELF).ru_utime, resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    assert after[1] == before[1], "no process was started"
    assert after[0] - before[0] < 1.0, "a thousand looks take less than a second of a core"


def test_two_servers_threads_may_fetch_at_once(repository: Repository, mirror: GitMirror) -> None:
    from concurrent.futures import ThreadPoolExecutor

    commit = repository.commit("first")
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(mirror.clone_or_fetch, str(repository.path)) for _ in range(4)]:
            done.result(30)
    assert mirror.head("trunk") == commit


@pytest.mark.parametrize("branch", ["-x", "../x", "a..b", "a b", "x.lock", "a\nb", ""])
def test_a_word_that_cannot_be_a_branch_is_refused(repository: Repository, branch: str) -> None:
    repository.commit("first")
    with pytest.raises(RepositoryError, match="cannot be the name of a branch"):
        head_of(str(repository.path), branch)


def test_a_mirror_without_git_says_what_to_install(
    repository: Repository, mirror: GitMirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.commit("first")
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(RepositoryError, match="install git"):
        mirror.clone_or_fetch(str(repository.path))


def test_a_host_that_never_answers_does_not_hold_a_thread_for_ever() -> None:
    from tidegate.integrations.git_command import run_git

    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/x.git"
        began = time.monotonic()
        with pytest.raises(RepositoryError, match="within"):
            run_git(["ls-remote", "--", url], url=url, seconds=0.3)
        assert time.monotonic() - began < 5


def test_what_a_mirror_of_a_moved_repository_keeps(repository: Repository, mirror: GitMirror, tmp_path: Path) -> None:
    commit = repository.commit("first")
    mirror.clone_or_fetch(str(repository.path))
    shutil.rmtree(repository.path)
    with pytest.raises(RepositoryError, match="there is no folder"):
        mirror.clone_or_fetch(str(repository.path))
    assert mirror.head("trunk") == commit


def test_the_nearest_version_tag_on_the_first_parents_makes_the_version(
    repository: Repository, mirror: GitMirror
) -> None:
    none = repository.commit("first")
    tagged = repository.commit("second")
    repository.git("tag", "v1.4.2")
    repository.git("tag", "nightly")
    repository.git("checkout", "--quiet", "-b", "side")
    repository.commit("aside")
    repository.git("tag", "--annotate", "--message", "not on the way", "v9.0")
    repository.git("checkout", "--quiet", "trunk")
    repository.git("merge", "--quiet", "--no-ff", "--message", "merge", "side")
    after = repository.git("rev-parse", "HEAD")
    mirror.clone_or_fetch(str(repository.path))
    assert [mirror.version_at(Commit(one)) for one in (none, tagged, after)] == [None, "1.4.2", "1.4.2.post1"]


def test_a_tag_that_comes_later_counts_from_the_next_fetch_on(repository: Repository, mirror: GitMirror) -> None:
    commit = repository.commit("first")
    mirror.clone_or_fetch(str(repository.path))
    assert mirror.version_at(Commit(commit)) is None
    repository.git("tag", "2.0")
    mirror.clone_or_fetch(str(repository.path))
    assert mirror.version_at(Commit(commit)) == "2.0"
