"""What a user relies on in commands about runs: naming one, watching it, its logs, and what people do to it."""

from __future__ import annotations

from typing import Any

import pytest
from tests.integration.cli.command_line import Command
from tests.integration.cli.contract_server import COMMIT, RUN, Asked, ContractServer, asking_run, run_document

OTHER = "01jd0000000000000000000thr"


def event(number: int, text: str, kind: str = "step.ended") -> dict[str, Any]:
    at = f"2026-03-01T12:00:{number:02d}+00:00"
    return {"id": number, "at": at, "kind": kind, "text": text, "actor": "tidegate", "about": {}, "data": {}}


def events_from(contract: ContractServer, path: str, *events: dict[str, Any]) -> None:
    """Answer with the events after the one that was named."""

    def page(asked: Asked) -> tuple[int, Any]:
        after = int(asked.query.get("after", 0))
        return 200, [one for one in events if one["id"] > after]

    contract.answer("GET", path, page)


def test_runs_as_json_are_a_list_with_what_scripts_rely_on(tidegate: Command, contract: ContractServer) -> None:
    contract.answer("GET", "/runs", {"items": [run_document("failed")], "next": None})
    ended = tidegate("runs", "--service", "shop", "--limit", "3", "--json")
    [run] = ended.document
    assert {"id", "service", "release", "commit", "trigger", "status"} <= set(run)
    assert contract.asked[0].query == {"service": "shop", "limit": "3"}


def test_more_runs_than_a_page_are_read_page_by_page(tidegate: Command, contract: ContractServer) -> None:
    page = [run_document() for _ in range(200)]
    contract.answer("GET", "/runs", {"items": page, "next": OTHER}, {"items": page[:50], "next": OTHER})
    assert len(tidegate("runs", "--limit", "250", "--json").document) == 250
    assert [(one.query["limit"], one.query.get("before")) for one in contract.asked] == [("200", None), ("50", OTHER)]


def test_a_run_that_failed_ends_with_the_command_that_tries_again(tidegate: Command, contract: ContractServer) -> None:
    act = {"text": "to try again what did not pass", "command": f"tidegate retry {RUN}"}
    contract.answer("GET", f"/runs/{RUN}", run_document("failed", next=[act]))
    events_from(contract, f"/runs/{RUN}/events")
    assert f"next: tidegate retry {RUN}" in tidegate("watch", RUN).out


@pytest.mark.parametrize(
    "name", ["latest", RUN, RUN.upper(), RUN[:25], RUN.upper()[:25], COMMIT[:4], COMMIT.upper()[:9]]
)
def test_a_run_may_be_called_by_an_id_a_beginning_or_latest(
    tidegate: Command, contract: ContractServer, name: str
) -> None:
    other = run_document(id=OTHER, commit="ffff" + COMMIT[4:])
    contract.answer("GET", "/runs", {"items": [run_document(), other], "next": None})
    contract.answer("GET", f"/runs/{RUN}", run_document())
    contract.answer("POST", f"/runs/{RUN}/cancel", run_document())
    assert tidegate("cancel", name).code == 0


@pytest.mark.parametrize(
    ("name", "said"), [("01J", "too short"), ("0123456", "no run called"), ("01JD0000", "fits several runs")]
)
def test_a_name_that_fits_no_run_or_several_changes_nothing(
    tidegate: Command, contract: ContractServer, name: str, said: str
) -> None:
    contract.answer("GET", "/runs", {"items": [run_document(), run_document(id=OTHER, commit="ff" * 20)], "next": None})
    ended = tidegate("cancel", name)
    assert ended.code == 2
    assert said in ended.err
    assert not [one for one in contract.asked if one.method == "POST"]


