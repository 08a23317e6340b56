"""Makes one file of a Python package that `python3 FILE` runs: python3 ci/package.py PACKAGE FILE.

The same sources always give the same bytes: names in order, one time for all, no compression that differs by version.
"""

import os
import sys
import time
from pathlib import Path
from zipfile import ZipFile, ZipInfo

_MAIN = "from {package}.server import main\n\nmain()\n"


def make(package: Path, target: Path) -> None:
    """Write the package to `target`."""
    moment = time.gmtime(int(os.environ["SOURCE_DATE_EPOCH"]))[:6]
    contents = {path.as_posix(): path.read_bytes() for path in sorted(package.rglob("*.py"))}
    contents["__main__.py"] = _MAIN.format(package=package.name).encode()
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as file:
        file.write(b"#!/usr/bin/env python3\n")
        with ZipFile(file, "w") as archive:
            for name, data in contents.items():
                entry = ZipInfo(name, moment)
                entry.external_attr = 0o644 << 16
                archive.writestr(entry, data)


if __name__ == "__main__":
    make(Path(sys.argv[1]), Path(sys.argv[2]))
