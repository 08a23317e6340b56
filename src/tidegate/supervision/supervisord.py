"""supervisord, with a fault of its poller mended.

supervisord closes a client's connection without telling its poller, and gives the number of that file to whatever it
opens next. Where that is the input of a program, and the program closes it as ours do, the poller reports an error that
supervisord neither handles nor ever stops asking for: one core is busy from then on (Supervisor's issue 807, of which
its version 4.3.0 mends one part).
"""

from __future__ import annotations

import select

from supervisor import poller, supervisord


class ErrorHeedingPoller(poller.PollPoller):  # type: ignore[misc]
    """Asks no more for a file of which there is nothing to tell but an error; who wants more of it registers again."""

    def _ignore_invalid(self, fd: int, eventmask: int) -> bool:
        if eventmask & (self.READ | self.WRITE):
            return False
        return bool(super()._ignore_invalid(fd, eventmask | select.POLLNVAL))


def main() -> None:
    """Be supervisord, with the arguments of this process."""
    if poller.Poller is poller.PollPoller:  # not where there is kqueue, which forgets a file that is closed
        poller.Poller = ErrorHeedingPoller
    supervisord.main()


if __name__ == "__main__":
    main()
