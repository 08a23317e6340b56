"""What the reference of the commands says beside their help: how they end, and what `--json` prints."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Example:
    """A command's arguments, and a JSON document that it prints; objects may hold more fields than are shown."""

    arguments: str
    prints: str


HEAD = """\
# Commands

<!-- Made by `python -m tidegate.cli.reference > docs/reference/commands.md`; change the commands, not this page. -->

**Which server.** Commands talk to a server over its [HTTP API](api.md). They find it in this order: the data folder
that `--data DIR` names; the address in `TIDEGATE_SERVER`, with the token in `TIDEGATE_TOKEN`; the data folder in
`TIDEGATE_DATA`; the platform's data folder (`/var/lib/tidegate` for root). In a data folder on the same machine they
find the address and the administrator's token by themselves; where `TIDEGATE_TOKEN` is set and `TIDEGATE_SERVER` is
not, they act as the account that it is for. `demo`, `server`, `agent`, `down`, `build`, `doctor`, `init`, `validate`,
`judge`, `import`, `schema` and `policy test` ask no server.

**Exit codes.** Scripts can rely on them:

| code | meaning |
| --- | --- |
| 0 | done |
| 1 | the thing that was asked about failed |
| 2 | wrong usage: the command, or something that it names, is wrong |
| 3 | refused (permission, a gate, a freeze), or a person is waited for |
| 4 | no server answers |
| 130 | Ctrl-C |

**JSON.** With `--json` standard output holds exactly one JSON document; all other words go to standard error. Fields
are added without notice; those that are shown here change or go only with a note in the changelog. A command that
fails prints

```json
{"error": {"message": "there is no run called 'nosuch'", "remedy": "tidegate runs", "exit_code": 2}}
```

**Options that most commands have.** `--json`; `--data DIR`; `-h`, `--help`.

**Colours.** None in a pipe, nor with `NO_COLOR` set; but `logs` gives a pipe what a step wrote, exactly as it wrote it.
`tidegate --install-completion` installs completion for your shell. `TIDEGATE_DEBUG=1` shows the
traceback of an error in Tidegate itself.
"""

ENDS_WITH = {
    "demo": "0 only when the story ended as told, else 1.",
    "init": "3 where there is a `tidegate.yaml` already and `--force` is not given.",
    "validate": "1 where something is wrong with the file, 2 where there is none.",
    "judge": "1 where the file holds one recording and that fails, 2 where something is wrong in the file.",
    "logs": "0 whatever became of the steps.",
    "approve": "1 where the run has ended or does not ask, 2 where there is no such run.",
    "reject": "1 where the run has ended or does not ask, 2 where there is no such run.",
    "deploy": "2 where the release, or its pipeline's stage for the environment, does not exist.",
    "rollback": "3 where there is nothing to return to (it then names the command that stops the service), and at a "
    "placement's floor, where the traffic stays.",
    "rehearse": "1 where a fault was not found or did not end on a known release, or it cannot be played.",
    "server": "1 where it cannot start: the port or the data folder is in use, there is no Envoy, the file is wrong.",
    "down": "1 where something could not be stopped; it names the processes.",
    "doctor": "1 where something stands in a server's way; warnings alone are 0.",
    "agent": "1 where another agent uses its folder, 2 where it has no token, and 0 when it is told to stop.",
    "thaw": "3 where the server's configuration freezes it, 2 where nothing does.",
    "policy test": "1 where a case says something else than it should, or something is wrong in the file.",
    "policy show": "1 where the run has no release yet, 2 where there is no such run or stage.",
    "tests quarantine": "2 where there is no such service, or the end is past or more than 90 days ahead.",
    "tests release": "2 where the test is not in quarantine.",
    "audit verify": "1 where the record was changed, or a checkpoint's signature does not fit.",
    "audit export": "1 where the record was changed, 2 where nothing is recorded in that time.",
    "release record": "1 where the record was changed.",
    "import kayenta": "1 where no metric could be translated, 2 where the file holds no canary configuration.",
    "import analysis-template": "1 where no metric could be translated, 2 where the file holds no template.",
}

