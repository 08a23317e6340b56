"""What the processes that the server starts get of its own environment."""

from __future__ import annotations

import os

HANDED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV", "SSL_CERT_FILE", "PYTHONPATH")
"""Nothing else: what a shell has besides, secrets among it, is not for them."""


def own_environment(*more: str) -> dict[str, str]:
    """Those variables, and `more`, as far as they are set."""
    return {name: os.environ[name] for name in (*HANDED_ON, *more) if name in os.environ}
