"""Acting at signals."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Callable, Mapping
from threading import Thread


def on_signals(acts: Mapping[int, Callable[[], None]]) -> None:
    """Have a thread act at each of these signals.

    It reads what the system's own handler writes: Python's runs in the main thread only, which sleeps on where the
    system gave the signal to another one, and which may hold any lock when it is interrupted.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    woken, wake = socket.socketpair()
    wake.setblocking(False)

    def act_when_woken() -> None:
        with woken, wake:
            while numbers := woken.recv(64):
                for number in numbers:
                    acts.get(number, lambda: None)()

    Thread(target=act_when_woken, name="signals", daemon=True).start()
    signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
    for number in acts:
        signal.signal(number, lambda *_: None)
