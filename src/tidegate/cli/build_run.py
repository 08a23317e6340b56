"""What `tidegate build` does, apart from reading its command line; Typer is not needed for it."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tidegate.builder.agenda import UnknownStep, chosen
from tidegate.builder.build import Build
from tidegate.builder.cache import DEFAULT_BYTES, SIZE_VARIABLE, VARIABLE, Cache, CacheUnusable
from tidegate.builder.definition import FILE, Definition, read_definition
from tidegate.builder.git import GitFailed
from tidegate.builder.stop import Stop
from tidegate.builder.tree import BuildInsideItself, Tree, opened
from tidegate.cli import build_view
from tidegate.cli.build_lines import BuildEnd
from tidegate.cli.exit_code import CommandFailed, ExitCode
from tidegate.cli.output import Output, coloured, printable
from tidegate.model.pipeline import Step
from tidegate.model.step_run import StepState

if TYPE_CHECKING:
    from tidegate.config.problem import ConfigError


@dataclass(frozen=True, slots=True)
class Wishes:
    """What is asked for. `jobs` is None for as many as there are cores; `file` may be a folder."""

    steps: tuple[str, ...] = ()
    force: bool = False
    keep_going: bool = False
    jobs: int | None = None
    explain: str | None = None
    log: str | None = None
    file: Path = Path()
    json: bool = False


def run_build(wishes: Wishes) -> ExitCode:
    """Do it. Raises CommandFailed."""
    began = time.monotonic()
    output = Output(wishes.json)
    cache = _cache()
    definition = _definition(wishes.file, cache, output)
    if definition is None:
        return ExitCode.USAGE
    try:
        with opened(
            definition, cache, lambda: output.note("another build runs in this folder; waiting for it")
        ) as tree:
            if wishes.explain is not None:
                return _explain(tree, wishes.explain, output)
            if wishes.log is not None:
                return _print_log(tree, wishes.log, output)
            return _build(tree, wishes, output, began)
    except GitFailed as error:
        raise CommandFailed(ExitCode.USAGE, str(error), error.remedy) from None
    except BuildInsideItself as error:
        raise CommandFailed(ExitCode.USAGE, str(error)) from None


def _build(tree: Tree, wishes: Wishes, output: Output, began: float) -> ExitCode:
    steps = _chosen(tree, wishes.steps)
    with _stopping() as stop, build_view.shown(output, steps, stop) as view:
        workshop = tree.workshop(view, stop, wishes.force)
        ends = Build(steps, workshop, wishes.jobs or _cores(), wishes.keep_going).run()
        end = BuildEnd(ends, time.monotonic() - began)
        view.close(end)
    output.document(_document(end))
    if end.state is StepState.CANCELLED:
        return ExitCode.INTERRUPTED
    return ExitCode.DONE if end.state is StepState.SUCCEEDED else ExitCode.FAILED


def _document(end: BuildEnd) -> dict[str, object]:
    steps = [
        {"name": one.name, "status": str(one.state), "cached": one.cached, "seconds": round(one.seconds, 3)}
        for one in end.steps
    ]
    return {"status": str(end.state), "seconds": round(end.seconds, 3), "steps": steps}


def _explain(tree: Tree, name: str, output: Output) -> ExitCode:
    from tidegate.builder.explanation import explain

    with _stopping() as stop, build_view.shown(output, (), stop) as view:
        told = explain(tree.build, tree.workshop(view, stop), _one_step(tree, name))
    output.document(
        {
            "step": told.step,
            "status": told.state,
            "cached": told.cached,
            "because": [{"what": one.what, "files": list(one.files)} for one in told.because],
            "since": [{"what": one.what, "files": list(one.files)} for one in told.since],
        }
    )
    if not output.json:
        for sentence in told.sentences():
            output.say(sentence)
    return ExitCode.DONE


def _print_log(tree: Tree, name: str, output: Output) -> ExitCode:
    from tidegate.builder.step_log import lines_of

    step = _one_step(tree, name)
    lines = lines_of(tree.cache, tree.memory, step.name)
    if lines is None:
        raise CommandFailed(ExitCode.FAILED, f"there is no log of {step.name}", f'tidegate build "{step.name}"')
    output.document({"step": step.name, "lines": lines})
    if not output.json:
        for line in lines:
            print(coloured(line) + "\x1b[0m" if output.has_colours else printable(line))
    return ExitCode.DONE


def _one_step(tree: Tree, name: str) -> Step:
    _chosen(tree, (name,))
    found = [step for step in tree.build.steps if step.name == name]
    if not found:
        names = ", ".join(f'"{step.name}"' for step in tree.build.steps if step.name.startswith(f"{name} ("))
        raise CommandFailed(ExitCode.USAGE, f'"{name}" is several steps: {names}', "name one of them")
    return found[0]


def _chosen(tree: Tree, words: tuple[str, ...]) -> tuple[Step, ...]:
    try:
        return chosen(tree.build.steps, words)
    except UnknownStep as error:
        from tidegate.config.problem import did_you_mean, quoted_list

        names = [step.name for step in tree.build.steps]
        remedy = did_you_mean(error.name, names) or f"there are {quoted_list(names)}"
        raise CommandFailed(ExitCode.USAGE, f'there is no step "{error.name}"', remedy) from None


def _definition(file: Path, cache: Cache, output: Output) -> Definition | None:
    """What the file says; None where it is wrong, which was said then in the words of `tidegate validate`."""
    path = file / FILE if file.is_dir() else file
    try:
        return read_definition(path, cache)
    except FileNotFoundError:
        remedy = "tidegate init" if path == Path(FILE) else f"name it: tidegate build --file {FILE}"
        raise CommandFailed(ExitCode.USAGE, f"there is no file {path}", remedy) from None
    except OSError as error:
        raise CommandFailed(ExitCode.USAGE, f"{path} cannot be read: {error.strerror}") from None
    except Exception as error:
        # its class is known only when a file had to be read, which needs the rules of all files
        from tidegate.config.problem import ConfigError

        if not isinstance(error, ConfigError):
            raise
        _say_problems(error, path, output)
        return None


def _say_problems(error: ConfigError, path: Path, output: Output) -> None:
    count = len(error.problems)
    words = f"{count} problem{'s' if count > 1 else ''} in {path}"
    told = {"message": words, "problems": [str(one) for one in error.problems], "exit_code": int(ExitCode.USAGE)}
    output.document({"error": told})
    for problem in error.problems:
        output.say(str(problem))
    output.note(words)


def _cache() -> Cache:
    named = os.environ.get(VARIABLE)
    size = os.environ.get(SIZE_VARIABLE)
    try:
        return Cache.open(Path(named).expanduser().absolute() if named else _usual_cache(), _bytes(size))
    except CacheUnusable as error:
        raise CommandFailed(ExitCode.FAILED, str(error), f"name another folder: {VARIABLE}=DIR") from None


def _usual_cache() -> Path:
    import platformdirs

    return platformdirs.user_cache_path("tidegate", appauthor=False) / "build"


def _bytes(size: str | None) -> int:
    if not size:
        return DEFAULT_BYTES
    from tidegate.model.quantity import parse_size

    try:
        return parse_size(size)
    except ValueError as error:
        raise CommandFailed(ExitCode.USAGE, f"{SIZE_VARIABLE}: {error}") from None


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def _stopping() -> Iterator[Stop]:
    """A stop that is asked by Ctrl-C, by the end of the terminal, and by whoever ends this process gently."""
    stop = Stop()
    before = {}
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup has it
                before[number] = signal.signal(number, lambda *_: stop.ask())
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        stop.close()
