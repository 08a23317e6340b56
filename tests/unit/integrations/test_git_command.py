"""The `git` command: which addresses it is given, what its words mean for a person, and what they never show."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.integrations.git_command import (
    Credential,
    RepositoryClosed,
    RepositoryError,
    checked_url,
    local_path,
    run_git,
    shown,
)

URL = "https://forge.example/team/shop.git"
ROBOT = Credential("robot", "s3cr3t-t0ken")


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("/srv/git/shop", "/srv/git/shop"),
        ("shop", "shop"),
        ("../shop with blanks", "../shop with blanks"),
        ("file:///srv/git/shop", "/srv/git/shop"),
        ("./shop:old", "./shop:old"),
        ("https://forge.example/shop", None),
        ("ssh://git@forge.example/shop", None),
        ("git@forge.example:team/shop.git", None),
        ("forge:shop", None),
    ],
)
def test_an_address_is_a_folder_of_this_machine_or_it_is_not(url: str, path: str | None) -> None:
    assert local_path(url) == (None if path is None else Path(path))


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("", "is not the address of a repository"),
        ("--upload-pack=touch /tmp/x", "is not the address of a repository"),
        ("https://forge.example/a\nb", "is not the address of a repository"),
        ("https://robot:hunter2@forge.example/shop", "holds a password"),
        ("ftp://forge.example/shop", "are not read by ftp://"),
        ("ext::sh -c 'touch /tmp/x'", "names a remote helper"),
        ("https://[::1/shop", "is not the address of a repository"),
    ],
)
def test_an_address_that_could_do_or_show_something_is_refused(url: str, says: str) -> None:
    with pytest.raises(RepositoryError) as refused:
        checked_url(url)
    assert says in str(refused.value)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    "url", [URL, "ssh://git@forge.example/shop", "git@forge.example:shop.git", "/srv/shop", "file:///srv/shop"]
)
def test_an_address_that_is_none_of_these_is_taken_as_it_is(url: str) -> None:
    assert checked_url(url) == url


@pytest.mark.parametrize("url", ["http://forge.example/shop", "ssh://forge.example/shop", "git@forge.example:shop"])
def test_a_credential_is_sent_by_https_and_to_this_machine_only(url: str) -> None:
    with pytest.raises(RepositoryError, match="a credential is only sent by https"):
        checked_url(url, ROBOT)
    for open_url in (URL, "http://127.0.0.1:3000/shop", "http://localhost/shop"):
        assert checked_url(open_url, ROBOT) == open_url


@given(user=st.text(st.characters(exclude_characters="/@", exclude_categories=["Cs"]), max_size=20))
def test_what_stands_before_a_hosts_name_is_never_shown(user: str) -> None:
    assert shown(f"https://{user}@forge.example/shop") == "https://forge.example/shop"
    assert shown(f"fatal: unable to access 'https://{user}@forge.example/shop/': no") == (
        "fatal: unable to access 'https://forge.example/shop/': no"
    )


def test_a_credential_does_not_show_its_token() -> None:
    assert "s3cr3t" not in repr(ROBOT)


@pytest.fixture
def git_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, int], None]:
    """Put a `git` in the place of the real one that fails with these words."""

    def _say(words: str, status: int) -> None:
        (tmp_path / "words").write_text(words)
        program = tmp_path / "git"
        program.write_text(f"#!/bin/sh\ncat {tmp_path}/words >&2\nexit {status}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    return _say


@pytest.mark.parametrize(
    ("words", "says", "closed"),
    [
        ("fatal: unable to access 'x': Could not resolve host: forge.example", "cannot be reached", False),
        ("ssh: connect to host forge.example port 22: Connection refused", "cannot be reached", False),
        ("ssh: connect to host forge.example port 22: Network is unreachable", "cannot be reached", False),
        ("Host key verification failed.\nfatal: Could not read from remote", "host key of", False),
        ("fatal: Authentication failed for 'https://forge.example/'", "refused the credential", True),
        ("fatal: could not read Username for 'https://forge.example': terminal prompts disabled", "refused", True),
        ("git@forge.example: Permission denied (publickey).", "refused the credential", True),
        ("error: The requested URL returned error: 403", "refused the credential", True),
        ("remote: Repository not found.\nfatal: repository 'x' not found", "does not exist, or is private", True),
        ("fatal: 'x' does not appear to be a git repository", "is not a git repository", False),
        ("fatal: couldn't find remote ref refs/heads/x", "has no such branch", False),
        ("fatal: write error: No space left on device", "the disk is full", False),
        ("warning: odd\nfatal: index-pack died of signal 15", "could not read", False),
        ("", "could not read", False),
    ],
)
def test_gits_words_become_a_reason_with_the_address_and_what_to_do(
    git_says: Callable[[str, int], None], words: str, says: str, closed: bool
) -> None:
    git_says(words, 128)
    with pytest.raises(RepositoryError) as refused:
        run_git(["fetch"], url=URL, credential=ROBOT)
    assert says in str(refused.value)
    assert isinstance(refused.value, RepositoryClosed) is closed
    assert URL in str(refused.value)


@pytest.mark.parametrize(
    "words",
    [
        "fatal: bad header Authorization: Basic s3cr3t-t0ken",
        "fatal: unable to access 'https://robot:s3cr3t-t0ken@forge.example/shop/': odd",
        "remote: s3cr3t-t0ken",
    ],
)
def test_whatever_git_says_the_token_is_not_repeated(git_says: Callable[[str, int], None], words: str) -> None:
    git_says(words, 128)
    with pytest.raises(RepositoryError) as refused:
        run_git(["fetch"], url=URL, credential=ROBOT)
    assert "s3cr3t" not in str(refused.value)


@pytest.mark.parametrize(
    ("status", "may_answer_no", "refused"), [(1, True, False), (1, False, True), (128, True, True)]
)
def test_a_no_is_an_answer_only_where_it_was_asked_for(
    git_says: Callable[[str, int], None], status: int, may_answer_no: bool, refused: bool
) -> None:
    git_says("", status)
    if refused:
        with pytest.raises(RepositoryError):
            run_git(["merge-base"], may_answer_no=may_answer_no)
    else:
        assert run_git(["merge-base"], may_answer_no=may_answer_no) is None


def test_git_goes_by_nothing_of_the_environment_that_would_lead_it_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("wanted", "other"):
        subprocess.run(["git", "init", "--quiet", "--bare", tmp_path / name], check=True)
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "other"))
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "core.bare")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "nonsense")
    found = run_git(["rev-parse", "--absolute-git-dir"], folder=tmp_path / "wanted")
    assert found is not None
    assert found.decode().strip() == str(tmp_path / "wanted")