def test_older_runs_are_found_page_by_page(tidegate: Command, contract: ContractServer) -> None:
    contract.answer(
        "GET",
        "/runs",
        {"items": [run_document(id=OTHER, commit="ff" * 20)], "next": OTHER},
        {"items": [run_document()], "next": None},
    )
    contract.answer("POST", f"/runs/{RUN}/retry", run_document())
    assert tidegate("retry", COMMIT[:8]).code == 0
    assert contract.asked[1].query["before"] == OTHER


def test_an_approval_carries_the_stage_and_the_comment(tidegate: Command, contract: ContractServer) -> None:
    contract.answer("GET", f"/runs/{RUN}", asking_run())
    contract.answer("POST", f"/runs/{RUN}/approve", {"stage": "production", "answer": "approved"})
    ended = tidegate("approve", RUN, "--stage", "production", "--comment", "looks good")
    assert contract.bodies("POST", f"/runs/{RUN}/approve") == [{"stage": "production", "comment": "looks good"}]
    assert "approved shop 1a2b3c4d for production" in ended.out
    assert f"next: tidegate watch {RUN}" in ended.out


def test_whose_yes_does_not_count_is_told_so(tidegate: Command, contract: ContractServer) -> None:
    said = {"stage": "production", "actor": {"kind": "person", "name": "ada"}, "does_not_count": "made the change"}
    contract.answer("GET", f"/runs/{RUN}", asking_run())
    contract.answer("POST", f"/runs/{RUN}/approve", said)
    assert "for production, which does not count: ada made the change" in tidegate("approve", RUN).out


def test_whoever_holds_a_run_is_told_what_ends_it(tidegate: Command, contract: ContractServer) -> None:
    contract.answer("GET", f"/runs/{RUN}", run_document())
    contract.answer("POST", f"/runs/{RUN}/hold", run_document())
    assert f"next: tidegate resume {RUN}" in tidegate("hold", RUN).out


@pytest.mark.parametrize(
    ("status", "code"),
    [("succeeded", 0), ("failed", 1), ("rolled_back", 1), ("rejected", 1), ("cancelled", 1), ("superseded", 1)],
)
def test_watching_ends_with_the_run_and_as_it_did(
    tidegate: Command, contract: ContractServer, status: str, code: int
) -> None:
    ended_at = "2026-03-01T12:03:02+00:00"
    because = [{"rule": "stages", "text": "every stage was looked at"}]
    contract.answer(
        "GET", f"/runs/{RUN}", run_document(), run_document(), run_document(status, ended_at=ended_at, because=because)
    )
    events_from(contract, f"/runs/{RUN}/events", event(1, "build: unit tests is ready"), event(2, "it ended"))
    ended = tidegate("watch", RUN)
    assert ended.code == code
    assert ended.out.splitlines() == [
        "12:00:01 build: unit tests is ready",
        "12:00:02 it ended",
        f"1a2b3c4d {status.replace('_', ' ')} after 3m 2s: every stage was looked at",
    ]


def test_watching_in_a_script_ends_where_a_person_is_waited_for(tidegate: Command, contract: ContractServer) -> None:
    contract.answer("GET", f"/runs/{RUN}", asking_run())
    events_from(contract, f"/runs/{RUN}/events")
    ended = tidegate("watch", RUN)
    assert ended.code == 3
    assert f"next: tidegate approve {RUN}" in ended.out
    assert tidegate("watch", RUN, "--json").document["status"] == "waiting"


def test_watching_goes_on_through_an_approval_where_that_is_wanted(tidegate: Command, contract: ContractServer) -> None:
    contract.answer("GET", f"/runs/{RUN}", asking_run(), asking_run(), asking_run(), run_document("succeeded"))
    events_from(contract, f"/runs/{RUN}/events")
    ended = tidegate("watch", RUN, "--wait")
    assert ended.code == 0
    assert ended.out.count(f"next: tidegate approve {RUN}") == 1


