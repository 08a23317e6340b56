"""What passes between a server and an agent about one attempt of a step."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from tidegate.model.ids import Commit, Digest, RunId, ServiceName, StepRunId
from tidegate.model.load import LoadPlan, LoadReport
from tidegate.model.pipeline import Setup, Step

THROUGH_SERVER = "server:"
"""How a source begins that an agent reads through its server."""


@dataclass(frozen=True, slots=True)
class BuiltFile:
    """A file that a step made: `name` as the pipeline calls it, `file` as it is called on disk."""

    name: str
    file: str
    digest: Digest
    size: int
    handed_on: bool = False
    """Whether an artifact is among the step's outputs as well, so that the steps that need it find it."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right of one agent to perform one attempt of a step.

    `fence` grows with every lease of the step run: a report with an older one is refused. `checkout` names the
    checkout that steps of one build share, one after another; `setup` runs once in each.
    """

    step_run: StepRunId
    attempt: int
    fence: int
    run: RunId
    service: ServiceName
    scope: str
    """`build`, or the name of the stage that the step belongs to."""

    step: Step
    source: str
    """A git URL or path that the agent can fetch `commit` from; `server:/…` is a path below the server's address, as
    the agent knows that."""

    commit: Commit
    path: str
    setup: Setup | None
    env: Mapping[str, str]
    artifacts: Mapping[str, Digest]
    """Files (by name) that the step finds in `$TIDEGATE_ARTIFACTS`."""

    outputs: tuple[BuiltFile, ...] = ()
    """What the steps that it needs hand over: archives that are unpacked into the checkout before it begins."""

    failed_tests: tuple[str, ...] = ()
    """The tests with which the step's `failed_first` begins; none where there is nothing to run first."""

    watched_tests: tuple[str, ...] = ()
    """Tests that have failed before: the agent says which of them passed."""

    excused_tests: tuple[str, ...] = ()
    """Tests in quarantine: where no others failed, the agent brings what the step should make nevertheless."""

    load: LoadPlan | None = None
    """What a load check sends."""


MOST_FAILURES = 200
"""Of so many tests that failed in one attempt the names are kept."""


class StepOutcome(StrEnum):
    """How an attempt ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class TestReport:
    """Figures of a JUnit report. Tests are named as the agent's `name_of_test` says."""

    __test__ = False
    total: int
    failed: int
    skipped: int
    failures: tuple[str, ...] = ()
    """The tests that failed, at most MOST_FAILURES of them; those without a name are only counted."""

    passed: tuple[str, ...] = ()
    """Of the tests that are watched, those that passed."""

    ran: str = field(default="", compare=False)
    """A digest of the names of all tests that were not skipped: reports with the same one are of the same tests. It is
    no figure, so reports that differ in nothing else are equal."""

    def shows_pass(self, test: str, of: TestReport) -> bool:
        """Whether a test that failed in the report `of` passed in this one, which is of the same tests."""
        return bool(self.ran) and self.ran == of.ran and len(self.failures) == self.failed and test not in self.failures

    def failed_only(self, excused: Collection[str]) -> bool:
        """Whether tests failed, all of them are known by name, and are among these."""
        return 0 < self.failed == len(self.failures) and set(excused) >= set(self.failures)

    @classmethod
    def together(cls, reports: Iterable[TestReport]) -> TestReport | None:
        """The figures of several reports; None where there is none, which is not the same as no test."""
        found = tuple(reports)
        if not found:
            return None
        return cls(
            total=sum(one.total for one in found),
            failed=sum(one.failed for one in found),
            skipped=sum(one.skipped for one in found),
        )


@dataclass(frozen=True, slots=True)
class StepReport:
    """What an agent reports of an ended attempt; `detail` says in words what went wrong and what to do."""

    outcome: StepOutcome
    exit_code: int | None
    detail: str
    began_at: datetime
    ended_at: datetime
    artifacts: tuple[BuiltFile, ...] = ()
    tests: TestReport | None = None
    line_coverage: float | None = None
    """Percent, from a Cobertura report."""

    outputs: BuiltFile | None = None
    """An archive of the files that the step hands over, None where it declares none."""

    image: str | None = None
    """The digest of the image that the step ran in, None where it ran in none."""

    ended_first: bool = False
    """It failed with its `failed_first`, and its `run` was not run."""

    load: LoadReport | None = None
    """What a load check measured."""

    @property
    def is_answer(self) -> bool:
        """Whether its script ran and came to an end of its own: else it says nothing of what the script looks at."""
        ran = self.exit_code is not None or self.outcome is StepOutcome.TIMED_OUT
        return ran and self.outcome in (StepOutcome.SUCCEEDED, StepOutcome.FAILED, StepOutcome.TIMED_OUT)


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of a step's output, stamped when the agent read it."""

    at: datetime
    text: str


@dataclass(frozen=True, slots=True)
class StepHandle:
    """A started command, enough to find it again after a crash of whoever started it."""

    folder: str
    pid: int
    started: float
    """The process's start time as the operating system gives it, which tells it from a later one of the same pid."""

    boot: str


class ProcessState(StrEnum):
    """Whether a started command still runs."""

    RUNNING = "running"
    EXITED = "exited"
    GONE = "gone"
    """Its process group is proven gone and it left no exit status."""


@dataclass(frozen=True, slots=True)
class PolledStep:
    """What a runner found out about a started command."""

    state: ProcessState
    exit_code: int | None = None
    ended_at: datetime | None = None
    """When it ended, where the runner knows: the agent may look much later."""


@dataclass(frozen=True, slots=True)
class Mount:
    """A file or folder of the agent's machine that a container sees at the same path."""

    path: str
    writable: bool = True


@dataclass(frozen=True, slots=True)
class StepCommand:
    """What a runner is asked to start: a script for `sh -eu` in `cwd`, with exactly this environment.

    Its output (both streams) goes to `folder/output`; `folder` also keeps what is needed to find it again. With an
    `image` it runs in a container, whose own environment lies below `env` and which sees only the `mounts`.
    """

    script: str
    cwd: str
    folder: str
    env: Mapping[str, str] = field(default_factory=dict)
    image: str | None = None
    mounts: tuple[Mount, ...] = ()
    """`cwd` must be, or lie in, one of them."""

    network: str | None = None
    """The network in which its sidecars are, by the engine's name for it; None for the engine's usual one."""
