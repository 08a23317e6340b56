"""The bare mirror of a service's repository, and what is asked of it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from tidegate.integrations.git_command import (
    TRANSFER_SECONDS,
    Credential,
    RepositoryError,
    checked_url,
    local_path,
    run_git,
    shown,
)
from tidegate.model.change import Author, Change
from tidegate.model.ids import Commit
from tidegate.model.step_inputs import InputFile, Listing
from tidegate.model.version import version_of

__all__ = ["Credential", "FileUnreadable", "GitMirror", "RepositoryError", "head_of"]

_CHANGE_FORMAT = "%H%x00%an%x00%ae%x00%ct%x00%P%x00%s%x00%G?%x00%GF"
_CHANGE_FIELDS = 8
_AUTHOR_FORMAT = "%an%x00%ae%x00%G?%x00%GF"
_AUTHOR_FIELDS = 4
_SIGNATURES = ("-c", "gpg.ssh.allowedSignersFile=/dev/null")
"""Nobody is trusted here, so that a good signature says "U" and its key; whose the key is, we know ourselves."""

MOST_MERGED = 500
"""Of the commits that one merge brings, whose authors are read."""

_FILE_BYTES = 1024 * 1024
_EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
"""What git calls a commit's files where there are none."""

_USUAL_BRANCHES = ("main", "master", "trunk")


VERSION_TAGS = ("v[0-9]*", "[0-9]*")


class FileUnreadable(RepositoryError):
    """What is at a path in a commit is not a file that is read; the message says what it is."""


