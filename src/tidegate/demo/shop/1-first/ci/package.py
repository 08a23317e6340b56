"""Makes one file of the shop that `python3 dist/shop.pyz` runs.

The same sources give the same bytes, and so the same digest: names in order, and one time for all.
"""

import os
import pathlib
import time
import zipfile

MAIN = "from shop.__main__ import main\n\nmain()\n"

moment = time.gmtime(int(os.environ["SOURCE_DATE_EPOCH"]))[:6]
files = {path.as_posix(): path.read_text() for path in sorted(pathlib.Path("shop").rglob("*.py"))}
target = pathlib.Path("dist/shop.pyz")
target.parent.mkdir(exist_ok=True)
with zipfile.ZipFile(target, "w") as archive:
    for name, text in {**files, "__main__.py": MAIN}.items():
        archive.writestr(zipfile.ZipInfo(name, moment), text)