def test_a_run_that_waits_for_another_one_waits_for_nobody(tidegate: Command, contract: ContractServer) -> None:
    busy = run_document("waiting", next=[{"text": "production: run X is moving there", "command": None}])
    contract.answer("GET", f"/runs/{RUN}", busy, busy, run_document("succeeded"))
    events_from(contract, f"/runs/{RUN}/events")
    assert tidegate("watch", RUN).code == 0


def test_a_rollout_that_holds_waits_for_a_person(tidegate: Command, contract: ContractServer) -> None:
    act = {"text": "production holds: no figures. To go on", "command": f"tidegate promote {RUN}"}
    contract.answer("GET", f"/runs/{RUN}", run_document(next=[act]))
    events_from(contract, f"/runs/{RUN}/events")
    ended = tidegate("watch", RUN)
    assert ended.code == 3
    assert f"next: tidegate promote {RUN}  # production holds: no figures. To go on" in ended.out


def test_watching_bears_with_a_server_that_is_started_again(tidegate: Command, contract: ContractServer) -> None:
    starting = (503, {"title": "Service Unavailable", "status": 503, "detail": "the server is starting"})
    contract.answer("GET", f"/runs/{RUN}", run_document(), starting, run_document("succeeded"))
    events_from(contract, f"/runs/{RUN}/events")
    assert tidegate("watch", RUN).code == 0


def test_a_terminal_shows_steps_shares_and_what_ends_the_waiting(tidegate: Command, contract: ContractServer) -> None:
    step = {"id": "S1", "scope": "build", "name": "unit tests", "state": "succeeded", "attempt": 2, "seconds": 4.5}
    stage = {"name": "production", "state": "working", "began_at": "2026-03-01T12:00:00+00:00", "rollout": "R1"}
    rollout = {
        "id": "R1",
        "state": "judging",
        "step": 1,
        "share": 0.25,
        "judgement": {"verdict": "undecided", "reason": "12 requests so far"},
    }
    moving = run_document(steps=[step], stages=[stage], rollouts=[rollout])
    contract.answer("GET", f"/runs/{RUN}", moving, moving, asking_run(), run_document("succeeded"))
    events_from(contract, f"/runs/{RUN}/events", event(1, "it began"))
    drawn = tidegate.on_terminal("watch", RUN)
    assert drawn.code == 0
    for text in ("it began", "unit tests (attempt 2)", "25% judging", "12 requests so far", f"tidegate approve {RUN}"):
        assert text in drawn.out


def step_document(name: str, state: str = "succeeded") -> dict[str, Any]:
    return {"id": f"STEP-{name[:4].strip()}", "scope": "build", "name": name, "state": state, "attempt": 1}


def line(text: str) -> dict[str, str]:
    return {"at": "2026-03-01T12:00:00+00:00", "text": text}


def test_logs_of_all_steps_say_whose_each_line_is(tidegate: Command, contract: ContractServer) -> None:
    contract.answer("GET", f"/runs/{RUN}", run_document(steps=[step_document("unit tests"), step_document("package")]))
    contract.answer("GET", "/steps/STEP-unit/log", {"lines": [line("3 passed")], "next": 1, "ended": True})
    contract.answer("GET", "/steps/STEP-pack/log", {"lines": [line("built")], "next": 1, "ended": True})
    assert tidegate("logs", RUN).out == "build: unit tests | 3 passed\nbuild: package | built\n"
    assert tidegate("logs", RUN, "package").out == "built\n"
    documents = tidegate("logs", RUN, "--json").document
    assert [(one["step"], one["lines"][0]["text"]) for one in documents] == [
        ("unit tests", "3 passed"),
        ("package", "built"),
    ]


