"""Asking an instance how it is."""

from __future__ import annotations

import http.client
from dataclasses import dataclass

_LIMIT_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a question; `said` tells it in words."""

    good: bool
    said: str


def ask_twice(port: int, path: str) -> Answer:
    """Two good answers in a row (status 200 to 299, each within a second), or the first bad one.

    The first question warms a fresh instance up; the second sees whether it still answers.
    """
    first = ask(port, path)
    return ask(port, path) if first.good else first


def ask(port: int, path: str) -> Answer:
    """One question to 127.0.0.1."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_LIMIT_SECONDS)
    try:
        connection.request("GET", path, headers={"User-Agent": "tidegate-health", "Connection": "close"})
        status = connection.getresponse().status
    except TimeoutError:
        return Answer(False, f"GET {path} on port {port} got no answer within {_LIMIT_SECONDS:g} s")
    except ConnectionRefusedError:
        return Answer(False, f"127.0.0.1:{port} refuses connections")
    except (OSError, http.client.HTTPException) as error:
        return Answer(False, f"GET {path} on port {port} failed: {error or type(error).__name__}")
    finally:
        connection.close()
    return Answer(200 <= status < 300, f"GET {path} answered {status}")
