"""What a user relies on in commands about services, what runs where, rollbacks, secrets and the record."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.integration.cli.command_line import Command
from tests.integration.cli.contract_server import COMMIT, RUN, ContractServer, run_document

Git = Callable[..., str]
MODE = {"rule": "mode", "text": "mode: delivery, so a person opens the gate", "remedy": None}


def service_document(**more: Any) -> dict[str, Any]:
    return {
        "name": "shop",
        "repository": "/srv/shop",
        "path": ".",
        "branch": "main",
        "team": None,
        "risk": "standard",
        "mode": "delivery",
        "grant": None,
        "effective_mode": "delivery",
        "effective_because": MODE,
        "last_seen": COMMIT,
        "added_at": "2026-03-01T12:00:00+00:00",
        "trouble": None,
        "paused_because": None,
        "line_stopped_because": None,
        **more,
    }


def placement_document(**more: Any) -> dict[str, Any]:
    return {
        "release": "R1",
        "commit": COMMIT,
        "health": "healthy",
        "shares": {"1a2b3c4d": 0.95, "99887766": 0.05},
        "address": "http://127.0.0.1:18001",
        "stuck_because": None,
        "floor": None,
        "rollout": None,
        **more,
    }


def status_document(placement: dict[str, Any], **more: Any) -> dict[str, Any]:
    troubles = {"trouble": None, "paused_because": None, "line_stopped_because": None}
    return {"service": "shop", "mode_because": MODE, "environments": {"production": placement}, **troubles, **more}


@pytest.fixture
def shop(place: Path, git: Git) -> Path:
    """A repository with a committed tidegate.yaml."""
    folder = place / "shop"
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch=trunk")
    (folder / "tidegate.yaml").write_text("service: shop\n")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "-m", "First")
    return folder


@pytest.fixture
def added(contract: ContractServer) -> ContractServer:
    contract.answer("POST", "/services", {"service": service_document(), "run": run_document()}, status=201)
    return contract


def test_a_relative_folder_becomes_an_absolute_path_for_the_server(
    tidegate: Command, added: ContractServer, shop: Path
) -> None:
    tidegate.cwd = shop
    ended = tidegate("service", "add", ".")
    assert ended.code == 0
    assert added.bodies("POST", "/services") == [{"repository": str(shop)}]
    assert f"next: tidegate watch {RUN}" in ended.out


def test_a_folder_of_a_monorepo_is_added_with_its_path(
    tidegate: Command, added: ContractServer, shop: Path, git: Git
) -> None:
    inner = shop / "services" / "cart"
    inner.mkdir(parents=True)
    (inner / "tidegate.yaml").write_text("service: cart\n")
    git(shop, "add", "--all")
    git(shop, "commit", "--quiet", "-m", "Cart")
    ended = tidegate("service", "add", str(inner), "--name", "cart")
    assert added.bodies("POST", "/services") == [{"repository": str(shop), "path": "services/cart", "name": "cart"}]
    assert "--path services/cart" in ended.err


def test_a_url_is_left_to_the_server(tidegate: Command, added: ContractServer) -> None:
    tidegate("service", "add", "https://example.org/shop.git", "--branch", "main", "--credential", "FORGE")
    assert added.bodies("POST", "/services") == [
        {"repository": "https://example.org/shop.git", "branch": "main", "credential": "FORGE"}
    ]


def test_a_file_that_is_not_committed_gets_the_exact_next_command(
    tidegate: Command, added: ContractServer, shop: Path, git: Git
) -> None:
    git(shop, "rm", "--quiet", "--cached", "tidegate.yaml")
    git(shop, "commit", "--quiet", "-m", "Without")
    tidegate.cwd = shop
    ended = tidegate("service", "add", ".")
    assert ended.code == 2
    assert 'next: git add tidegate.yaml && git commit -m "Add tidegate.yaml"\n' in ended.err
    assert "is there, but not committed" in ended.err
    assert not added.asked
    tidegate.cwd = shop.parent
    elsewhere = tidegate("service", "add", "shop")
    assert f"next: git -C {shop} add tidegate.yaml && git -C {shop} commit" in elsewhere.err


def test_a_repository_without_a_commit_gets_the_exact_next_command(tidegate: Command, place: Path, git: Git) -> None:
    new = place / "new"
    new.mkdir()
    git(new, "init", "--quiet")
    (new / "tidegate.yaml").write_text("service: new\n")
    tidegate.cwd = new
    assert "next: git add tidegate.yaml && git commit" in tidegate("service", "add", ".").err


def test_a_repository_without_the_file_is_sent_to_init(tidegate: Command, shop: Path, git: Git) -> None:
    git(shop, "rm", "--quiet", "tidegate.yaml")
    git(shop, "commit", "--quiet", "-m", "Without")
    ended = tidegate("service", "add", str(shop))
    assert ended.code == 2
    assert f"next: cd {shop} && tidegate init" in ended.err


def test_changes_that_are_not_committed_are_told(tidegate: Command, added: ContractServer, shop: Path) -> None:
    (shop / "tidegate.yaml").write_text("service: shop\nteam: payments\n")
    ended = tidegate("service", "add", str(shop))
    assert ended.code == 0
    assert "what is committed counts" in ended.err


@pytest.mark.parametrize("folder", ["nowhere", "home"])
def test_a_folder_that_is_no_repository_is_wrong_usage(tidegate: Command, folder: str) -> None:
    ended = tidegate("service", "add", folder)
    assert ended.code == 2
    assert folder in ended.err and "next: " in ended.err


def test_a_webhook_secret_is_refused_and_not_ignored(tidegate: Command, added: ContractServer, shop: Path) -> None:
    ended = tidegate("service", "add", str(shop), "--webhook-secret-file", "secret")
    assert ended.code == 2
    assert "not supported yet" in ended.err
    assert not added.asked


def test_a_change_of_mode_needs_its_reason(tidegate: Command, contract: ContractServer) -> None:
    contract.answer("POST", "/services/shop/mode", service_document(grant="deployment"))
    assert tidegate("service", "mode", "shop", "deployment").code == 2
    assert not contract.asked
    assert tidegate("service", "mode", "shop", "deployment", "--reason", "20 good ones").code == 0
    assert contract.bodies("POST", "/services/shop/mode") == [{"mode": "deployment", "reason": "20 good ones"}]
    assert tidegate("service", "mode", "shop", "automatic", "--reason", "x").code == 2


def test_whoever_pauses_a_service_is_told_what_ends_it(tidegate: Command, contract: ContractServer) -> None:
    contract.answer("POST", "/services/shop/pause", service_document(paused_because="audit (by ada)"))
    contract.answer("GET", "/services/shop", service_document(paused_because="audit (by ada)"))
    assert "next: tidegate service resume shop" in tidegate("service", "pause", "shop", "--reason", "audit").out
    shown = tidegate("service", "show", "shop").out
    assert "paused: audit (by ada)" in shown and "next: tidegate service resume shop" in shown
    assert "mode: delivery, so a person opens the gate" in shown.splitlines()


def test_a_service_is_removed_without_a_question_in_a_script(tidegate: Command, contract: ContractServer) -> None:
    contract.answer("DELETE", "/services/shop", service_document())
    assert tidegate("service", "remove", "shop").code == 0


def test_status_says_what_runs_where_and_what_ends_a_hold(tidegate: Command, contract: ContractServer) -> None:
    move = {"state": "judging", "run": RUN, "holds_because": "no requests came"}
    stopped = "2 rollbacks for cause in a row"
    document = status_document(placement_document(rollout=move), line_stopped_because=stopped)
    contract.answer("GET", "/status", [document])
    assert tidegate("status", "--json").document == [document]
    said = tidegate("status", "shop").out
    for text in ("healthy", "1a2b3c4d 95%, 99887766 5%", "judging", "holds: no requests came", stopped):
        assert text in said
    assert f"next: tidegate promote {RUN}" in said and "next: tidegate service resume shop" in said
    assert contract.asked[-1].query == {"service": "shop"}


def test_a_deployment_that_is_only_planned_changes_nothing(tidegate: Command, contract: ContractServer) -> None:
    step = {"share": 0.05, "new_instances": 1, "old_instances": 2, "judged": True, "approvals": 1}
    plan = {"release": "R", "commit": COMMIT, "serving": "9" * 40, "strategy": "canary", "steps": [step]}
    contract.answer("POST", "/deployments", {"plan": plan})
    ended = tidegate("deploy", "shop", "--release", "1a2b", "--env", "production", "--dry-run")
    assert contract.bodies("POST", "/deployments")[0]["dry_run"] is True
    assert "would go from 99999999 to 1a2b3c4d (canary)" in ended.out
    assert "5% of the traffic: 1 new instances, 2 old ones, judged, after 1 approvals" in ended.out


def test_a_deployment_names_the_run_that_does_it(tidegate: Command, contract: ContractServer) -> None:
    contract.answer("POST", "/deployments", run_document(), status=201)
    ended = tidegate("deploy", "shop", "--release", "1a2b", "--env", "production")
    assert f"next: tidegate watch {RUN}" in ended.out


def rollout_document(
    state: str, seconds: float | None = None, held: str | None = None, answered: float | None = None
) -> dict[str, Any]:
    cause = {"text": held} if held else None
    times = {"seconds": seconds, "decided_at": None, "routed_at": None, "last_response_seconds": answered}
    return {"id": "O1", "state": state, "held_at_floor": cause, **times}


def test_a_rollback_ends_with_the_measured_time_once_the_traffic_is_back(
    tidegate: Command, contract: ContractServer
) -> None:
    begun = {"rollout": rollout_document("returning"), "from": "99887766", "to": "1a2b3c4d"}
    contract.answer("POST", "/rollbacks", begun, status=202)
    routed, answered = (rollout_document("returning", 0.0421, answered=one) for one in (None, 0.3))
    rollouts = (rollout_document("watching"), rollout_document("returning"), routed, answered)
    contract.answer("GET", "/rollouts/O1", *rollouts)
    ended = tidegate("rollback", "shop", "--env", "production", "--json")
    assert ended.document == {
        "from": "99887766",
        "to": "1a2b3c4d",
        "seconds": 0.0421,
        "last_response_seconds": 0.3,
    }
    assert contract.bodies("POST", "/rollbacks") == [{"service": "shop", "environment": "production"}]
    contract.answer("GET", "/rollouts/O1", *rollouts)
    assert tidegate("rollback", "shop", "--env", "production").out.splitlines() == [
        "shop in production: watching",
        "shop in production: returning",
        "shop in production is back at 1a2b3c4d, from 99887766, after 0.042 s",
        "the last response of 99887766 was there after 0.300 s",
    ]
    contract.answer("GET", "/rollouts/O1", *rollouts)
    assert "after 0.042 s" in tidegate.on_terminal("rollback", "shop", "--env", "production").out


def test_a_rollback_with_nothing_to_return_to_offers_to_stop(tidegate: Command, contract: ContractServer) -> None:
    offer = "to stop the service: tidegate rollback shop --env production --stop"
    contract.refuse("POST", "/rollbacks", 403, "there is nothing to return to", offer)
    ended = tidegate("rollback", "shop", "--env", "production")
    assert ended.code == 3
    assert f"next: {offer}" in ended.err


FLOOR = {
    "label": "99887766",
    "order": 2,
    "step": "drop",
    "since": "2026-03-02T12:00:00Z",
    "because": "the step drop of 99887766 cannot be undone, and no older release can serve after it",
    "remedy": "the way is forward",
}


def test_a_rollback_that_is_held_at_a_floor_says_so_and_what_is_left_to_do(
    tidegate: Command, contract: ContractServer
) -> None:
    begun = {"rollout": rollout_document("watching"), "from": "99887766", "to": "1a2b3c4d"}
    contract.answer("POST", "/rollbacks", begun, status=202)
    contract.answer("GET", "/rollouts/O1", rollout_document("watching"), rollout_document("watching", held="by grace"))
    contract.answer("GET", "/status", [status_document(placement_document(floor=FLOOR))])
    ended = tidegate("rollback", "shop", "--env", "production")
    assert ended.code == 3
    assert "shop in production cannot go back, and its traffic stays where it is: the step drop" in ended.err
    assert "next: the way is forward" in ended.err


def test_a_floor_is_shown_and_lifted_with_a_reason(tidegate: Command, contract: ContractServer) -> None:
    contract.answer("GET", "/status", [status_document(placement_document(floor=FLOOR))])
    shown = tidegate("floor", "shop", "--env", "production")
    assert str(FLOOR["because"]) in shown.out and "next: the way is forward" in shown.out
    assert str(FLOOR["because"]) in tidegate("status").out
    assert tidegate("floor", "shop", "--env", "production", "--json").document == FLOOR
    assert "it is in production" in tidegate("floor", "shop", "--env", "moon").err
    assert tidegate("floor", "shop", "--env", "production", "--lift").code == 2
    contract.answer("POST", "/floors/lift", placement_document())
    lifted = tidegate("floor", "shop", "--env", "production", "--lift", "--reason", "restored")
    assert "shop has no floor in production any more" in lifted.out
    assert contract.bodies("POST", "/floors/lift") == [
        {"service": "shop", "environment": "production", "reason": "restored"}
    ]


def test_a_rollback_cannot_both_stop_and_return(tidegate: Command, contract: ContractServer) -> None:
    assert tidegate("rollback", "shop", "--env", "production", "--stop", "--release", "1a2b").code == 2
    assert not contract.asked


def test_a_secret_is_read_from_standard_input_and_never_shown(tidegate: Command, contract: ContractServer) -> None:
    contract.answer("PUT", "/services/shop/secrets/DATABASE_URL", None, status=204)
    ended = tidegate("secret", "set", "shop", "DATABASE_URL", stdin="postgres://p4ss\n")
    assert ended.code == 0
    assert contract.bodies("PUT", "/services/shop/secrets/DATABASE_URL") == [{"value": "postgres://p4ss"}]
    assert "p4ss" not in ended.out + ended.err
    assert tidegate("secret", "set", "shop", "DATABASE_URL", "as-an-argument").code == 2


def test_a_secret_that_is_typed_is_not_shown(tidegate: Command, contract: ContractServer) -> None:
    contract.answer("PUT", "/services/shop/secrets/TOKEN", None, status=204)
    ended = tidegate.on_terminal("secret", "set", "shop", "TOKEN", typed=("Value of TOKEN: ", "p4ss\n"))
    assert ended.code == 0
    assert contract.bodies("PUT", "/services/shop/secrets/TOKEN") == [{"value": "p4ss"}]
    assert "p4ss" not in ended.out


def test_removing_a_service_on_a_terminal_is_asked_first(tidegate: Command, contract: ContractServer) -> None:
    contract.answer("DELETE", "/services/shop", service_document())
    assert tidegate.on_terminal("service", "remove", "shop", typed=("[y/N]: ", "n\n")).code != 0
    assert not contract.asked
    assert tidegate.on_terminal("service", "remove", "shop", typed=("[y/N]: ", "y\n")).code == 0


def test_an_empty_secret_changes_nothing(tidegate: Command, contract: ContractServer) -> None:
    assert tidegate("secret", "set", "shop", "DATABASE_URL").code == 2
    assert not contract.asked


def test_names_of_secrets_are_a_list(tidegate: Command, contract: ContractServer) -> None:
    contract.answer("GET", "/services/shop/secrets", ["DATABASE_URL"])
    assert tidegate("secret", "list", "shop", "--json").document == ["DATABASE_URL"]


def test_a_changed_record_ends_with_one_and_says_where(tidegate: Command, contract: ContractServer) -> None:
    whole = {"ok": True, "events": 7, "first_bad": None}
    contract.answer("GET", "/audit", whole, {"ok": False, "events": 7, "first_bad": 3})
    ended = tidegate("audit", "verify", "--json")
    assert (ended.code, ended.document) == (0, whole)
    changed = tidegate("audit", "verify")
    assert changed.code == 1
    assert "event 3 is the first bad one" in changed.out


def test_a_release_may_be_called_by_its_commits_beginning(tidegate: Command, contract: ContractServer) -> None:
    release = {
        "id": "01jd0000000000000000000re1",
        "service": "shop",
        "run": RUN,
        "commit": COMMIT,
        "subject": "Add discounts",
        "author": "Ada",
        "created_at": "2026-03-01T12:00:00+00:00",
        "tests": {"total": 3, "failed": 0, "skipped": 0},
        "line_coverage": 87.5,
        "artifacts": [{"name": "shop", "file": "shop.whl", "digest": "sha256:00", "size": 1234, "step": None}],
    }
    contract.answer("GET", "/services", [service_document()])
    contract.answer("GET", "/releases", [release])
    contract.answer("GET", f"/releases/{release['id']}", release)
    assert tidegate("release", "show", "1A2B3C", "--json").document["id"] == release["id"]
    assert "3 tests, 0 failed" in tidegate("release", "list", "shop").out
    shown = tidegate("release", "show", str(release["id"]).upper()).out
    assert "shop.whl, 1,234 bytes, sha256:00" in shown
    assert "made by" not in shown
    assert tidegate("release", "show", "ffff").code == 2


def test_a_release_says_what_each_artifact_was_made_from(tidegate: Command, contract: ContractServer) -> None:
    given = [
        {"step": "compile", "outputs": "sha256:cc", "artifacts": {}},
        {"step": "package", "outputs": "sha256:bb", "artifacts": {"shop": "sha256:aa"}},
    ]
    image = {"name": "image", "file": "image.tar", "digest": "sha256:ff", "size": 1, "step": "image", "given": given}
    release = {"id": RUN, "service": "shop", "commit": COMMIT, "subject": "Sell", "author": "Ada", "artifacts": [image]}
    contract.answer("GET", f"/releases/{RUN}", release)
    shown = tidegate("release", "show", RUN).out
    assert 'made by "image" from the commit, what "compile" handed over (sha256:cc), shop (sha256:aa)' in shown


def test_a_release_says_which_use_of_its_features_was_seen(tidegate: Command, contract: ContractServer) -> None:
    known = {"evidence": 1.0, "unit": "%", "verdict": "undecided"}
    new = {**known, "name": "wishes (usage)", "canary": 4.25, "baseline": None, "low": 3.247, "high": 5.545}
    touched = {**known, "name": "orders (usage)", "canary": 9.0, "baseline": 10.0, "low": 8.1, "high": 9.9}
    release = {"id": RUN, "service": "shop", "commit": COMMIT, "subject": "Sell", "author": "Ada"}
    contract.answer("GET", f"/releases/{RUN}", {**release, "usage": {"production": [new, touched]}})
    shown = tidegate("release", "show", RUN).out
    assert "in production: wishes (usage): 4.25% (3.25% to 5.54%; none known of the old deployment)" in shown
    assert "in production: orders (usage): 9% (8.1% to 9.9%; 10% on the old)" in shown


def test_environments_are_listed_with_what_runs_there(tidegate: Command, contract: ContractServer) -> None:
    placement = placement_document(service="shop")
    production = {"name": "production", "protected": True, "target": "local", "router": "envoy"}
    contract.answer("GET", "/environments", [{**production, "placements": [placement]}])
    contract.answer("GET", "/environments/production", {**production, "placements": [placement]})
    assert "production   yes        local   envoy   shop" in tidegate("environment", "list").out
    assert "http://127.0.0.1:18001" in tidegate("environment", "show", "production").out
    assert json.loads(tidegate("environment", "list", "--json").out)[0]["name"] == "production"