def test_following_a_log_shows_each_line_once_until_the_step_has_ended(
    tidegate: Command, contract: ContractServer
) -> None:
    running = run_document(steps=[step_document("unit tests", "running")])
    contract.answer("GET", f"/runs/{RUN}", running, running, run_document(steps=[step_document("unit tests")]))
    pages = [
        {"lines": [line("one")], "next": 1, "ended": False},
        {"lines": [], "next": 1, "ended": False},
        {"lines": [line("two")], "next": 2, "ended": False},
        {"lines": [line("three")], "next": 3, "ended": True},
    ]
    contract.answer("GET", "/steps/STEP-unit/log", *pages)
    ended = tidegate("logs", RUN, "unit tests", "--follow")
    assert (ended.code, ended.out) == (0, "one\ntwo\nthree\n")
    firsts = [one.query["first"] for one in contract.asked if one.path.endswith("/log")]
    assert firsts[:4] == ["0", "1", "1", "2"]


def test_a_step_that_is_not_there_is_answered_with_those_that_are(tidegate: Command, contract: ContractServer) -> None:
    contract.answer("GET", f"/runs/{RUN}", run_document(steps=[step_document("unit tests")]))
    ended = tidegate("logs", RUN, "unit test")
    assert ended.code == 2
    assert "it has 'unit tests'" in ended.err


def test_a_log_keeps_its_colours_on_a_terminal_and_nothing_else(tidegate: Command, contract: ContractServer) -> None:
    contract.answer("GET", f"/runs/{RUN}", run_document(steps=[step_document("unit tests")]))
    text = "\x1b[32mgreen\x1b[0m \x1b[2J\x1b]0;title\x07end"
    contract.answer("GET", "/steps/STEP-unit/log", {"lines": [line(text)], "next": 1, "ended": True})
    assert "\x1b[32mgreen\x1b[0m end" in tidegate.on_terminal("logs", RUN, "unit tests").out
    assert "green end" in tidegate.on_terminal("logs", RUN, "unit tests", env={"NO_COLOR": "1"}).out


def test_figures_are_those_of_the_last_stage_that_rolled_out_or_of_the_named_one(
    tidegate: Command, contract: ContractServer
) -> None:
    rollouts = [{"id": "01r1", "stage": "staging"}, {"id": "01r2", "stage": "production"}]
    contract.answer("GET", f"/runs/{RUN}", run_document(rollouts=rollouts))
    for rollout in ("01r1", "01r2"):
        contract.answer("GET", f"/rollouts/{rollout}/recording", {"method": "sequential", "metrics": [rollout]})
    assert tidegate("figures", RUN).document["metrics"] == ["01r2"]
    assert tidegate("figures", RUN, "--stage", "staging", "--json").document["metrics"] == ["01r1"]
    refused = tidegate("figures", RUN, "--stage", "dev")
    assert (refused.code, refused.out) == (2, "")
    assert "this run rolled nothing out in the stage dev" in refused.err


def test_past_events_are_read_to_their_end(tidegate: Command, contract: ContractServer) -> None:
    events_from(contract, "/events", event(1, "one"), event(2, "two"))
    ended = tidegate("events")
    assert [text.split()[-1] for text in ended.out.splitlines()] == ["one", "two"]
    assert [one["id"] for one in tidegate("events", "--json").document] == [1, 2]
    assert [one["id"] for one in tidegate("events", "--limit", "1", "--json").document] == [1]


def test_followed_events_go_on_after_a_lost_stream_where_they_were(tidegate: Command, contract: ContractServer) -> None:
    import json

    def message(number: int, text: str) -> bytes:
        return f"id: {number}\nevent: x\ndata: {json.dumps(event(number, text))}\n\n".encode()

    gone = (403, {"title": "No", "status": 403, "detail": "the token has expired"})
    contract.answer("GET", "/events", b": alive\n\n" + message(7, "seven"), message(8, "eight"), gone)
    ended = tidegate("events", "--follow", "--json")
    assert [json.loads(text)["id"] for text in ended.out.splitlines()[:2]] == [7, 8]
    assert [one.headers.get("Last-Event-ID") for one in contract.asked] == [None, "7", "8"]
    assert ended.code == 3