EXAMPLES: dict[str, tuple[Example, ...]] = {
    "demo": (
        Example(
            "demo --once --json",
            """
{"releases": [{"name": "first", "commit": "bb79609c36a7b6716d2dac2335bfeb0196f05df6",
               "run": "01m85ys8d7wgvvshgzm7t9k4hj", "status": "succeeded", "faulty": false,
               "gates": ["production: approved by demo user"], "why": "every stage passed"}],
 "rolled_back": ["2ca01575bc8faf08733e8f1fbffc48c3c1f580b4"], "requests": 6509, "failed_requests": 7,
 "failed_requests_outside_canary": 0, "rollback_seconds": 0.0, "duration_seconds": 184.24, "as_told": true}
""",
        ),
    ),
    "validate": (
        Example(
            "validate --json",
            """
{"file": "tidegate.yaml", "ok": false,
 "problems": [{"file": "tidegate.yaml", "line": 2, "column": 1, "message": "unknown key \\"biuld\\"",
               "hint": "did you mean \\"build\\"?"}]}
""",
        ),
    ),
    "policy test": (
        Example(
            "policy test cases.yaml --json",
            """
{"file": "cases.yaml", "ok": true, "problems": [],
 "cases": [{"name": "a failed test keeps it out", "line": 3, "ok": true, "expected": "false", "said": "false",
            "policies": [{"name": "policy", "answer": "false", "inputs": {"release.tests.failed": 1},
                          "text": "the policy does not hold: release.tests.failed is 1"}]}]}
""",
        ),
    ),
    "policy show": (
        Example(
            "policy show RUN --json",
            """
{"run": "01m85yjt92cx5acde4hp18zbg4", "service": "shop", "release": "01m85yk09ez1dfb8y2483fdb63",
 "commit": "11643c99ef452c9f09c1fe814f62db90f4d0bb65", "stage": "production", "environment": "production",
 "at": "2026-11-24T04:58:00Z", "evidence": {"release": {"tests": {"total": 12, "failed": 0, "skipped": 0}}},
 "missing": [{"place": "release.scan", "because": "no scan was reported"}],
 "policies": [{"name": "policy", "source": "tidegate.yaml", "expression": "release.scan.critical == 0",
               "answer": "missing", "text": "the policy waits: no scan was reported (release.scan)", "inputs": {},
               "missing": "release.scan"}],
 "policy_alone": "policy would wait: the policy waits: no scan was reported (release.scan)"}
""",
        ),
    ),
    "status": (
        Example(
            "status --json",
            """
[{"service": "shop", "mode": "delivery", "trouble": null, "paused_because": null, "line_stopped_because": null,
  "environments": {"production": {
    "release": "01m85xdhdrk6ep0ex9f633hq45", "commit": "edb6efb879c0167b0073f7e6c063524e67291a79",
    "health": "healthy", "shares": {"edb6efb8": 1.0}, "address": "http://127.0.0.1:18003",
    "stuck_because": null, "rollout": null}}}]
""",
        ),
    ),
    "runs": (
        Example(
            "runs --json",
            """
[{"id": "01m85yjt92cx5acde4hp18zbg4", "service": "shop", "release": "01m85yk09ez1dfb8y2483fdb63",
  "commit": "11643c99ef452c9f09c1fe814f62db90f4d0bb65", "trigger": "push", "status": "waiting",
  "subject": "Add discounts", "author": "Ada", "created_at": "2026-11-24T04:56:15.906034Z", "ended_at": null,
  "because": [{"rule": "approvals", "text": "0 of 1 approvals; mode: delivery, so a person opens the gate",
               "remedy": "tidegate approve 01m85yjt92cx5acde4hp18zbg4"}]}]
""",
        ),
    ),
    "watch": (
        Example(
            "watch RUN --json",
            """
{"id": "01m85yjt92cx5acde4hp18zbg4", "status": "succeeded", "stages": [], "steps": [], "rollouts": [], "approvals": [],
 "next": []}
""",
        ),
    ),
    "logs": (
        Example(
            "logs RUN --json",
            """
[{"step_run": "01m85yjtcgzsfkfnsfavdajj1y", "scope": "build", "step": "unit tests", "attempt": 1, "state": "succeeded",
  "lines": [{"at": "2026-11-24T04:56:22.010000Z", "text": "Ran 1 test in 0.000s"}]}]
""",
        ),
    ),
    "events": (
        Example(
            "events --json",
            """
[{"id": 2, "at": "2026-11-24T04:56:15.905363Z", "kind": "service.added", "text": "shop from /home/ada/shop",
  "actor": {"kind": "person", "name": "ada"}, "about": {"service": "shop"}, "data": {}}]
""",
        ),
    ),
    "queue": (
        Example(
            "queue --json",
            """
{"agents": [{"name": "mac-1", "state": "busy", "labels": ["arm64", "darwin", "xcode"], "slots": 1, "version": "0.1.0",
             "platform": "darwin/arm64", "seen_at": "2026-11-24T04:56:22.010000Z", "drained_by": null,
             "own_token": true,
             "performs": [{"id": "01m85yjtcgzsfkfnsfavdajj1y", "run": "01m85yjt92cx5acde4hp18zbg4", "service": "shop",
                           "commit": "11643c99ef452c9f09c1fe814f62db90f4d0bb65", "scope": "build", "name": "app",
                           "began_at": "2026-11-24T04:56:16.010000Z"}]}],
 "waiting": [{"id": "01m85yk09ez1dfb8y2483fdb63", "run": "01m85yk04ez1dfb8y2483fdb63", "service": "site",
              "commit": "f513a7af13578b2bcdc9f746d845f8804676c025", "scope": "build", "name": "app",
              "ready_at": "2026-11-24T04:56:20.010000Z", "labels": ["xcode"],
              "why": "the only slot is taken, of mac-1"}],
 "total": 1}
""",
        ),
    ),
    "tests flaky": (
        Example(
            "tests flaky --json",
            """
[{"service": "shop", "scope": "build", "step": "unit tests", "test": "tests/test_cart.py::test_total", "flaky": true,
  "failed": 3, "total": 9, "first_failed_at": "2026-11-20T09:12:44.010000Z",
  "last_failed_at": "2026-11-24T16:03:10.010000Z", "last_run": "01m85yjt92cx5acde4hp18zbg4",
  "quarantine": {"service": "shop", "test": "tests/test_cart.py::test_total", "owner": "Ada",
                 "until": "2026-12-08T09:00:00Z", "reason": "slow disk", "by": {"kind": "person", "name": "ada"},
                 "at": "2026-11-24T16:10:00.010000Z", "holds": true}}]
""",
        ),
    ),
    "agents token": (
        Example(
            "agents token mac-1 --json", '{"agent": "mac-1", "token": "Dq3XnR5sYb1cJvZk0tLwPf7uHgE2mAiO9xCdVlBeSrM"}'
        ),
    ),
    "rollback": (
        Example(
            "rollback shop --env production --json",
            '{"from": "f513a7af", "to": "11643c99", "seconds": 0.106821, "last_response_seconds": 0.37}',
        ),
    ),
    "deploy": (
        Example(
            "deploy shop --release R --env E --dry-run --json",
            """
{"plan": {"release": "01m85yn998n8n4ft0xnqxfg8pe", "commit": "f513a7af13578b2bcdc9f746d845f8804676c025",
          "serving": "11643c99ef452c9f09c1fe814f62db90f4d0bb65", "strategy": "canary",
          "steps": [{"share": 0.25, "new_instances": 1, "old_instances": 1, "judged": true, "at_least": 0.0,
                     "approvals": 0}]}}
""",
        ),
    ),
    "service add": (
        Example(
            "service add . --json",
            """
{"service": {"name": "shop", "repository": "/home/ada/shop"},
 "run": {"id": "01m85yjt92cx5acde4hp18zbg4"}}
""",
        ),
    ),
    "user list": (
        Example(
            "user list --json",
            """
[{"name": "ada", "kind": "person", "full_name": "Ada Lovelace", "added_at": "2026-11-25T09:12:44.010000Z",
  "disabled_because": null, "teams": ["payments"], "grants": [],
  "held": [{"role": "approver", "service": "shop", "environment": "production"},
           {"role": "viewer", "service": null, "environment": null}]}]
""",
        ),
    ),
    "token create": (
        Example(
            "token create laptop --json",
            """
{"token": {"id": "01m8agnmpr12fm6fsr45pe4q2g", "account": "ada", "name": "laptop", "role": null,
           "expires_at": "2027-02-23T09:12:44.010000Z"},
 "text": "Dq3XnR5sYb1cJvZk0tLwPf7uHgE2mAiO9xCdVlBeSrM"}
""",
        ),
    ),
    "audit verify": (
        Example(
            "audit verify --json", '{"ok": true, "events": 53, "first_bad": null, "because": null, "checkpoints": 2}'
        ),
    ),
    "audit key": (
        Example(
            "audit key --json",
            """
[{"id": "1f0c2a9b7d3e4456", "public_key": "5c09d8c0a7f3b1e2946d7785aa10cc3e5f60718293a4b5c6d7e8f9010b2c3d4e",
  "made_at": "2026-03-01T09:12:44.010000Z", "follows": null}]
""",
        ),
    ),
    "audit export": (Example("audit export --service shop --json", '{"file": "evidence-shop.zip", "bytes": 113488}'),),
    "down": (Example("down --json", '{"data": "/data", "ended": [{"pid": 6113, "what": "agent", "forced": false}]}'),),
    "doctor": (
        Example(
            "doctor --json",
            '[{"about": "git", "level": "ok", "text": "git version 2.39.5", "remedy": null}]',
        ),
    ),
}