@dataclass(frozen=True, slots=True)
class GitMirror:
    """A bare copy of all branches of a repository, in `folder`, which only the server's user may enter.

    Nothing is checked out of it here and no hook of it runs. Several processes may use it at a time.
    Commits are full hexadecimal names; every method raises RepositoryError.
    """

    folder: Path

    def clone_or_fetch(self, url: str, credential: Credential | None = None, branch: str | None = None) -> None:
        """Bring the mirror to where the repository is now; a first time that fails leaves nothing behind.

        Where `branch` says which one counts, the repository need not name a main branch.
        """
        self._check_is_repository(url, credential)
        with self._locked():
            if self.folder.exists():
                self._fetch(self.folder, url, credential, branch)
                return
            new = Path(tempfile.mkdtemp(dir=self.folder.parent, prefix=f".{self.folder.name}-"))
            try:
                run_git(["init", "--quiet", "--bare", "--template=", "--", str(new)])
                self._fetch(new, url, credential, branch)
                new.rename(self.folder)
            finally:
                shutil.rmtree(new, ignore_errors=True)

    def move_to(self, folder: Path) -> GitMirror:
        """Have this mirror in another folder, in place of what is there."""
        moved = GitMirror(folder)
        with moved._locked():
            shutil.rmtree(folder, ignore_errors=True)
            self.folder.rename(folder)
        return moved

    def default_branch(self) -> str:
        """The branch that the repository's HEAD named when the mirror was made, while it exists.

        A person who works on another branch for a while (in a local repository, HEAD is what is checked out) does
        not make it the main branch of the service.
        """
        name = (self._git("symbolic-ref", "--short", "HEAD") or b"").decode().strip()
        self.head(name)
        return name

    def head(self, branch: str) -> Commit:
        """The newest commit of a branch."""
        found = self._ask("rev-parse", "--verify", "--quiet", f"refs/heads/{_checked_branch(branch)}^{{commit}}")
        if found is None:
            raise RepositoryError(f"{self.folder.stem} has no branch {branch!r}; it has: {self._branches_in_words()}")
        return Commit(found.decode().strip())

    def first_parent_commits(self, since: Commit | None, branch: str, limit: int = 1000) -> tuple[Change, ...]:
        """The changes of a branch after `since` (None: from its beginning), oldest first; the newest `limit`."""
        head = self.head(branch)
        wanted = head if since is None else f"{_checked_commit(since)}..{head}"
        changes = self._changes("--first-parent", "--reverse", f"--max-count={limit}", wanted)
        return tuple(self._with_merged(change) for change in changes)

    def order(self, commit: Commit, branch: str) -> int:
        """How many commits the first-parent line has up to `commit`, which has to be part of the branch."""
        if not self.contains(commit, self.head(branch)):
            raise RepositoryError(f"the commit {commit[:8]} is not part of the branch {branch!r}")
        counted = self._git("rev-list", "--count", "--first-parent", _checked_commit(commit), "--")
        return int(counted)

    def file_at(self, commit: Commit, path: str) -> str | None:
        """The text of a file at a commit, None where there is none.

        Raises FileUnreadable for a link, a folder, a file over 1 MiB, and one that is no text.
        """
        inner = _checked_path(path)
        listed = self._git("ls-tree", "-z", "--long", _checked_commit(commit), "--", inner)
        if not listed:
            return None
        mode, kind, name, size = listed.split(b"\t")[0].split()
        if kind != b"blob" or mode == b"120000":
            raise FileUnreadable(f"{inner} at {commit[:8]} is a link or a folder; make it a plain file")
        if int(size) > _FILE_BYTES:
            raise FileUnreadable(f"{inner} at {commit[:8]} is over {_FILE_BYTES} bytes; such a file is not read")
        try:
            return self._git("cat-file", "blob", name.decode()).decode()
        except UnicodeDecodeError as error:
            raise FileUnreadable(f"{inner} at {commit[:8]} is not UTF-8 text (byte {error.start})") from None

    def listing(self, commit: Commit, path: str) -> Listing:
        """All files of a folder at a commit, with the ids of their contents; paths begin at the folder."""
        inner = _checked_path(path)
        tree = _checked_commit(commit) if inner == "." else f"{_checked_commit(commit)}:{inner}"
        listed = self._git("ls-tree", "-r", "-z", "--full-tree", tree).split(b"\0")
        return Listing.of(_input_file(line) for line in listed if line)

    def changed(self, change: Change, path: str) -> tuple[str, ...]:
        """The files of a folder that differ from the change before; all of them where there is none."""
        inner = _checked_path(path)
        before = _checked_commit(change.parents[0]) if change.parents else _EMPTY_TREE
        command = ("diff-tree", "-r", "-z", "--name-only", "--no-renames", before, _checked_commit(change.commit))
        names = self._git(*command, "--", inner).decode(errors="replace").split("\0")
        begin = "" if inner == "." else f"{inner}/"
        return tuple(name.removeprefix(begin) for name in names if name)

    def contains(self, ancestor: Commit, commit: Commit) -> bool:
        """Whether `ancestor` is `commit` or one of the commits that it came from."""
        pair = (_checked_commit(ancestor), _checked_commit(commit))
        return self._ask("merge-base", "--is-ancestor", *pair) is not None

    def version_at(self, commit: Commit) -> str | None:
        """The version that the nearest version tag on the first-parent line makes of a commit, None without one."""
        patterns = [f"--match={pattern}" for pattern in VERSION_TAGS]
        # with --always it is no error that there is none
        described = self._git(
            "describe", "--tags", "--long", "--always", "--first-parent", *patterns, _checked_commit(commit)
        )
        return version_of(described.decode(errors="replace"))

    def change(self, commit: Commit) -> Change:
        """The change of that commit."""
        return self._with_merged(self._changes("--max-count=1", _checked_commit(commit))[0])

    def _changes(self, *selection: str) -> tuple[Change, ...]:
        fields = self._log(_CHANGE_FORMAT, *selection)
        return tuple(_change(fields[first : first + _CHANGE_FIELDS]) for first in range(0, len(fields), _CHANGE_FIELDS))

    def _with_merged(self, change: Change) -> Change:
        """A merge with those who made what it merges: they made the change, too."""
        if len(change.parents) < 2:
            return change
        first, *others = (_checked_commit(parent) for parent in change.parents)
        fields = self._log(_AUTHOR_FORMAT, "--no-merges", f"--max-count={MOST_MERGED}", *others, f"^{first}")
        authors = (_author(fields[begin : begin + _AUTHOR_FIELDS]) for begin in range(0, len(fields), _AUTHOR_FIELDS))
        return replace(change, merged=tuple(dict.fromkeys(authors)))

    def _log(self, form: str, *selection: str) -> list[str]:
        output = self._git(
            *("-c", "log.showSignature=false", "-c", "i18n.logOutputEncoding=UTF-8", *_SIGNATURES),
            *("log", "-z", "--no-notes", "--no-color", "--no-decorate", f"--format=tformat:{form}"),
            *(*selection, "--"),
        )
        return output.decode(errors="replace").split("\0")[:-1]

    def _fetch(self, folder: Path, url: str, credential: Credential | None, branch: str | None) -> None:
        options = ["--quiet", "--prune", "--force", "--update-shallow", "--no-write-fetch-head"]
        run_git(
            ["fetch", *options, "--", url, "+refs/heads/*:refs/heads/*"],
            folder=folder,
            url=url,
            credential=credential,
            seconds=TRANSFER_SECONDS,
        )
        kept = run_git(["rev-parse", "--verify", "--quiet", "HEAD^{commit}"], folder=folder, may_answer_no=True)
        if kept is None:
            main = _checked_branch(branch or _remote_head(url, credential))
            run_git(["symbolic-ref", "HEAD", f"refs/heads/{main}"], folder=folder)

    def _check_is_repository(self, url: str, credential: Credential | None) -> None:
        path = local_path(checked_url(url, credential))
        if path is not None and not path.exists():
            raise RepositoryError(f"there is no folder {path}; give the path or URL of a git repository")

    def _branches_in_words(self) -> str:
        listed = self._git("for-each-ref", "--format=%(refname:short)", "--count=20", "refs/heads").decode().split()
        return ", ".join(listed) or "none at all"

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        self.folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self.folder.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _git(self, *arguments: str) -> bytes:
        output = run_git(arguments, folder=self.folder)
        assert output is not None  # only with may_answer_no
        return output

    def _ask(self, *arguments: str) -> bytes | None:
        return run_git(arguments, folder=self.folder, may_answer_no=True)


