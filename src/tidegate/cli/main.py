"""The `tidegate` command: which commands there are, and how each ends."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from typing import Annotated, Protocol, runtime_checkable

import typer

from tidegate.cli import (
    agent,
    agent_commands,
    audit_commands,
    authorship_commands,
    build,
    doctor,
    down,
    drill_commands,
    environment_commands,
    file_commands,
    floor,
    freeze_commands,
    gate_commands,
    import_commands,
    incident_commands,
    judge,
    logs,
    long_running,
    notify_commands,
    people_commands,
    placement_commands,
    policy_commands,
    question_commands,
    record_commands,
    rehearsal_commands,
    release_commands,
    rollback,
    run_commands,
    secret_commands,
    service_commands,
    sign_in_commands,
    tests_commands,
    token_commands,
    train_commands,
    watch,
)
from tidegate.cli.characters import tolerate_every_character
from tidegate.cli.exit_code import CommandFailed, ExitCode
from tidegate.cli.output import printable


@runtime_checkable
class WrongUsage(Protocol):
    """What Typer raises for a command line that it cannot read; its class depends on Typer's version."""

    exit_code: int

    def format_message(self) -> str:
        """What is wrong."""


def main() -> None:
    """The console script: run the command and end with its exit code, never with a traceback for a user's mistake."""
    tolerate_every_character()
    raise SystemExit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command and give its exit code; with --json, a failure is a JSON document too."""
    try:
        ended = application(arguments[:1])(args=list(arguments), prog_name="tidegate", standalone_mode=False)
    except Exception as error:
        return failed(error, arguments)
    return int(ended or ExitCode.DONE)


def failed(error: Exception, arguments: Sequence[str]) -> int:
    """Say why a command ended with this error, and give its exit code."""
    failure = _in_words(error, arguments)
    if failure is None:
        if os.environ.get("TIDEGATE_DEBUG") == "1":
            raise error
        failure = _defect(error)
    if isinstance(error, WrongUsage) and not str(failure):
        return failure.code  # a command was wanted, and the help was printed instead
    _report(failure, as_json="--json" in arguments)
    return failure.code


def _in_words(error: Exception, arguments: Sequence[str]) -> CommandFailed | None:
    """What a user is told; None for what should not happen."""
    match error:
        case CommandFailed():
            return error
        case typer.Abort():
            return CommandFailed(ExitCode.INTERRUPTED, "nothing was done")
        case WrongUsage():
            return CommandFailed(
                ExitCode.USAGE, error.format_message().replace("Value error, ", ""), _help_of(arguments)
            )
        case OSError() if error.strerror:
            named = f": {error.filename}" if error.filename else ""
            return CommandFailed(ExitCode.FAILED, f"{error.strerror}{named}")
    return None


def _defect(error: Exception) -> CommandFailed:
    words = f"{type(error).__name__}: {error}".strip().rstrip(":")
    return CommandFailed(
        ExitCode.FAILED,
        f"an error in Tidegate itself: {words}",
        "report it, with what the same command prints with TIDEGATE_DEBUG=1",
    )


def _report(failure: CommandFailed, *, as_json: bool) -> None:
    if as_json:
        error = {"message": str(failure), "remedy": failure.remedy, "exit_code": int(failure.code)}
        print(json.dumps({"error": error}, indent=2, ensure_ascii=False))
    sys.stdout.flush()
    for line in str(failure).splitlines() or [""]:
        print(f"tidegate: {printable(line)}", file=sys.stderr)
    if failure.remedy:
        print(f"next: {printable(failure.remedy)}", file=sys.stderr)


def _help_of(arguments: Sequence[str]) -> str:
    """The help of the command that was tried, as far as its name is right."""
    named = next((word for word in arguments if not word.startswith("-")), "")
    return f"tidegate {named} --help" if _knows(named) else "tidegate --help"


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"tidegate {version('tidegate')}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    del version


_PANELS: dict[str, dict[str, Callable[..., None]]] = {
    "Begin": {
        "demo": long_running.demo,
        "init": file_commands.init,
        "validate": file_commands.validate,
        "build": build.build,
    },
    "See": {
        "status": placement_commands.status,
        "runs": run_commands.runs,
        "watch": watch.watch,
        "logs": logs.logs,
        "events": record_commands.events,
        "figures": record_commands.figures,
        "queue": agent_commands.queue,
        "judge": judge.judge,
    },
    "Decide": {
        "approve": run_commands.approve,
        "reject": run_commands.reject,
        "withdraw": gate_commands.withdraw,
        "delegate": gate_commands.delegate,
        "break-glass": gate_commands.break_glass,
        "review": gate_commands.review,
        "hold": run_commands.hold,
        "resume": run_commands.resume,
        "promote": run_commands.promote,
        "cancel": run_commands.cancel,
        "retry": run_commands.retry,
        "deploy": placement_commands.deploy,
        "rollback": rollback.rollback,
        "floor": floor.floor,
        "rehearse": rehearsal_commands.rehearse,
        "rehearsals": rehearsal_commands.rehearsals,
        "freeze": freeze_commands.freeze,
        "thaw": freeze_commands.thaw,
        "freezes": freeze_commands.freezes,
    },
    "Operate": {
        "server": long_running.server,
        "agent": agent.agent,
        "down": down.down,
        "doctor": doctor.doctor,
        "admin-link": sign_in_commands.admin_link,
        "schema": file_commands.schema,
    },
}
_GROUPS = {
    "service": service_commands.app,
    "environment": environment_commands.app,
    "release": release_commands.app,
    "gate": question_commands.app,
    "train": train_commands.app,
    "incident": incident_commands.app,
    "drill": drill_commands.app,
    "secret": secret_commands.app,
    "user": people_commands.users,
    "team": people_commands.teams,
    "token": token_commands.app,
    "agents": agent_commands.app,
    "notify": notify_commands.app,
    "policy": policy_commands.app,
    "import": import_commands.app,
    "tests": tests_commands.app,
    "audit": audit_commands.app,
}

people_commands.users.command("address")(authorship_commands.know_address)
people_commands.users.command("key")(authorship_commands.know_key)


def application(wanted: Sequence[str] = ()) -> typer.Typer:
    """The command line; with the wanted commands alone where all of them are known, because making every command takes
    longer than most of them need."""
    made = typer.Typer(
        name="tidegate",
        help="Takes a commit from merge to production: builds, gates, shifts traffic, judges, and takes it back when "
        "it is worse.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    made.callback()(_root)
    everything = not wanted or not all(map(_knows, wanted))
    for panel, commands in _PANELS.items():
        for name, command in commands.items():
            if everything or name in wanted:
                made.command(name, rich_help_panel=panel)(command)
    for name, group in _GROUPS.items():
        if everything or name in wanted:
            made.add_typer(group, name=name, rich_help_panel="Things")
    return made


def _knows(name: str) -> bool:
    return name in _GROUPS or any(name in commands for commands in _PANELS.values())


if __name__ == "__main__":
    main()
