"""`tidegate down` leaves nothing, whatever runs at that moment."""

from __future__ import annotations

import psutil

from .harness import Version, a_world, wait_for

NAPS = ("86313", "86314", "86315")
"""Sleeps of so many seconds are those of this test."""


def _naps() -> list[str]:
    found = []
    for process in psutil.process_iter():
        try:
            command = process.cmdline()
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
        if command[:1] == ["sleep"] and command[1] in NAPS:
            found.append(command[1])
    return sorted(found)


def test_after_down_no_process_is_left_not_even_of_a_step_that_ran_or_what_it_had_left_behind() -> None:
    with a_world() as world:
        assert world.release(Version("first", {})) == "succeeded", world.log()
        world.commit(Version("second", {}, test="setsid sleep 86313 & sleep 86314 & exec sleep 86315"))
        wait_for(lambda: _naps() == list(NAPS), "a running step with two left-over children")
        done = world.down()
        assert done.returncode == 0, done.stderr
        assert "nothing of" in done.stdout
        assert _naps() == []
        assert world.processes() == []
        assert world.run("down").returncode == 0
