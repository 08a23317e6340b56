"""How long a server takes from its start to serving, and what it costs when nothing happens. Prints, asserts nothing.

.venv/bin/python tests/bench/start_and_idle.py [SECONDS]
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import psutil
from tests.acceptance.harness import World, a_world

SETTLE_SECONDS = 5.0
MEBIBYTE = 1024 * 1024


def _processes(world: World) -> list[psutil.Process]:
    return [one for one in world.processes() if one.is_running()]


def _cpu_seconds(process: psutil.Process) -> float:
    return sum(process.cpu_times()[:2])


def main() -> None:
    """Start a new data folder and an existing one; then watch the idle processes."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 20.0
    began = time.monotonic()
    with a_world() as world:
        print(f"start to ready, new data folder: {time.monotonic() - began:.2f} s")
        world.down()
        began = time.monotonic()
        world.start()
        print(f"start to ready, existing data folder: {time.monotonic() - began:.2f} s")
        time.sleep(SETTLE_SECONDS)
        processes = _processes(world)
        before = [_cpu_seconds(one) for one in processes]
        time.sleep(seconds)
        shares = [(_cpu_seconds(one) - then) / seconds for one, then in zip(processes, before, strict=True)]
        share = sum(shares)
        for one, used in zip(processes, shares, strict=True):
            memory = one.memory_full_info()
            print(f"  {memory.pss / MEBIBYTE:7.1f} MiB  {used:6.2%}  {' '.join(one.cmdline())[:90]}")
        total = sum(one.memory_full_info().pss for one in processes) / MEBIBYTE
        print(f"idle: {total:.0f} MiB in all (proportional set size), {share:.2%} of a core")


if __name__ == "__main__":
    main()
