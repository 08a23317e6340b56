"""The folder DIR/router: the files that Envoy is started with and watches."""

from __future__ import annotations

from pathlib import Path

from tidegate.routers import envoy_resources
from tidegate.routers.routing_records import RoutingRecords, write_whole


class EnvoyFiles:
    """The files in `folder`, each rendered from the records of all placements and replaced as a whole.

    There are three however many placements there are, because Envoy needs a handle of the system for each file that
    it watches, and dies where it gets none (Linux gives a user 128 inotify instances).
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self.records = RoutingRecords(self.folder / "placements")

    @property
    def bootstrap(self) -> Path:
        return self.folder / "bootstrap.json"

    @property
    def clusters(self) -> Path:
        return self.folder / "clusters.json"

    @property
    def routes(self) -> Path:
        return self.folder / "routes.json"

    @property
    def listeners(self) -> Path:
        return self.folder / "listeners.json"

    def prepare(self, bootstrap: str) -> None:
        """Bring every file to what the records say, so that an Envoy that starts now serves what it should."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        _replace(self.bootstrap, bootstrap)
        self.publish()

    def publish(self, again: bool = False) -> None:
        """Tell Envoy what the records say; `again` even where nothing changed, so that it tries once more."""
        with self.records.one_at_a_time():
            records = self.records.read_all()
            _replace(self.clusters, envoy_resources.clusters(records), again)
            _replace(self.routes, envoy_resources.routes(records), again)
            _replace(self.listeners, envoy_resources.listeners(records, self.routes), again)


def _replace(path: Path, text: str, again: bool = False) -> None:
    if again or not path.exists() or path.read_text(encoding="utf-8") != text:
        write_whole(path, text)
