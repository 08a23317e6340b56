"""Evidence for an auditor: packs of what happened to a service in a time, or to one release."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import BinaryIO

from sqlalchemy import Connection

from tidegate.engine.parts import Parts
from tidegate.engine.record import RecordActs
from tidegate.engine.refusal import Refusal, Refused, not_found
from tidegate.evidence.pack import Pack
from tidegate.evidence.page import Figures, PageHead, evidence_page, stories_file
from tidegate.evidence.record_file import Extract, record_file
from tidegate.evidence.story import (
    ReleaseSources,
    ReleaseStory,
    RunSources,
    Told,
    is_approval,
    is_break_glass,
    tell,
    tell_release,
)
from tidegate.model.event import EventKind, RecordedEvent
from tidegate.model.record_line import BrokenLine, RecordLine
from tidegate.model.release import Release
from tidegate.model.rollout import RolloutKind
from tidegate.store import events, evidence_queries, gate_queries, queries, record_lines, record_queries

LINES_AT_MOST = 2_000_000
"""Of a pack: an uncompressed file of it has to stay below two gigabytes."""


@dataclass(frozen=True, slots=True)
class _Told:
    """Which lines of a service tell of which release, and how much they tell in all."""

    of_release: Mapping[str, list[int]]
    others: list[int]
    figures: Figures


class EvidenceActs:
    """Every pack is written to a temporary file, at one moment of the database, a line at a time."""

    def __init__(self, parts: Parts, record: RecordActs) -> None:
        self._parts = parts
        self._record = record

    def of_service(self, service: str, begin: date | None, end: date | None) -> BinaryIO:
        """All that happened to a service, also to one that is gone, from one day to another (UTC, both included).

        Raises Refused.
        """
        if begin and end and begin > end:
            raise Refused(Refusal.INVALID, f"the time ends ({end}) before it begins ({begin})")
        since = datetime.combine(begin, time(), UTC) if begin else None
        until = datetime.combine(end + timedelta(days=1), time(), UTC) if end and end < date.max else None
        with self._reading() as connection:
            span = evidence_queries.lines_between(connection, service, since, until)
            if span is None and queries.known_service(connection, service) is None:
                raise not_found("service", service, "tidegate service list")
            if span is None:
                raise Refused(Refusal.INVALID, f"nothing is recorded of {service} in that time", "tidegate events")
            days = (begin.isoformat() if begin else None, end.isoformat() if end else None)
            extract = _extract(connection, service, span, days)
            told = self._sort(connection, service, span)
            releases = [one for name in told.of_release if (one := queries.release(connection, name))]
            releases.sort(key=lambda one: (one.order, one.id))

            def stories() -> Iterator[ReleaseStory]:
                return (_story(connection, one, told.of_release[one.id]) for one in releases)

            return self._written(connection, extract, told, stories, None)

    def of_release(self, service: str, release_id: str) -> BinaryIO:
        """All that happened to one release. Raises Refused."""
        with self._reading() as connection:
            release = queries.release(connection, release_id)
            if release is None or release.service != service:
                raise not_found("release", release_id, f"tidegate release list {service}")
            whole = evidence_queries.lines_between(connection, service, None, None)
            told = self._sort(connection, service, whole or (0, 0), only=release.id)
            lines = told.of_release.get(release.id)
            if not lines:
                raise Refused(Refusal.INVALID, f"no line of the record tells of release {release.id}")
            extract = _extract(connection, service, (lines[0], lines[-1]), (None, None))

            def stories() -> Iterator[ReleaseStory]:
                yield _story(connection, release, lines)

            return self._written(connection, extract, told, stories, release.label)

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        """Sign what came last, so that a checkpoint follows every line; then read."""
        self._record.checkpoint()
        with self._parts.database.reading() as connection:
            yield connection

    def _sort(self, connection: Connection, service: str, span: tuple[int, int], only: str | None = None) -> _Told:
        concerns = _Concerns(connection, service)
        of_release: dict[str, list[int]] = {}
        others: list[int] = []
        count = _Counter()
        for recorded in _events(connection, service, span):
            names = concerns.releases(recorded) & ({only} if only else concerns.known)
            for name in names:
                of_release.setdefault(name, []).append(recorded.id)
            if not names:
                others.append(recorded.id)
            if names or not only:
                count.add(recorded)
        return _Told(of_release, others, count.figures(len(of_release)))

    def _written(
        self,
        connection: Connection,
        extract: Extract,
        told: _Told,
        stories: Callable[[], Iterator[ReleaseStory]],
        release: str | None,
    ) -> BinaryIO:
        public, _ = self._record.sign_text("")
        head = PageHead(extract, told.figures, public, release)
        others = () if release else _tellings(connection, told.others)
        file: BinaryIO = tempfile.TemporaryFile()  # noqa: SIM115  whoever gets it closes it
        pack = Pack(file)
        try:
            pack.add("index.html", evidence_page(head, stories(), others))
            pack.add("release.json" if release else "releases.json", stories_file(stories()))
            pack.add("record.json", record_file(extract, _lines(connection, extract)))
            pack.seal(self._record.sign_text)
        except BaseException:
            pack.abandon()
            file.close()
            raise
        file.seek(0)
        return file


class _Concerns:
    """Of which releases a line tells: by its release, its run, its deployment, or its rollout (one back from a release
    tells of that as well)."""

    def __init__(self, connection: Connection, service: str) -> None:
        self._by_run = evidence_queries.releases_by_run(connection, service)
        self._by_deployment = evidence_queries.releases_by_deployment(connection, service)
        self._rollouts = evidence_queries.ends_of_rollouts(connection, service)
        self.known = {*self._by_run.values(), *self._by_deployment.values()}

    def releases(self, recorded: RecordedEvent) -> set[str]:
        """Their ids."""
        about = recorded.event.about
        found = {about.get("release"), self._by_run.get(about.get("run", ""))}
        found.add(self._by_deployment.get(about.get("deployment", "")))
        kind, new, old = self._rollouts.get(about.get("rollout", ""), (None, None, None))
        found.add(self._by_deployment.get(new or ""))
        if kind is RolloutKind.ROLLBACK:
            found.add(self._by_deployment.get(old or ""))
        return {one for one in found if one}


class _Counter:
    """Counts what the figures at the top of the page say."""

    def __init__(self) -> None:
        self._kinds: dict[EventKind, int] = {}
        self._lines = self._approvals = self._break_glass = 0

    def add(self, recorded: RecordedEvent) -> None:
        kind = recorded.event.kind
        self._lines += 1
        self._kinds[kind] = self._kinds.get(kind, 0) + 1
        self._approvals += is_approval(recorded.event)
        self._break_glass += is_break_glass(recorded.event)

    def figures(self, releases: int) -> Figures:
        kinds = self._kinds
        return Figures(
            lines=self._lines,
            releases=releases,
            approvals=self._approvals,
            rollouts=kinds.get(EventKind.ROLLOUT_BEGAN, 0),
            rollbacks=kinds.get(EventKind.ROLLBACK_DECIDED, 0),
            break_glass=self._break_glass,
        )


def _extract(
    connection: Connection, service: str, span: tuple[int, int], days: tuple[str | None, str | None]
) -> Extract:
    """From the checkpoint before the first line to the one that follows the last."""
    before = record_queries.checkpoint_before(connection, span[0])
    between = record_queries.checkpoints_between(connection, *span)
    last = between[-1].last_event
    after, previous = (before.last_event, before.hash) if before else record_queries.BEFORE_FIRST
    if last - after > LINES_AT_MOST:
        raise Refused(Refusal.INVALID, f"that is {last - after} lines of the record", "ask for a shorter time")
    checkpoints = (*((before,) if before else ()), *between)
    return Extract(service, *days, after, previous, last, checkpoints, record_queries.keys(connection))


def _lines(connection: Connection, extract: Extract) -> Iterator[RecordLine]:
    """The lines of the pack. Who is handed one whose lines do not fit would be told so by their own check only."""
    previous = extract.previous
    for line in record_lines.lines(connection, extract.after, extract.last):
        if isinstance(line, BrokenLine) or line.previous_hash != previous or line.made_hash() != line.hash:
            raise Refused(Refusal.CONFLICT, f"line {line.id} of the record was changed", "tidegate audit verify")
        previous = line.hash
        yield line


def _events(connection: Connection, service: str, span: tuple[int, int]) -> Iterator[RecordedEvent]:
    after = span[0] - 1
    while page := events.of_service(connection, service, after):
        for recorded in page:
            if recorded.id > span[1]:
                return
            yield recorded
        after = page[-1].id


def _tellings(connection: Connection, lines: Iterable[int]) -> Iterator[Told]:
    return (tell(one) for one in evidence_queries.events_of_lines(connection, lines))


def _story(connection: Connection, release: Release, lines: Iterable[int]) -> ReleaseStory:
    runs = evidence_queries.runs_of_release(connection, release.id)
    sources = ReleaseSources(
        release=release,
        runs=[
            RunSources(
                run=one,
                steps=queries.steps(connection, one.id),
                broken_glass=gate_queries.broken_glass(connection, one.id),
            )
            for one in runs
        ],
        people=gate_queries.known_people(connection, (), (), release.change.authors),
        rollouts=evidence_queries.rollouts_of_release(connection, release),
        events=tuple(evidence_queries.events_of_lines(connection, lines)),
    )
    return tell_release(sources)