def head_of(url: str, branch: str, credential: Credential | None = None) -> Commit | None:
    """The newest commit of a branch as the repository itself says it now, None where it has no such branch.

    Of a local repository only a small file is read, so this may be asked every second; a remote one is asked over
    the network. Raises RepositoryError.
    """
    path = local_path(checked_url(url, credential))
    if path is not None:
        found = _read_ref(path, _checked_branch(branch))
        if found is not None:
            return found
    ref = f"refs/heads/{_checked_branch(branch)}"
    output = run_git(["ls-remote", "--", url, ref], url=url, credential=credential)
    for line in (output or b"").decode(errors="replace").splitlines():
        commit, _, name = line.partition("\t")
        if name == ref:
            return Commit(commit)
    return None


def _read_ref(path: Path, branch: str) -> Commit | None:
    """What the files of a repository say of a branch; None where they are laid out in another way."""
    for git in (path / ".git", path):
        text = _text(git / "refs" / "heads" / branch)
        if text is not None and _is_commit(text.strip()):
            return Commit(text.strip())
        for line in (_text(git / "packed-refs") or "").splitlines():
            commit, _, name = line.partition(" ")
            if name == f"refs/heads/{branch}" and _is_commit(commit):
                return Commit(commit)
    return None


def _text(file: Path) -> str | None:
    try:
        return file.read_text()
    except (OSError, UnicodeDecodeError):
        return None


def _remote_head(url: str, credential: Credential | None) -> str:
    output = run_git(["ls-remote", "--symref", "--", url, "HEAD", "refs/heads/*"], url=url, credential=credential)
    lines = (output or b"").decode(errors="replace").splitlines()
    branches = [line.partition("\trefs/heads/")[2] for line in lines if "\trefs/heads/" in line]
    for line in lines:
        named = re.fullmatch(r"ref: refs/heads/(.+)\tHEAD", line)
        if named and named[1] in branches:
            return named[1]
    if not branches:
        raise RepositoryError(f"the repository {shown(url)} has no commit yet; commit something first")
    usual = [branch for branch in _USUAL_BRANCHES if branch in branches]
    if usual or len(branches) == 1:
        return (usual or branches)[0]
    raise RepositoryError(
        f"the HEAD of {shown(url)} names no branch that has a commit; say which one counts: "
        f"tidegate service add {shown(url)} --branch {branches[0]}"
    )


def _change(fields: list[str]) -> Change:
    commit, name, email, seconds, parents, subject, signature, key = fields
    return Change(
        commit=Commit(commit),
        author_name=name,
        author_email=email,
        at=datetime.fromtimestamp(int(seconds), UTC),
        subject=subject,
        parents=tuple(Commit(parent) for parent in parents.split()),
        key=_key(signature, key),
    )


def _author(fields: list[str]) -> Author:
    name, email, signature, key = fields
    return Author(name, email, _key(signature, key))


def _key(signature: str, key: str) -> str | None:
    """The fingerprint of the SSH key of a good signature; other kinds of keys are not known here."""
    return key if signature in ("G", "U") and key.startswith("SHA256:") else None


def _input_file(line: bytes) -> InputFile:
    about, _, path = line.partition(b"\t")
    mode, _, content = about.decode().split()
    return InputFile(path.decode(errors="surrogateescape"), mode, content)


def _is_commit(text: str) -> bool:
    return re.fullmatch(r"[0-9a-f]{40}([0-9a-f]{24})?", text) is not None


def _checked_commit(commit: Commit) -> str:
    if not _is_commit(commit):
        raise RepositoryError(f"{commit!r} is not the full name of a commit (40 hexadecimal digits)")
    return commit


def _checked_branch(branch: str) -> str:
    """The same name, by the rules of git-check-ref-format."""
    parts = branch.split("/")
    wrong = (
        re.search(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{", branch)
        or branch.startswith("-")
        or any(not part or part.startswith(".") or part.endswith((".", ".lock")) for part in parts)
    )
    if wrong:
        raise RepositoryError(f"{branch!r} cannot be the name of a branch")
    return branch


def _checked_path(path: str) -> str:
    inner = PurePosixPath(os.path.normpath(path))
    if inner.is_absolute() or ".." in inner.parts or "\0" in path:
        raise RepositoryError(f"{path!r} is not a path inside of the repository")
    return str(inner)
