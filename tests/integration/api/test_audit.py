"""The record as an auditor gets it: whole or not, signed, and in packs that verify without the server."""

from __future__ import annotations

import io
import json
import stat
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from tidegate.evidence import verify
from tidegate.evidence.pack import Pack
from tidegate.evidence.story import is_approval
from tidegate.model.approval import Answer
from tidegate.model.event import Event, EventKind
from tidegate.model.verdict import Verdict
from tidegate.store import events

from .test_people import account
from .world import SECOND, World, a_world

HOSTILE = "<script>alert(1)</script> {{ 7*7 }} \"'><img src=x onerror=alert(2)>"
COMMAND = {"user-agent": "tidegate"}
SCRIPT = Path(str(verify.__file__))


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A shop with one release in production, and one with a hostile subject that was taken back."""
    with a_world(tmp_path_factory.mktemp("audit")) as world:
        world.shop_in_production()
        with world.database.writing() as connection:
            events.append(
                connection, [Event(EventKind.SERVICE_PAUSED, "sekret", {"service": "cart"})], world.clock.now()
            )
        run = world.push(HOSTILE)
        world.build()
        world.waits(run)
        world.judge.verdict = Verdict.FAIL
        world.post(f"/runs/{run}/approve", {"comment": "looks <b>fine</b>"}, token=SECOND)
        assert world.ends(run)["status"] == "rolled_back"
        world.judge.verdict = Verdict.PASS
        break_glass(world, world.push("Mend the discounts"))
        world.post("/services/shop/pause", {"reason": "enough"})
        yield world


def break_glass(world: World, run: str) -> None:
    """An operator opens the gate to production at once, and all goes well."""
    world.build()
    world.waits(run)
    grace = account(world, "grace", {"role": "operator"})
    with world.client(grace) as client:
        done = client.post(f"/api/v1/runs/{run}/break-glass", json={"reason": "shop is <i>down</i>"}, headers=COMMAND)
    assert done.status_code == 201, done.text
    assert world.ends(run)["status"] == "succeeded"


def pack_of(world: World, path: str, **query: str) -> bytes:
    """A pack as the API sends it."""
    with world.client() as client:
        answer = client.get(f"/api/v1{path}", params=query)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/zip"
    return answer.content


@pytest.fixture(scope="module")
def pack(told: World) -> bytes:
    """The shop's evidence."""
    return pack_of(told, "/audit/export", service="shop")


def files_of(packed: bytes) -> dict[str, bytes]:
    """The files of a pack."""
    with zipfile.ZipFile(io.BytesIO(packed)) as found:
        return {name: found.read(name) for name in found.namelist()}


def key_of(world: World) -> str:
    """The key that the server's people give an auditor."""
    return str(world.get("/audit/keys")[-1]["public_key"])


