"""What an auditor's commands say, and which files they leave."""

from __future__ import annotations

import stat

import pytest
from tests.integration.cli.command_line import Command
from tests.integration.cli.contract_server import ContractServer

PACK = b"PK\x03\x04 a pack"
KEY = {"id": "1f0c", "public_key": "5c09", "pem": "", "made_at": "2026-03-01T09:12:44+00:00", "follows": None}
RELEASE = "01jd0000000000000000000re1"


def test_evidence_is_written_to_a_file_named_after_what_it_is_of(tidegate: Command, contract: ContractServer) -> None:
    contract.answer("GET", "/audit/export", PACK)
    ended = tidegate("audit", "export", "--service", "shop", "--from", "2026-01-01", "--to", "2026-03-31")
    file = tidegate.cwd / "evidence-shop-2026-01-01-2026-03-31.zip"
    assert ended.code == 0
    assert file.read_bytes() == PACK
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert contract.asked[-1].query == {"service": "shop", "from": "2026-01-01", "to": "2026-03-31"}
    assert "python3 verify.py" in ended.out


def test_a_releases_record_is_written_where_it_is_wanted(tidegate: Command, contract: ContractServer) -> None:
    contract.answer("GET", f"/services/shop/releases/{RELEASE}/record", PACK)
    out = tidegate.cwd / "out.zip"
    ended = tidegate("release", "record", "shop", RELEASE.upper(), "--out", str(out), "--json")
    assert (ended.code, ended.document) == (0, {"file": str(out), "bytes": len(PACK)})
    assert out.read_bytes() == PACK


@pytest.mark.parametrize(
    ("status", "code"), [(404, 2), (403, 3), (409, 1), (422, 2)], ids=["unknown", "refused", "changed", "nothing"]
)
def test_what_is_refused_leaves_the_file_that_was_there(
    tidegate: Command, contract: ContractServer, status: int, code: int
) -> None:
    contract.refuse("GET", "/audit/export", status, "the record was changed: line 2")
    (tidegate.cwd / "e.zip").write_bytes(b"before")
    ended = tidegate("audit", "export", "--service", "shop", "--out", "e.zip")
    assert ended.code == code
    assert "line 2" in ended.err
    assert (tidegate.cwd / "e.zip").read_bytes() == b"before"
    assert {one.name for one in tidegate.cwd.iterdir() if one.is_file()} == {"e.zip"}


def test_a_day_that_there_is_not_asks_nobody(tidegate: Command, contract: ContractServer) -> None:
    ended = tidegate("audit", "export", "--service", "shop", "--from", "2026-02-30")
    assert ended.code == 2
    assert "2026-02-30" in ended.err
    assert not contract.asked


def test_a_folder_that_there_is_not_is_named(tidegate: Command, contract: ContractServer) -> None:
    contract.answer("GET", "/audit/export", PACK)
    ended = tidegate("audit", "export", "--service", "shop", "--out", "nosuch/e.zip")
    assert ended.code == 2
    assert "nosuch" in ended.err


def test_the_keys_are_shown_and_changed(tidegate: Command, contract: ContractServer) -> None:
    older = {**KEY, "public_key": "0ld", "id": "00aa"}
    contract.answer("GET", "/audit/keys", [older, KEY])
    contract.answer("POST", "/audit/keys", KEY, status=201)
    assert [line.split()[0] for line in tidegate("audit", "key").out.splitlines()] == ["5c09", "0ld"]
    assert tidegate("audit", "key", "--json").document == [older, KEY]
    assert "5c09" in tidegate("audit", "rotate-key").out


def test_a_bad_checkpoint_is_named(tidegate: Command, contract: ContractServer) -> None:
    answer = {"ok": False, "events": 7, "first_bad": None, "checkpoint_because": "checkpoint 2 was changed"}
    contract.answer("GET", "/audit", answer)
    ended = tidegate("audit", "verify")
    assert ended.code == 1
    assert "checkpoint 2 was changed" in ended.out
