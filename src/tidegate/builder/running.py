"""Running a script of a step, or of the setup, in a working tree."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import timedelta

from tidegate.builder.command import Command, Ended, ProcessShell
from tidegate.builder.step_log import StepLog
from tidegate.builder.surroundings import environment
from tidegate.builder.workshop import Workshop, mark_of_tree
from tidegate.model.lease import StepOutcome


def run(
    workshop: Workshop,
    script: str,
    log: StepLog,
    variables: Mapping[str, str],
    timeout: timedelta,
    directory: str = ".",
) -> Ended:
    """Run a script in `directory` below the service's folder, with a folder for temporary files of its own."""
    where = workshop.folder / directory
    if not where.resolve().is_relative_to(workshop.folder.resolve()) or not where.is_dir():
        detail = f"there is no folder {directory!r} (`working_directory` of the step) in {workshop.folder}"
        return Ended(StepOutcome.FAILED, None, detail)
    number = next(workshop.numbers)
    folder = workshop.work / str(number)
    try:
        folder.mkdir(mode=0o700, parents=True)
        env = environment(folder, variables)
        mark = f"{mark_of_tree(workshop.memory.folder)}{os.getpid()}-{number}"
        command = Command(script, where, folder, env, timeout.total_seconds(), mark)
        return (workshop.shell or ProcessShell()).run(command, log, workshop.stop)
    except OSError as error:
        return Ended(StepOutcome.FAILED, None, f"the disk failed: {error.strerror or error}")


def open_log(workshop: Workshop, name: str) -> StepLog:
    """A new log of a step, in place of the one before."""
    return StepLog(workshop.log_path(name), lambda lines: workshop.view.wrote(name, lines))
