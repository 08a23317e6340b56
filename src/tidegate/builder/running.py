"""Running a script of a step, or of the setup, in a working tree."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from tidegate.agent.failed_first import VARIABLE, names_in_file
from tidegate.builder import git
from tidegate.builder.command import Command, Ended, ProcessShell, Shell
from tidegate.builder.step_log import StepLog
from tidegate.builder.surroundings import environment
from tidegate.builder.tree_memory import mark_of_tree
from tidegate.builder.workshop import Workshop
from tidegate.model.lease import StepOutcome
from tidegate.model.pipeline import Sidecar


def run(
    workshop: Workshop,
    script: str,
    log: StepLog,
    variables: Mapping[str, str],
    timeout: timedelta,
    *,
    directory: str = ".",
    image: str | None = None,
    sidecars: tuple[Sidecar, ...] = (),
    failed_tests: tuple[str, ...] = (),
    taken: timedelta = timedelta(0),
) -> Ended:
    """Run a script in `directory` below the service's folder, with a folder for temporary files of its own.

    It finds the names of `failed_tests`, where there are some, as an agent's step does. `taken` is gone of its time.
    """
    where = workshop.folder / directory
    if not where.resolve().is_relative_to(workshop.folder.resolve()) or not where.is_dir():
        detail = f"there is no folder {directory!r} (`working_directory` of the step) in {workshop.folder}"
        return Ended(StepOutcome.FAILED, None, detail)
    number = next(workshop.numbers)
    folder = workshop.work / f"{os.getpid()}-{number}"
    try:
        folder.mkdir(mode=0o700, parents=True)
        if failed_tests:
            file = folder / "failed-tests"
            file.write_text(names_in_file(failed_tests))
            variables = {**variables, VARIABLE: str(file)}
        command = Command(
            script=script,
            cwd=where,
            folder=folder,
            env=environment(folder, variables),
            seconds=timeout.total_seconds(),
            taken_seconds=taken.total_seconds(),
            mark=f"{mark_of_tree(workshop.memory.folder)}{folder.name}",
        )
        if image is not None or sidecars:
            command = _contained(workshop, command, image, sidecars)
        return _shell(workshop, command).run(command, log, workshop.stop)
    except OSError as error:
        return Ended(StepOutcome.FAILED, None, f"the disk failed: {error.strerror or error}")


def open_log(workshop: Workshop, name: str) -> StepLog:
    """A new log of a step, in place of the one before."""
    return StepLog(workshop.log_path(name), lambda lines: workshop.view.wrote(name, lines))


def _contained(workshop: Workshop, command: Command, image: str | None, sidecars: tuple[Sidecar, ...]) -> Command:
    """The command in a container, which sees the whole repository and has a HOME that is kept."""
    if image is None:
        return replace(command, sidecars=sidecars)
    home = workshop.memory.folder / "home"
    home.mkdir(mode=0o700, exist_ok=True)
    top = git.ask_in_words(workshop.folder, "rev-parse", "--show-toplevel")
    shared = (Path(top) if top else workshop.folder, home)
    return replace(command, image=image, sidecars=sidecars, shared=shared, env={**command.env, "HOME": str(home)})


def _shell(workshop: Workshop, command: Command) -> Shell:
    if command.image is None and not command.sidecars:
        return workshop.shell or ProcessShell()
    return workshop.containers
