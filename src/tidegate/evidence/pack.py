"""A pack: one ZIP that is the same, byte for byte, whenever it is made of the same."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import BinaryIO

MANIFEST, SIGNATURE, VERIFY = "manifest.json", "manifest.sig", "verify.py"
_NO_TIME = (1980, 1, 1, 0, 0, 0)
_READABLE = 0o100644 << 16
_UNIX = 3


class Pack:
    """Files are added one after another and hashed on the way; at the end their hashes are signed.

    Nothing is compressed, so that whoever verifies the pack can put it together again and compare every byte.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._zip = zipfile.ZipFile(file, "w", zipfile.ZIP_STORED)
        self._hashes: dict[str, str] = {}

    def add(self, name: str, chunks: Iterable[bytes]) -> None:
        """Add a file."""
        info = zipfile.ZipInfo(name, _NO_TIME)
        info.external_attr, info.create_system = _READABLE, _UNIX
        digest = hashlib.sha256()
        with self._zip.open(info, "w") as file:
            for chunk in chunks:
                digest.update(chunk)
                file.write(chunk)
        self._hashes[name] = digest.hexdigest()

    def abandon(self) -> None:
        """Leave it as it is: it is no pack, and verifies nowhere."""
        self._zip.close()

    def seal(self, sign: Callable[[str], tuple[str, str]]) -> None:
        """Add what verifies the pack, and sign all of it: `sign` gives a public key and its signature of a text."""
        self.add(VERIFY, [Path(__file__).with_name(VERIFY).read_bytes()])
        public, _ = sign("")
        manifest = json.dumps({"pack": 1, "public_key": public, "files": self._hashes}, indent=1) + "\n"
        _, signature = sign(manifest)
        self.add(MANIFEST, [manifest.encode()])
        self.add(SIGNATURE, [f"{signature}\n".encode()])
        self._zip.close()
