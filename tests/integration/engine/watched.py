"""A shop whose commits come from a real repository, in which a person works."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from tests.integration.engine.shop import OWNER, PLAIN, SHOP, Shop
from tests.integration.integrations.conftest import Repository

from tidegate.engine.repositories import Mirrors, Repositories
from tidegate.model.service import Service
from tidegate.store import queries

EVERY = timedelta(minutes=1)


class Watched:
    """A shop whose commits come from a real repository."""

    def __init__(self, shop: Shop, repository: Repository, folder: Path) -> None:
        self.shop = shop
        self.repository = repository
        self.mirrors = Mirrors(folder / "git")
        self.repositories = Repositories(shop.parts, self.mirrors, shop.services, EVERY)

    def commit(self, subject: str, text: str = PLAIN) -> str:
        return self.repository.commit(subject, tidegate_yaml=text)

    def add(self, **how: str) -> Service:
        service, pushed = self.repositories.describe(str(self.repository.path), **how)
        self.shop.services.add(service, pushed, OWNER)
        return service

    def look(self) -> list[str]:
        """Look at the repository; the subjects of the runs that this began, in their order."""
        before = {row["id"] for row in self.shop.rows()["run"]}
        self.repositories.look(self.service())
        return [subject for run, subject in self.runs() if run not in before]

    def runs(self) -> list[tuple[str, str]]:
        with self.shop.database.reading() as connection:
            found = sorted(queries.newest_runs(connection), key=lambda run: run.id)
        return [(run.id, run.change.subject) for run in found]

    def service(self, name: str = SHOP) -> Service:
        with self.shop.database.reading() as connection:
            found = queries.service(connection, name)
        assert found is not None
        return found

    def troubles(self) -> list[str]:
        """What was said of the repository, oldest first."""
        return [row["text"] for row in self.shop.rows()["event"] if row["kind"] == "service.trouble"]
