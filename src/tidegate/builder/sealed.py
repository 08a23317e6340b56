"""Small JSON files with a checksum: one that was cut off, or changed on disk, counts as missing.

Nothing is synced to the disk for them: what a power cut spoils is found by the checksum and made again.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from pathlib import Path
from typing import Any


def write(path: Path, value: Any) -> None:
    """Write the file whole or not at all, whenever this process dies. Raises OSError."""
    body = json.dumps(value, separators=(",", ":")).encode()
    new = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}.new")
    try:
        with open(new, "wb") as file:
            file.write(hashlib.sha256(body).hexdigest().encode() + b"\n" + body)
        os.replace(new, path)
    except OSError:
        new.unlink(missing_ok=True)
        raise


def read(path: Path) -> Any | None:
    """What was written, None where there is no such file or it is damaged."""
    try:
        with open(path, "rb") as file:
            text = file.read()
    except OSError:
        return None
    seal, _, body = text.partition(b"\n")
    if seal != hashlib.sha256(body).hexdigest().encode():
        return None
    return json.loads(body)
