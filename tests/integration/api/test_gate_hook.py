"""An answer from outside over HTTP: with the receiver of the guide, and from whoever is not whom was asked."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from sqlalchemy import select
from tests.docs.markdown import ROOT, blocks

from tidegate.integrations.asking import HttpOutside
from tidegate.security.signature import sign
from tidegate.store import tables
from tidegate.targets.ports import bindable_on_loopback, free_port

from .world import PIPELINE, World, eventually

SECRET = "between us"


def asking(url: str) -> str:
    gate = f"gate: {{external: {{url: '{url}', secret: TICKETS_KEY, timeout: 1h}}}}"
    return PIPELINE.replace("gate: {approvals: {count: 1}}", gate)


def knows_secret(world: World) -> None:
    world.api.services.set_secret("shop", "TICKETS_KEY", SECRET, world.owner.actor)


@contextmanager
def receiver(folder: Path) -> Iterator[str]:
    """The guide's receiver as a process of its own; its address."""
    page = (ROOT / "docs" / "gates.md").read_text()
    (shown,) = (one for one in blocks(page) if one.option("file") == "tickets.py")
    assert len(shown.lines) < 50
    (folder / "tickets.py").write_text("\n".join(shown.lines))
    port = free_port(frozenset(), range(17000, 18000), os.getpid(), bindable_on_loopback)
    process = subprocess.Popen(
        [sys.executable, "tickets.py"],
        cwd=folder,
        env={"TICKETS_KEY": SECRET, "PORT": str(port)},
        stderr=subprocess.DEVNULL,
    )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def test_the_guides_receiver_is_asked_and_opens_the_gate_later(world: World, tmp_path: Path) -> None:
    world.asker.outside = HttpOutside(("127.0.0.1",))
    world.asker.address = world.address
    with receiver(tmp_path) as tickets:
        world.repositories.text = asking(f"{tickets}/ask")
        run = world.add_shop()
        knows_secret(world)
        world.build()
        world.waits(run)
        world.post(f"/runs/{run}/approve")

        def taken() -> str | None:
            found = world.get(f"/runs/{run}/questions")
            return str(found[0]["id"]) if found and found[0]["state"] == "asked" else None

        question = eventually(taken, "the question is taken")
        assert world.status_of(run) == "waiting"
        urllib.request.urlopen(f"{tickets}/approved/{question}", timeout=20).close()
        assert world.ends(run)["status"] == "succeeded"
    (told,) = world.get(f"/runs/{run}/questions")
    assert (told["state"], told["reason"], told["host"]) == ("approved", f"ticket {question}", tickets[7:])
    with world.database.reading() as connection:
        assert not any(SECRET in str(row) for row in connection.execute(select(tables.event)))


def test_who_cannot_sign_answers_nothing_and_learns_nothing(world: World) -> None:
    world.repositories.text = asking("https://tickets.example.com/")
    run = world.add_shop()
    knows_secret(world)
    world.build()
    world.waits(run)
    eventually(lambda: world.outside.asked or None, "the question")
    ((_, asked, _),) = world.outside.asked
    body = json.dumps({"nonce": asked["nonce"], "answer": "approved"}).encode()
    right = sign(SECRET, body, world.clock.now())
    # others call the server by the name that they know
    with httpx.Client(base_url=world.address, headers={"host": "tidegate.example.com"}) as anybody:
        path = f"/hooks/gate/{asked['id']}"
        answers = [
            anybody.post(path, content=body),
            anybody.post(path, content=body, headers={"Tidegate-Signature": right[:-8] + "00000000"}),
            anybody.post("/hooks/gate/nosuch", content=body, headers={"Tidegate-Signature": right}),
            anybody.post(path, content=body + b" ", headers={"Tidegate-Signature": right}),
        ]
        assert {(one.status_code, one.json()["detail"]) for one in answers} == {
            (401, "the signature does not prove that this answer comes from whom was asked")
        }
        assert world.get(f"/runs/{run}/questions")[0]["state"] in ("asking", "asked")
        taken = anybody.post(path, content=body, headers={"Tidegate-Signature": right})
        assert taken.status_code == 200 and taken.json()["state"] == "approved"
        other = json.dumps({"nonce": asked["nonce"], "answer": "rejected"}).encode()
        signed = {"Tidegate-Signature": sign(SECRET, other, world.clock.now())}
        assert anybody.post(path, content=other, headers=signed).status_code == 409


def test_a_person_has_it_asked_again(world: World) -> None:
    world.repositories.text = asking("https://tickets.example.com/")
    run = world.add_shop()
    with world.client() as client:
        early = client.post(f"/api/v1/runs/{run}/questions", json={})
        assert early.status_code == 409 and "waits for an answer from outside" in early.json()["detail"]
    knows_secret(world)
    world.build()
    world.waits(run)
    eventually(lambda: world.outside.asked or None, "the question")
    (again,) = world.post(f"/runs/{run}/questions")
    eventually(lambda: len(world.outside.asked) == 2, "the question again")
    states = [one["state"] for one in world.get(f"/runs/{run}/questions")]
    assert states[0] == "expired" and world.outside.asked[1][1]["id"] == again["id"]
