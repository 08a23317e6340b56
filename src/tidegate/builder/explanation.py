"""Why a step ran in the last build of a working tree, or why it did not, and what the next build makes of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tidegate.builder.agenda import Agenda, chosen
from tidegate.builder.cache import Cache
from tidegate.builder.job import FORCED, UNKNOWN_NEEDS
from tidegate.builder.kept_result import KeptResult
from tidegate.builder.keys import files_of
from tidegate.builder.tree_memory import Execution, StepMemory
from tidegate.builder.wording import origin_in_words
from tidegate.builder.working_files import unpacked
from tidegate.builder.workshop import Workshop
from tidegate.model.ids import Digest, StepName
from tidegate.model.pipeline import Build, Step
from tidegate.model.step_inputs import Listing, contents
from tidegate.model.step_key import Difference, differences, key_of, made_by
from tidegate.model.step_run import StepState


@dataclass(frozen=True, slots=True)
class Explanation:
    """How a step went in the last build; `because` says why, `since` what has changed after that."""

    step: str
    state: str
    cached: bool
    because: tuple[Difference, ...]
    since: tuple[Difference, ...] = ()

    def sentences(self) -> Iterator[str]:
        """The explanation in lines."""
        did = "was taken from the cache" if self.cached else _DID.get(self.state, "ran")
        for one in self.because:
            yield from _lines(f"{self.step} {did} because {one.what}", one.files)
        for one in self.since:
            yield from _lines(f"since then {one.what}", one.files)


_DID = {
    "": "was not built",
    StepState.CANCELLED: "was cancelled",
    StepState.SKIPPED: "did not run",
    StepState.LEFT_OUT: "was left out",
}


def _lines(sentence: str, files: tuple[str, ...]) -> Iterator[str]:
    yield sentence + (":" if files else "")
    yield from (f"  {file}" for file in files)


def explain(build: Build, workshop: Workshop, step: Step) -> Explanation:
    """Explain how this step went, from what is remembered."""
    memory = workshop.memory.of(step.name)
    because = tuple(_because(workshop.cache, step, memory))
    since = tuple(_since(build, workshop, step, memory))
    return Explanation(step.name, memory.state, memory.cached, because, since)


def _because(cache: Cache, step: Step, memory: StepMemory) -> Iterator[Difference]:
    if not memory.state:
        yield Difference("nothing was built in this folder since the step is there")
    elif memory.cached:
        assert memory.kept is not None  # only a result that was in place counts as cached
        yield Difference(f"nothing that it depends on has changed since it ran {origin_in_words(memory.kept.origin)}")
    elif memory.has_run and memory.ran is not None:
        yield from _why_it_ran(cache, step, memory, memory.ran)
    elif memory.state == StepState.LEFT_OUT:
        yield Difference("its `if` says so")
    else:
        yield Difference(
            memory.why or ("the build was ended early" if memory.state == StepState.CANCELLED else _FAILED)
        )


_FAILED = "another step had failed before it could begin"


def _why_it_ran(cache: Cache, step: Step, memory: StepMemory, ran: Execution) -> Iterator[Difference]:
    if not step.is_cacheable:
        yield Difference("it has no inputs: such a step always runs")
    elif memory.why == FORCED:
        yield Difference("nothing was to be taken from the cache (--force)")
    elif memory.why == UNKNOWN_NEEDS or not ran.parts:
        yield Difference("it is not known what a step that it needs made")
    elif memory.before is None or not memory.before.parts:
        yield Difference("it had not run in this folder before, and the cache had no result of it")
    else:
        found = tuple(differences(_whole(cache, memory.before), _whole(cache, ran)))
        yield from found or (Difference(_without_difference(memory.before)),)


def _without_difference(before: Execution) -> str:
    if before.state != StepState.SUCCEEDED:
        return "it had not succeeded the time before, and only what succeeds is kept"
    return "its result of the time before is not in the cache (any more)"


def _whole(cache: Cache, ran: Execution) -> dict[str, Any]:
    """The parts of a key, with each file where these are still known."""
    blob = cache.open_blob(Digest(ran.listing)) if ran.listing else None
    if blob is None:
        return ran.parts
    with blob:
        return _with_files(ran.parts, unpacked(blob.read()), ran.patterns)


def _with_files(parts: dict[str, Any], listing: Listing, patterns: tuple[tuple[str, ...], ...]) -> dict[str, Any]:
    return {**parts, "files": contents(files_of(listing, patterns))}


def _since(build: Build, workshop: Workshop, step: Step, memory: StepMemory) -> Iterator[Difference]:
    """What has changed since the last build, where the next one would run the step because of it."""
    if not step.is_cacheable or not memory.state:
        return
    parts = _parts_now(build, workshop, step)
    if isinstance(parts, str):
        if parts:
            yield Difference(f'"{parts}", which it needs, has to run again')
        return
    last = memory.ran
    if last is not None and last.parts and workshop.cache.result(key_of(parts)) is None:
        now = _with_files(parts, workshop.keys.listing, workshop.keys.patterns(step))
        yield from differences(_whole(workshop.cache, last), now)


def _parts_now(build: Build, workshop: Workshop, wanted: Step) -> dict[str, Any] | str:
    """The parts of a step's key as things are, or the name of the step that has to run before they are known.

    The name is empty where that is a step which runs in every build.
    """
    made: dict[StepName, str] = {}
    unknown: dict[StepName, str] = {}
    agenda = Agenda(chosen(build.steps, [wanted.name]))
    while (step := agenda.next()) is not None:
        missing = [unknown[name] for name in step.needs if name in unknown]
        if missing or not step.is_cacheable:
            unknown[step.name] = next(iter(missing), "")
        else:
            needs = {name: made[name] for name in step.needs}
            parts = workshop.keys.parts(step, needs, workshop.variables.of_inputs(step))
            if step is wanted:
                return parts
            kept = KeptResult.of_json(workshop.cache.result(key_of(parts)))
            if kept is None:
                unknown[step.name] = step.name
            else:
                made[step.name] = made_by(kept.report)
        agenda.end(step.name)
    return unknown[wanted.name]
