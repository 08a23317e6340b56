"""How programs ended, from supervisord's log."""

from __future__ import annotations

from tidegate.supervision.endings import parse_endings

LOG = """\
2026-03-01 10:00:00,120 INFO spawned: 'svc-a-0' with pid 8575
2026-03-01 10:00:01,250 WARN exited: svc-a-0 (exit status 3; not expected)
2026-03-01 10:00:02,000 WARN exited: svc-b-0 (terminated by SIGKILL; not expected)
2026-03-01 10:00:03,500 INFO exited: svc-a-0 (exit status 0; expected)
2026-03-01 10:00:04,000 WARN stopped: svc-c-0 (terminated by SIGTERM)
half a line of a program that is called exited: no
"""


def test_the_last_ending_of_each_program_counts() -> None:
    endings = parse_endings(LOG)
    assert {name: str(one) for name, one in endings.items()} == {
        "svc-a-0": "ended with exit status 0",
        "svc-b-0": "ended by SIGKILL",
        "svc-c-0": "ended by SIGTERM",
    }
    assert endings["svc-a-0"].exit_code == 0
    assert endings["svc-b-0"].exit_code is None


def test_endings_are_in_order_of_their_times() -> None:
    endings = parse_endings(LOG)
    assert endings["svc-a-0"].at - endings["svc-b-0"].at == 1.5
