"""The ways in which the performing of an attempt ends before its step has succeeded."""

from __future__ import annotations

import signal

from tidegate.model.lease import PolledStep, ProcessState, StepOutcome

NOT_EXITED = PolledStep(ProcessState.GONE)
"""Of a command that never ran, or whose end nobody saw."""


class Stopping(Exception):
    """The agent stops: the attempt stays as it is, for the next agent."""


class Dropped(Exception):
    """The attempt is not this agent's any more: its processes are ended and it is forgotten."""


class AttemptEnded(Exception):
    """The attempt is over; `polled` says how its command ended, where one did."""

    def __init__(self, outcome: StepOutcome, detail: str, polled: PolledStep = NOT_EXITED) -> None:
        super().__init__(detail)
        self.outcome = outcome
        self.detail = detail
        self.polled = polled


def wrote_too_much(what: str, *, stopped: bool) -> str:
    """What is said of a command that wrote more than a log holds; `stopped`: it had not ended by itself."""
    began = "it was stopped because it wrote" if stopped else "it wrote"
    return f"{began} {what}, the most that a log holds; have it write less, or into a file"


def exit_in_words(code: int) -> str:
    """What an exit status other than 0 says."""
    if code == 127:
        return "a command was not found (exit status 127); the last line of the log names it"
    if code == 126:
        return "a command may not be executed (exit status 126); the last line of the log names it"
    if 128 < code < 128 + signal.NSIG:
        name = signal.strsignal(code - 128) or str(code - 128)
        memory = "; was there not enough memory?" if code - 128 == signal.SIGKILL else ""
        return f"the command was ended by a signal: {name} (exit status {code}){memory}"
    return f"the command ended with exit status {code}"
