"""Checkouts: clean working trees of exactly one commit, for one step at a time.

Git runs here with no configuration but its own, no hooks, no credentials and no terminal. Whatever is done in a tree
that a step may have changed is done as the step's user. Submodules and Git LFS are not supported: a submodule is an
empty folder, an LFS file its pointer.
"""

from __future__ import annotations

import logging
import os
import re
import secrets
import shutil
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

from tidegate.agent.record import remove_tree
from tidegate.agent.remote import Remote
from tidegate.agent.server_link import ServerAway
from tidegate.agent.tree import INDEX, Difference, Survey, is_folder, last_change, survey
from tidegate.model.ids import Commit, RunId
from tidegate.model.lease import Lease

_log = logging.getLogger(__name__)

_GIT_SECONDS = 900
_CONFIG = Path(__file__).with_name("gitconfig")
_MOST_PATHS = 500
_CLOCK_MILLISECONDS = 2000
"""Longer than the clock of any file system stands still."""


class CheckoutFailed(Exception):
    """The commit could not be checked out; the message says of what and why, `said` is all that git said."""

    def __init__(self, message: str, said: str = "") -> None:
        super().__init__(message)
        self.said = said


class SourceAway(CheckoutFailed):
    """The server, through which the commit is fetched, cannot be reached or cannot answer; it may be later."""


@dataclass(frozen=True, slots=True)
class CheckoutKey:
    """What a checkout is of. Only steps of one run share one, and only after the same setup."""

    run: RunId
    source: str
    commit: Commit
    path: str
    setup: str | None
    image: str | None = None
    """The image in which setup runs: what it makes is of no use in another one."""

    @classmethod
    def of(cls, lease: Lease) -> CheckoutKey:
        """The key for a lease's step."""
        setup = lease.setup.run if lease.setup else None
        return cls(lease.run, lease.source, lease.commit, lease.path, setup, lease.step.image)


@dataclass(slots=True)
class Checkout:
    """A working tree at `folder/tree`, which belongs to the step's user."""

    key: CheckoutKey
    folder: Path
    is_set_up: bool = False
    clean: Survey | None = None
    """What it holds when it is clean, with what setup made; None where that is not known (after a restart)."""

    restorable: Survey = field(default_factory=dict)
    """What git can bring back: the commit's files and folders, as far as setup left them alone."""

    @property
    def name(self) -> str:
        """What an attempt's record calls it."""
        return self.folder.name

    @property
    def tree(self) -> Path:
        """The root of the working tree."""
        return self.folder / "tree"

    def note_before_setup(self) -> None:
        """Remember the commit's own files."""
        self.restorable = self.look()

    def note_clean(self) -> None:
        """Remember what the tree holds now as clean: it is set up."""
        self.clean = self.look()
        before = self.restorable or self.clean
        self.restorable = {path: seen for path, seen in self.clean.items() if before.get(path) == seen}
        self.is_set_up = True

    def look(self) -> Survey:
        """What the tree holds now. Returns once whatever changes from now on gets a later time.

        The clock of a file system stands still for some milliseconds: a change within them could not be told.
        """
        seen = survey(self.tree)
        clock = self.folder / "clock"
        for _ in range(_CLOCK_MILLISECONDS):
            clock.touch()
            if clock.stat().st_ctime_ns > last_change(seen):
                break
            time.sleep(0.001)
        return seen


