"""Which run a person means: an id, the beginning of one or of a commit, or the latest."""

from __future__ import annotations

from collections.abc import Sequence

from tidegate.cli.client import Client, Document
from tidegate.cli.exit_code import CommandFailed, ExitCode

LATEST = "latest"
SHORTEST = 4
ID_LENGTH = 26
"""Characters of a ULID."""

_PAGE = 200
"""The server gives no more at once."""

_LOOKED_AT = 2000
"""Older runs are named by their whole id."""


def find_run(client: Client, reference: str) -> Document:
    """The run that is meant, as the list of runs shows it; of a commit's runs the newest. Raises CommandFailed."""
    if reference == LATEST:
        newest = client.items("runs", limit=1)
        if not newest:
            raise CommandFailed(ExitCode.USAGE, "there is no run yet", "tidegate service add REPOSITORY")
        return newest[0]
    if len(reference) == ID_LENGTH:
        found: Document = client.get("runs", reference.lower())
        return found
    if len(reference) < SHORTEST:
        raise CommandFailed(
            ExitCode.USAGE, f"{reference!r} is too short to name a run: give {SHORTEST} characters or more"
        )
    return choose(reference, _runs_called(client, reference))


def newest_runs(client: Client, limit: int, service: str | None = None) -> list[Document]:
    """Up to `limit` runs, newest first, read page by page."""
    found: list[Document] = []
    before: str | None = None
    while len(found) < limit:
        page = client.get("runs", service=service, limit=min(_PAGE, limit - len(found)), before=before)
        found += page["items"]
        before = page["next"]
        if before is None:
            break
    return found


def choose(reference: str, runs: Sequence[Document]) -> Document:
    """The one run, newest first, that the reference fits. Raises CommandFailed where that is none or several."""
    beginning = reference.lower()
    by_id = [run for run in runs if str(run["id"]).lower().startswith(beginning)]
    by_commit = [run for run in runs if str(run["commit"]).startswith(beginning)]
    subjects = {str(run["id"]) for run in by_id} | {str(run["commit"]) for run in by_commit}
    if not subjects:
        raise CommandFailed(ExitCode.USAGE, f"there is no run called {reference!r}", "tidegate runs")
    if len(subjects) > 1:
        names = ", ".join(f"{run['id']} ({run['service']} {run['commit'][:8]})" for run in (*by_id, *by_commit)[:5])
        raise CommandFailed(ExitCode.USAGE, f"{reference!r} fits several runs: {names}", "give more characters")
    return (*by_id, *by_commit)[0]


def _runs_called(client: Client, reference: str) -> list[Document]:
    return [run for run in newest_runs(client, limit=_LOOKED_AT) if _fits(run, reference)]


def _fits(run: Document, reference: str) -> bool:
    beginning = reference.lower()
    return str(run["id"]).lower().startswith(beginning) or str(run["commit"]).startswith(beginning)
