"""Services' repositories: mirrors of them, and new commits, which begin runs."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from tidegate.config.problem import ConfigError
from tidegate.config.tidegate_yaml import load
from tidegate.engine.creation import FILE, Pushed
from tidegate.engine.parts import Parts
from tidegate.engine.refusal import Refusal, Refused
from tidegate.engine.services import ServiceActs
from tidegate.integrations.git import Credential, FileUnreadable, GitMirror, RepositoryError, head_of
from tidegate.integrations.git_command import RepositoryClosed, local_path, shown
from tidegate.model.change import Change
from tidegate.model.ids import Commit, ServiceName
from tidegate.model.service import Service
from tidegate.model.service_folder import service_folder
from tidegate.security.secret_box import WrongKey
from tidegate.store import queries
from tidegate.store.database import StoreUnavailable

log = logging.getLogger(__name__)

LOOK_EVERY = timedelta(seconds=1)
"""How often a local repository is looked at; reading a ref is one small file."""


@dataclass(frozen=True, slots=True)
class Mirrors:
    """The folder of the bare mirrors, one a service."""

    folder: Path

    def of(self, service: str) -> GitMirror:
        """The mirror of a service's repository."""
        return GitMirror(self.folder / f"{service}.git")

    @contextmanager
    def new(self) -> Iterator[GitMirror]:
        """A mirror that is gone afterwards, unless it was moved to where it belongs."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with TemporaryDirectory(dir=self.folder, prefix=".new-") as place:
            yield GitMirror(Path(place) / "mirror.git")

    def source_of(self, service: ServiceName) -> str:
        """Where an agent on this machine fetches the service's commits from."""
        return str(self.of(service).folder)