@dataclass(slots=True)
class Checkouts:
    """Makes checkouts below `root`, and keeps the newest `keep` free ones for later steps of their runs.

    `remote_of` tells where git fetches from, for what a lease calls its source.
    """

    root: Path
    run_as: int | None
    remote_of: Callable[[str], Remote] = Remote
    keep: int = 4
    _free: list[Checkout] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock)

    def take(self, key: CheckoutKey) -> Checkout:
        """A clean checkout for one step. Raises CheckoutFailed; SourceAway where trying later may help."""
        while (free := self._take_free(key)) is not None:
            try:
                if self._is_clean_again(free):
                    return free
            except OSError as error:
                _log.info("checkout %s is not used again: %s", free.name, error)
            remove_tree(free.folder)
        return self._make(key)

    def adopt(self, name: str, key: CheckoutKey) -> Checkout | None:
        """The checkout that an attempt of an earlier agent worked in, None where it is gone."""
        folder = self.root / name
        if re.fullmatch(r"[0-9a-f]+", name) is None or not (folder / "tree").is_dir():
            return None
        return Checkout(key, folder, is_set_up=False)

    def give_back(self, checkout: Checkout) -> None:
        """The step is over: keep the checkout for the next one, if it can be told what a step changed."""
        removed = [checkout]
        if checkout.clean is not None:
            with self._lock:
                self._free.append(checkout)
                removed = self._free[: -self.keep]
                del self._free[: -self.keep]
        for old in removed:
            remove_tree(old.folder)

    def remove_all_but(self, names: Iterable[str]) -> None:
        """Remove what earlier agents left, but for the checkouts in use."""
        kept = set(names)
        for folder in self.root.iterdir():
            if folder.name not in kept:
                remove_tree(folder)

    def _take_free(self, key: CheckoutKey) -> Checkout | None:
        with self._lock:
            for index in reversed(range(len(self._free))):
                if self._free[index].key == key:
                    return self._free.pop(index)
        return None

    def _make(self, key: CheckoutKey) -> Checkout:
        if not re.fullmatch(r"[0-9a-f]{40}([0-9a-f]{24})?", key.commit):
            raise CheckoutFailed(f"{key.commit!r} is not the full name of a commit")
        checkout = Checkout(key, self.root / secrets.token_hex(6))
        try:
            checkout.folder.mkdir(mode=0o711)
            checkout.folder.chmod(0o711)
            checkout.tree.mkdir(mode=0o755)
            checkout.tree.chmod(0o755)
            self._fetch(checkout)
            self._hand_over(checkout.tree)
            self._as_user(checkout, "git", *_NO_HOOKS, "checkout", "--quiet", "--force", "--detach", key.commit)
            shutil.copyfile(checkout.tree / INDEX, checkout.folder / "index")
            (checkout.folder / "index").chmod(0o644)
        except BaseException as error:
            remove_tree(checkout.folder)
            if isinstance(error, OSError):
                raise CheckoutFailed(f"the checkout of {key.commit[:8]} could not be written: {error}") from error
            raise
        return checkout

    def _fetch(self, checkout: Checkout) -> None:
        """Fetch the one commit, as the agent's own user: only that one may read the source."""
        key = checkout.key
        remote = self._remote(key)
        env = {**_git_environment(_CONFIG), "GIT_ALLOW_PROTOCOL": "file:git:http:https:ssh"}
        _run(["git", "init", "--quiet", "--template="], checkout.tree, env, key)
        fetch = ["git", "fetch", "--quiet", "--depth=1", "--no-tags", "--no-write-fetch-head", "--update-shallow"]
        try:
            _run([*fetch, "--", remote.url, key.commit], checkout.tree, {**env, **remote.env}, key)
        except CheckoutFailed as error:
            if remote.is_server and _AWAY.search(error.said):
                raise SourceAway(str(error)) from None
            raise

    def _remote(self, key: CheckoutKey) -> Remote:
        try:
            return self.remote_of(key.source)
        except ValueError as error:
            raise CheckoutFailed(f"the commit {key.commit[:8]} could not be checked out: {error}") from None
        except ServerAway as error:
            raise SourceAway(str(error)) from None

    def _hand_over(self, tree: Path) -> None:
        if self.run_as is None:
            return
        for folder, _, files in os.walk(tree):
            os.lchown(folder, self.run_as, self.run_as)
            for name in files:
                os.lchown(os.path.join(folder, name), self.run_as, self.run_as)

    def _is_clean_again(self, checkout: Checkout) -> bool:
        """Bring a used checkout back to what it was; False where that cannot be done exactly."""
        assert checkout.clean is not None  # see `give_back`
        difference = Difference.between(checkout.clean, survey(checkout.tree))
        if difference.is_empty:
            return True
        if difference.touches_git or not difference.altered <= checkout.restorable.keys():
            return False
        try:
            self._undo(checkout, difference)
        except CheckoutFailed as error:
            _log.info("checkout %s cannot be restored: %s", checkout.name, error)
            return False
        now = checkout.look()
        left = Difference.between(checkout.clean, now)
        if left.added or not left.altered <= difference.altered | {INDEX} or not now.keys() >= checkout.clean.keys():
            return False
        if any(is_folder(checkout.clean[path]) for path in left.altered):
            return False  # git knows nothing of the modes of folders
        checkout.clean = now
        checkout.restorable = {path: now[path] for path in checkout.restorable}
        return True

    def _undo(self, checkout: Checkout, difference: Difference) -> None:
        """Remove what is new or changed and bring back what was there, with the index as it was before any step.

        Git would leave a changed file alone that has its old size and the second of its old time.
        """
        gone = [*difference.added_roots, *sorted(difference.altered - {INDEX})]
        for first in range(0, len(gone), _MOST_PATHS):
            self._as_user(checkout, "rm", "-rf", "--", *(f"./{path}" for path in gone[first : first + _MOST_PATHS]))
        if difference.altered:
            self._as_user(checkout, "cp", "--", str(checkout.folder / "index"), INDEX)
            self._as_user(checkout, "git", *_NO_HOOKS, "checkout-index", "--quiet", "--all", "--force")

    def _as_user(self, checkout: Checkout, *argv: str) -> None:
        _run(argv, checkout.tree, _git_environment(Path(os.devnull)), checkout.key, self.run_as)


_AWAY = re.compile(
    r"failed to connect|couldn't connect|could not resolve|connection (refused|reset|timed out)|timed out|too slow"
    r"|empty reply|hung up|early eof|disconnect|rpc failed|recv failure|returned error: (5\d\d|401|429)",
    re.IGNORECASE,
)
"""How git says that a server was not there, broke off, or did not know the token, which is read again then."""

_NO_HOOKS = ("-c", f"core.hooksPath={os.devnull}", "-c", "core.fsmonitor=false")


def _git_environment(config: Path) -> dict[str, str]:
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": "/nonexistent",
        "LC_ALL": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": str(config),
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_SSH_COMMAND": "ssh -oBatchMode=yes -oConnectTimeout=10",
        "GIT_NO_LAZY_FETCH": "1",
    }


def _run(argv: Sequence[str], folder: Path, env: dict[str, str], key: CheckoutKey, run_as: int | None = None) -> None:
    what = f"the commit {key.commit[:8]} could not be checked out"
    try:
        done = subprocess.run(
            argv,
            cwd=folder,
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            user=run_as,
            group=run_as,
            extra_groups=None if run_as is None else [],
            umask=0o022,
            timeout=_GIT_SECONDS,
        )
    except FileNotFoundError:
        raise CheckoutFailed(f"{what}: the {argv[0]} command is not on the agent's machine; install it") from None
    except subprocess.TimeoutExpired:
        raise CheckoutFailed(f"{what}: git did not come to an end within {_GIT_SECONDS} s") from None
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip()
        last = said.splitlines()[-1] if said else f"exit status {done.returncode}"
        raise CheckoutFailed(f"{what}: {last}", said)
