"""supervisord, with a fault of its poller and one of its forks mended.

supervisord closes a client's connection without telling its poller, and gives the number of that file to whatever it
opens next. Where that is the input of a program, and the program closes it as ours do, the poller reports an error that
supervisord neither handles nor ever stops asking for: one core is busy from then on (Supervisor's issue 807, of which
its version 4.3.0 mends one part).

A child that it forks has its handlers until it becomes the program, and at first no group of its own. What was sent to
the child by then (a program is stopped right after it was started) was noted by them and forgotten, or found no group:
the stop waited for its whole grace, and killed.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal

from supervisor import options, poller, supervisord

_HANDLED = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGUSR2)


class ErrorHeedingPoller(poller.PollPoller):  # type: ignore[misc]
    """Asks no more for a file of which there is nothing to tell but an error; who wants more of it registers again."""

    def _ignore_invalid(self, fd: int, eventmask: int) -> bool:
        if eventmask & (self.READ | self.WRITE):
            return False
        return bool(super()._ignore_invalid(fd, eventmask | select.POLLNVAL))


def fork() -> int:
    """`os.fork`, but that the child has a group of its own, and heeds signals, from its first moment on."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _HANDLED)
    try:
        child = os.fork()
        if child == 0:
            for one in _HANDLED:
                signal.signal(one, signal.SIG_DFL)
        else:
            with contextlib.suppress(OSError):  # it has done so itself, and become the program
                os.setpgid(child, child)
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _HANDLED)
    return child


def main() -> None:
    """Be supervisord, with the arguments of this process."""
    options.ServerOptions.fork = lambda _options: fork()
    if poller.Poller is poller.PollPoller:  # not where there is kqueue, which forgets a file that is closed
        poller.Poller = ErrorHeedingPoller
    supervisord.main()


if __name__ == "__main__":
    main()