class Repositories:
    """Reads what a service's repository holds, and notices what is new there."""

    def __init__(self, parts: Parts, mirrors: Mirrors, acts: ServiceActs, poll_interval: timedelta) -> None:
        self._parts = parts
        self._mirrors = mirrors
        self._acts = acts
        self._poll_interval = poll_interval
        self._next_look: dict[ServiceName, datetime] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="tidegate-repositories", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self, timeout: float = 5.0) -> None:
        """Stop watching, for at most `timeout` seconds' wait."""
        self._stopping.set()
        self._thread.join(timeout)

    def describe(
        self,
        repository: str,
        name: str | None = None,
        path: str = ".",
        branch: str | None = None,
        credential: str | None = None,
    ) -> tuple[Service, Pushed]:
        """What a service would be that is added now, with its newest commit.

        Raises Refused where there is no readable repository, no commit, no tidegate.yaml that can be read in it, or
        a service of that name already.
        """
        name = name or _name_from(repository)
        url = _absolute(repository)
        with self._mirrors.new() as mirror:
            try:
                mirror.clone_or_fetch(url, self._credential(name, credential), branch)
                branch = branch or mirror.default_branch()
                head = mirror.head(branch)
                pushed = self._pushed(mirror, mirror.change(head), branch, path)
            except RepositoryClosed as error:
                secret = credential or "GIT"
                raise Refused(
                    Refusal.INVALID,
                    str(error),
                    f"tidegate secret set {name} {secret} && tidegate service add {shown(url)} --credential {secret}",
                ) from error
            except RepositoryError as error:
                raise Refused(Refusal.INVALID, str(error), "tidegate service add REPOSITORY") from error
            if pushed.unreadable is not None:
                raise Refused(Refusal.INVALID, pushed.unreadable, "commit a corrected file")
            if pushed.text is None:
                raise _no_file(url, path, head)
            named = ServiceName(self._named_in(pushed.text, path) or name)
            self._acts.check_new(named)
            self._credential(named, credential)  # it is read by that name from now on
            mirror.move_to(self._mirrors.of(named).folder)
        service = Service(
            name=named,
            repository=url,
            added_at=self._parts.clock.now(),
            path=path,
            branch=branch,
            credential=credential,
            last_seen=head,
        )
        return service, pushed

    def look(self, service: Service) -> None:
        """Begin a run for every commit that is new on the service's branch. Trouble is recorded, never raised."""
        try:
            commits = self._new_commits(service)
        except (RepositoryError, Refused) as error:
            self._acts.note_trouble(service.name, str(error))
            return
        if commits:
            self._acts.push(service.name, commits)
        else:
            self._acts.note_trouble(service.name, None)

    def _new_commits(self, service: Service) -> list[Pushed]:
        branch = service.branch or ""
        credential = self._credential(service.name, service.credential)
        head = head_of(service.repository, branch, credential)
        if head is None:
            raise RepositoryError(f"{service.repository} has no branch {branch!r} any more")
        if head == service.last_seen:
            return []
        mirror = self._mirrors.of(service.name)
        mirror.clone_or_fetch(service.repository, credential, branch)
        since = service.last_seen
        if since and not self._is_ancestor(mirror, since, mirror.head(branch)):
            changes: tuple[Change, ...] = (mirror.change(mirror.head(branch)),)
        else:
            changes = mirror.first_parent_commits(since, branch)
        return [self._pushed(mirror, change, branch, service.path) for change in changes]

    def _is_ancestor(self, mirror: GitMirror, since: Commit, head: Commit) -> bool:
        try:
            return mirror.contains(since, head)
        except RepositoryError:
            return False

    def _pushed(self, mirror: GitMirror, change: Change, branch: str, path: str) -> Pushed:
        order = mirror.order(change.commit, branch)
        change = replace(change, version=mirror.version_at(change.commit))
        try:
            text = mirror.file_at(change.commit, f"{path}/{FILE}")
        except FileUnreadable as error:
            return Pushed(change, order, None, unreadable=str(error))
        if text is None:
            return Pushed(change, order, None)
        folder = self._folder(text, path)
        listing, changed = mirror.listing(change.commit, folder), mirror.changed(change, folder)
        return Pushed(change, order, text, listing=listing, changed=changed)

    def _folder(self, text: str, path: str) -> str:
        """The service's folder by its file; the file's own where it cannot be read."""
        try:
            said = load(text, FILE, self._parts.environments).path
        except ConfigError:
            said = "."
        return str(service_folder(PurePosixPath(path), said))

    def _named_in(self, text: str, path: str) -> str | None:
        try:
            return load(text, FILE if path == "." else f"{path}/{FILE}", self._parts.environments).service
        except ConfigError as error:
            problems = "\n".join(str(problem) for problem in error.problems)
            raise Refused(Refusal.INVALID, problems, f"tidegate validate {FILE}") from error

    def _credential(self, service: str, secret: str | None) -> Credential | None:
        """The secret holds `user:token`, or a token alone. Raises Refused where it is not set or cannot be opened."""
        if secret is None:
            return None
        with self._parts.database.reading() as connection:
            sealed = queries.secret(connection, service, secret)
        remedy = f"tidegate secret set {service} {secret}"
        if sealed is None:
            raise Refused(Refusal.INVALID, f"the secret {secret} of {service} is not set", remedy)
        try:
            user, colon, token = self._parts.secrets.open(sealed).partition(":")
        except WrongKey as error:
            raise Refused(Refusal.INVALID, str(error), remedy) from error
        return Credential(user, token) if colon else Credential("git", user)

    def _watch(self) -> None:
        while not self._stopping.wait(LOOK_EVERY.total_seconds()):
            try:
                self._look_at_due()
            except StoreUnavailable as error:
                log.error("looking at the repositories: %s", error)
            except Exception:
                log.exception("looking at the repositories failed; they are looked at again")

    def _look_at_due(self) -> None:
        now = self._parts.clock.now()
        with self._parts.database.reading() as connection:
            services = queries.services(connection)
        for service in services:
            if self._next_look.get(service.name, now) > now:
                continue
            local = local_path(service.repository) is not None
            self._next_look[service.name] = now + (LOOK_EVERY if local else self._poll_interval)
            self.look(service)


def _absolute(repository: str) -> str:
    path = local_path(repository)
    return repository if path is None else str(path.resolve())


def _name_from(repository: str) -> str:
    path = local_path(repository)
    last = path.resolve().name if path else repository.rstrip("/").rsplit("/", 1)[-1].rsplit(":", 1)[-1]
    return re.sub(r"[^a-z0-9-]+", "-", last.removesuffix(".git").lower()).strip("-") or "service"


def _no_file(url: str, path: str, head: Commit) -> Refused:
    folder = local_path(url)
    file = FILE if path == "." else f"{path}/{FILE}"
    if folder is not None and (folder / file).exists():
        return Refused(
            Refusal.INVALID,
            f"{file} is there, but not committed",
            f'git -C {folder} add {file} && git -C {folder} commit -m "Add {FILE}"',
        )
    return Refused(
        Refusal.INVALID, f"{file} is not in commit {head[:8]} of {url}", "tidegate init, then commit the file"
    )