def verified(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """What the script says, run as an auditor runs it: without Tidegate."""
    command = [sys.executable, "-I", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def refuses(packed: bytes, folder: Path, *key: str) -> str:
    """Why the script does not verify it; empty where it does."""
    file = folder / "pack.zip"
    file.write_bytes(packed)
    try:
        verify.main([str(file), *key])
    except SystemExit as ended:
        return str(ended)
    return ""


def test_a_pack_verifies_as_a_zip_and_as_a_folder(told: World, pack: bytes, tmp_path: Path) -> None:
    file, folder = tmp_path / "evidence.zip", tmp_path / "unpacked"
    file.write_bytes(pack)
    with zipfile.ZipFile(file) as found:
        found.extractall(folder)
    whole = verified(SCRIPT, file, key_of(told))
    assert whole.returncode == 0, whole.stderr
    assert key_of(told) in whole.stdout
    alone = verified(folder / "verify.py")
    assert alone.returncode == 0, alone.stderr
    assert "tidegate audit key" in alone.stdout


def test_a_changed_pack_does_not_verify(pack: bytes, tmp_path: Path) -> None:
    changed = bytearray(pack)
    changed[len(changed) // 2] ^= 1
    (tmp_path / "evidence.zip").write_bytes(changed)
    ended = verified(SCRIPT, tmp_path / "evidence.zip")
    assert ended.returncode == 1
    assert ended.stderr.startswith("NOT VERIFIED: ")
    assert "Traceback" not in ended.stderr


@settings(max_examples=100, deadline=None)
@given(place=st.floats(0, 1, exclude_max=True), flipped=st.integers(1, 255))
def test_no_byte_of_a_pack_can_be_changed(
    pack: bytes, tmp_path_factory: pytest.TempPathFactory, place: float, flipped: int
) -> None:
    changed = bytearray(pack)
    changed[int(place * len(changed))] ^= flipped
    assert refuses(bytes(changed), tmp_path_factory.getbasetemp())


@pytest.mark.parametrize("cut", [1, 100])
def test_a_pack_that_was_cut_or_grew_does_not_verify(pack: bytes, tmp_path: Path, cut: int) -> None:
    assert refuses(pack[:-cut], tmp_path)
    assert refuses(pack + b"\0" * cut, tmp_path)


def test_a_pack_signed_by_somebody_else_does_not_verify_with_the_servers_key(
    told: World, pack: bytes, tmp_path: Path
) -> None:
    assert "does not vouch" in refuses(pack, tmp_path, "00" * 32)
    assert refuses(pack, tmp_path, key_of(told)) == ""


def lines_of(record: dict[str, Any], whose: str | None) -> list[dict[str, Any]]:
    """The lines of a service that are shown, or of the others."""
    return [one for one in record["lines"] if one.get("service") == whose]


def as_foreign(line: dict[str, Any]) -> dict[str, Any]:
    """A line of the service, without its content."""
    shown = ("id", "form", "at", "previous_hash", "hash")
    names = ("kind", "text", "actor_kind", "actor", "access", "run", "about", "data")
    content = verify.hash_of(*(line[name] for name in names))
    mark = verify.hash_of("service", line["service"])
    return {**{name: line[name] for name in shown}, "service_hash": mark, "content_hash": content}


def _replaced(record: dict[str, Any], new: Callable[[dict[str, Any]], list[dict[str, Any]]]) -> None:
    chosen = lines_of(record, "shop")[3]
    record["lines"] = [other for one in record["lines"] for other in (new(one) if one is chosen else [one])]


FORGERIES: dict[str, Callable[[dict[str, Any]], object]] = {
    "a line is missing": lambda record: _replaced(record, lambda one: []),
    "was left out": lambda record: _replaced(record, lambda one: [as_foreign(one)]),
    "was changed": lambda record: _replaced(record, lambda one: [{**one, "text": "nothing happened"}]),
    "is of another service": lambda record: _replaced(record, lambda one: [{**one, "service": "cart"}]),
    "the lines end at": lambda record: record["lines"].pop(),
    "no checkpoint proves": lambda record: record["after"].update(id=5),
    "there is no checkpoint": lambda record: record["checkpoints"].clear(),
    "checkpoint 1": lambda record: record["checkpoints"][0].update(at="2026-01-01T00:00:00.000000Z"),
}


@pytest.mark.parametrize("why", FORGERIES)
def test_who_has_the_key_cannot_leave_out_a_line_of_the_service(
    told: World, pack: bytes, tmp_path: Path, why: str
) -> None:
    files = files_of(pack)
    record = json.loads(files["record.json"])
    FORGERIES[why](record)
    forged = io.BytesIO()
    made = Pack(forged)
    for name in ("index.html", "releases.json"):
        made.add(name, [files[name]])
    made.add("record.json", [json.dumps(record).encode()])
    made.seal(told.record.sign_text)
    assert why in refuses(forged.getvalue(), tmp_path)


def test_lines_of_others_prove_their_place_without_their_content(pack: bytes) -> None:
    record = json.loads(files_of(pack)["record.json"])
    assert len(lines_of(record, "shop")) > 20
    assert [one["id"] for one in record["lines"]] == list(range(1, len(record["lines"]) + 1))
    assert b"sekret" not in pack
    assert b"cart" not in pack


def test_the_same_evidence_is_the_same_pack(told: World) -> None:
    first, second = (pack_of(told, "/audit/export", service="shop") for _ in range(2))
    assert first == second


def test_the_page_tells_all_and_runs_nothing(pack: bytes) -> None:
    page = files_of(pack)["index.html"].decode()
    assert "<script" not in page
    assert "<img" not in page
    assert "49" not in page.split("&lt;script&gt;")[1][:60]
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "http://" not in page
    assert "https://" not in page
    for told_of in (
        *("Ada &lt;b&gt;", "12 tests, 0 failed, 0 skipped", "91.5% of lines", "none was reported", "0.4 %", "enough"),
        *("second", "looks &lt;b&gt;fine&lt;/b&gt;", "client at 127.0.0.1", "is quarantined", "rolled back"),
        *("errors: 25% of 40 requests", "of shop/production goes to"),
    ):
        assert told_of in page, told_of


def test_a_release_has_a_record_of_its_own(told: World, tmp_path: Path) -> None:
    mended, newest, first = told.get("/releases", service="shop")
    packed = pack_of(told, f"/services/shop/releases/{newest['id']}/record")
    assert refuses(packed, tmp_path, key_of(told)) == ""
    files = files_of(packed)
    (story,) = json.loads(files["release.json"])
    assert story["commit"] == newest["commit"]
    assert [one["who"] for one in story["approvals"]] == ["second"]
    assert any("for cause: yes" in one["details"] for one in story["rollbacks"])
    assert first["commit"] not in files["index.html"].decode()
    assert mended["commit"] not in files["index.html"].decode()
    for one in [*story["gates"], *story["approvals"], *story["rollbacks"]]:
        assert any(line["id"] == one["line"] for line in json.loads(files["record.json"])["lines"])


def test_broken_glass_is_told_with_its_reason_and_its_review(told: World) -> None:
    release = told.get("/releases", service="shop")[0]["id"]
    files = files_of(pack_of(told, f"/services/shop/releases/{release}/record"))
    page = files["index.html"].decode()
    (story,) = json.loads(files["release.json"])
    (glass,) = story["break_glass"]
    assert (glass["who"], glass["reason"], glass["review"]) == ("grace", "shop is <i>down</i>", "still owed")
    assert glass["access"].startswith("command at 127.0.0.1, token 01")
    assert any(one["line"] == glass["line"] and one["kind"] == "glass.broken" for one in story["lines"])
    assert "shop is &lt;i&gt;down&lt;/i&gt;" in page
    assert '<div class="bad"><dt>break-glass</dt><dd>1</dd></div>' in page


@pytest.mark.parametrize(("answer", "counts"), [(Answer.APPROVED, True), (Answer.REJECTED, False)])
def test_a_rejection_is_not_counted_among_the_approvals(answer: Answer, counts: bool) -> None:
    assert is_approval(Event(EventKind.APPROVAL_GIVEN, "", {}, data={"answer": answer.value})) is counts
    assert not is_approval(Event(EventKind.APPROVAL_WITHDRAWN, "", {}, data={"answer": answer.value}))


def test_an_approval_says_what_the_person_had_looked_at(pack: bytes) -> None:
    stories = json.loads(files_of(pack)["releases.json"])
    (given,) = stories[1]["approvals"]
    assert "comment: looks <b>fine</b>" in given["details"]
    assert "looked at: nothing that is recorded" in given["details"]


def test_whoever_reads_gets_a_releases_record_and_an_operator_the_services(told: World) -> None:
    release = told.get("/releases", service="shop")[0]["id"]
    tokens = {}
    for name, role in (("reader", None), ("operator", "operator")):
        tokens[name] = account(told, name, *([{"role": role, "service": "shop"}] if role else []))
    asked = {
        "record": f"/api/v1/services/shop/releases/{release}/record",
        "export": "/api/v1/audit/export?service=shop",
    }
    status: dict[tuple[str, str], int] = {}
    for name, token in tokens.items():
        with told.client(token) as client:
            status |= {(name, what): client.get(path).status_code for what, path in asked.items()}
            status[name, "other"] = client.get("/api/v1/audit/export?service=cart").status_code
            status[name, "rotate"] = client.post("/api/v1/audit/keys", json={}).status_code
    assert status == {
        ("reader", "record"): 200,
        ("reader", "export"): 403,
        ("reader", "other"): 403,
        ("reader", "rotate"): 403,
        ("operator", "record"): 200,
        ("operator", "export"): 200,
        ("operator", "other"): 403,
        ("operator", "rotate"): 403,
    }


@pytest.mark.parametrize(
    ("path", "status", "says"),
    [
        ("/audit/export?service=nosuch", 404, "nosuch"),
        ("/audit/export?service=shop&from=2026-02-30", 422, "from"),
        ("/audit/export?service=shop&from=2026-02-02&to=2026-02-01", 422, "before it begins"),
        ("/audit/export?service=shop&to=1999-01-01", 422, "nothing is recorded of shop"),
        ("/services/shop/releases/nosuch/record", 404, "nosuch"),
    ],
)
def test_what_cannot_be_told_is_refused(told: World, path: str, status: int, says: str) -> None:
    with told.client() as client:
        answer = client.get(f"/api/v1{path}")
    assert answer.status_code == status
    assert says in answer.text


def test_what_people_do_says_from_where(world: World) -> None:
    run = world.add_shop()
    with world.client() as client:
        client.post(f"/api/v1/runs/{run}/hold", json={}, headers=COMMAND)
    world.post(f"/runs/{run}/resume")
    world.post(f"/runs/{run}/hold", token=account(world, "ada", {"role": "developer"}))
    found = {one["text"].split()[0] + one["kind"]: one["access"] for one in world.get(f"/runs/{run}/events")}
    assert found["ownerrun.held"] == {"means": "command", "address": "127.0.0.1", "token": None}
    assert found["ownerrun.resumed"]["means"] == "client"
    (token,) = world.get("/tokens")
    assert found["adarun.held"]["token"] == token["id"]
    assert next(one["access"] for one in world.get(f"/runs/{run}/events") if one["kind"] == "step.ready") is None


def test_the_servers_key_is_its_own_and_shown(world: World, tmp_path: Path) -> None:
    (key,) = world.get("/audit/keys")
    assert key["pem"].startswith("-----BEGIN PUBLIC KEY-----")
    assert stat.S_IMODE((tmp_path / "record-key").stat().st_mode) == 0o600


def test_the_record_is_signed_once_a_day(world: World) -> None:
    assert signed(world) == 0
    for _ in range(3):
        world.record.look_after()
    assert signed(world) == 1
    world.clock.forward(timedelta(days=1, seconds=1))
    world.record.look_after()
    assert signed(world) == 1, "nothing happened since"
    world.post("/accounts", {"name": "ada"})
    world.record.look_after()
    assert signed(world) == 2


def signed(world: World) -> int:
    """How many checkpoints there are; the record is whole."""
    found = world.get("/audit")
    assert found["ok"], found
    return int(found["checkpoints"])


def alter(world: World, statement: str) -> None:
    """Write to the database behind the server's back."""
    with world.database.writing() as connection:
        connection.execute(text(statement))


def test_a_cut_tail_is_missed_by_the_running_server(world: World) -> None:
    world.add_shop()
    world.record.notice()
    last = world.get("/audit")["events"]
    alter(world, f"DELETE FROM event WHERE id > {last - 2}")
    found = world.get("/audit")
    assert (found["ok"], found["first_bad"]) == (False, last - 1)


def test_a_tail_that_was_cut_after_a_checkpoint_is_missed_by_any_server(world: World) -> None:
    world.add_shop()
    world.record.sign()
    last = world.get("/audit")["events"]
    alter(world, f"DELETE FROM event WHERE id > {last - 2}")
    found = world.get("/audit")
    assert (found["ok"], found["first_bad"]) == (False, last - 1)


CHANGES = (
    *("hash = 'f00'", "signature = 'f00'", "key = 'f00'", "last_event = last_event + 1", "first_event = 1"),
    *("at = '2026-01-01 00:00:00.000000'", "at = 'never'", "id = 7"),
)


def test_a_changed_checkpoint_is_found(world: World) -> None:
    world.record.sign()
    world.post("/accounts", {"name": "ada"})
    world.record.sign()
    alter(world, "CREATE TABLE kept AS SELECT * FROM checkpoint")
    for change in CHANGES:
        alter(world, f"UPDATE checkpoint SET {change} WHERE id = 2")
        found = world.get("/audit")
        assert not found["ok"], change
        assert found["first_bad_checkpoint"] is not None, change
        assert found["checkpoint_because"], change
        alter(world, "DELETE FROM checkpoint")
        alter(world, "INSERT INTO checkpoint SELECT * FROM kept")
    assert signed(world) == 2


def test_a_changed_record_is_not_signed(world: World) -> None:
    world.add_shop()
    alter(world, "UPDATE event SET text = 'nothing happened' WHERE id = 2")
    world.record.look_after()
    found = world.get("/audit")
    assert (found["ok"], found["first_bad"], found["checkpoints"]) == (False, 2, 0)
    with world.client() as client:
        answer = client.get("/api/v1/audit/export", params={"service": "shop"})
    assert answer.status_code == 409
    assert "line 2 was changed" in answer.json()["detail"]


def test_what_was_changed_after_it_was_signed_is_handed_to_nobody(world: World) -> None:
    world.add_shop()
    pack_of(world, "/audit/export", service="shop")
    of_shop = next(one["id"] for one in events_of(world) if one["about"].get("service") == "shop")
    alter(world, f"UPDATE event SET text = 'nothing happened' WHERE id = {of_shop}")
    with world.client() as client:
        answer = client.get("/api/v1/audit/export", params={"service": "shop"})
    assert answer.status_code == 409
    assert answer.json()["detail"] == f"line {of_shop} of the record was changed"
    assert answer.json()["remedy"] == "tidegate audit verify"


def test_after_a_change_of_keys_what_the_old_one_signed_still_counts(world: World, tmp_path: Path) -> None:
    world.add_shop()
    world.record.sign()
    first = key_of(world)
    made = world.post("/audit/keys")
    assert made["public_key"] == key_of(world) != first
    assert [one["public_key"] for one in world.get("/audit/keys")] == [first, key_of(world)]
    world.post("/services/shop/pause", {"reason": "x"})
    packed = pack_of(world, "/audit/export", service="shop")
    assert signed(world) >= 2
    assert refuses(packed, tmp_path, first) == ""
    assert refuses(packed, tmp_path, key_of(world)) == ""
    assert any(one["kind"] == "record.key_changed" for one in events_of(world))


def events_of(world: World) -> list[dict[str, Any]]:
    """All events."""
    with world.client() as client:
        found = client.get("/api/v1/events", params={"after": 0}, headers={"accept": "application/json"}).json()
    return list(found)


def test_a_lost_key_is_replaced_and_said(world: World, tmp_path: Path) -> None:
    world.record.sign()
    (tmp_path / "record-key").unlink()
    world.record.begin()
    assert signed(world) == 1
    assert any(one["kind"] == "record.key_lost" for one in events_of(world))


def test_a_change_of_keys_that_was_interrupted_is_ended_at_the_next_start(world: World, tmp_path: Path) -> None:
    old = (tmp_path / "record-key").read_bytes()
    world.post("/audit/keys")
    new = key_of(world)
    (tmp_path / "record-key").rename(tmp_path / "record-key.next")
    (tmp_path / "record-key").write_bytes(old)
    world.record.begin()
    assert key_of(world) == new
    assert not (tmp_path / "record-key.next").exists()
    assert signed(world) >= 1


def test_a_foreign_key_in_the_table_vouches_for_nothing(world: World, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    with a_world(other) as forger:
        forger.record.sign()
        with forger.database.reading() as connection:
            key = connection.execute(text("SELECT * FROM record_key")).mappings().one()
            made = connection.execute(text("SELECT * FROM checkpoint")).mappings().one()
    with world.database.writing() as connection:
        for name, row in (("record_key", key), ("checkpoint", made)):
            columns = ", ".join(f'"{one}"' for one in row)
            values = ", ".join(f":{one}" for one in row)
            connection.execute(text(f"INSERT INTO {name} ({columns}) VALUES ({values})"), dict(row))
    found = world.get("/audit")
    assert not found["ok"]
    assert "does not vouch" in found["checkpoint_because"]
