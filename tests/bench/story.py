"""Plays the demo's story again and again and prints what each time came to. Asserts nothing.

.venv/bin/python tests/bench/story.py [TIMES]
"""

from __future__ import annotations

import json
import subprocess
import sys


def main() -> None:
    """One line a story, and how many ended as told."""
    times = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    told = 0
    for number in range(1, times + 1):
        command = [sys.executable, "-m", "tidegate.cli.main", "demo", "--once", "--json"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=900)
        try:
            report = json.loads(done.stdout)
        except ValueError:
            print(f"{number:3} exit {done.returncode}: {done.stderr.strip()[-500:]}")
            continue
        told += done.returncode == 0
        print(
            f"{number:3} exit {done.returncode}  {report['duration_seconds']:6.1f} s  {report['requests']} requests, "
            f"{report['failed_requests_outside_canary']} failed outside of a canary, "
            f"last request to a bad deployment after {report['rollback_seconds']:.3f} s, "
            f"{', '.join(one['status'] for one in report['releases'])}",
            flush=True,
        )
    print(f"{told} of {times} ended as told")


if __name__ == "__main__":
    main()
