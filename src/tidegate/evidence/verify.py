#!/usr/bin/env python3
"""Verify an evidence pack of Tidegate without Tidegate: python3 verify.py [PACK.zip or its folder] [PUBLIC_KEY]

Needs Python 3.9 or newer and the package `cryptography`. PUBLIC_KEY is the one that the server's people gave you
(`tidegate audit key`): without it you learn only that the pack is as somebody signed it.
"""

from __future__ import annotations

import hashlib
import io
import json
import sys
import zipfile
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def need(condition: bool, what: str) -> None:
    if not condition:
        raise SystemExit(f"NOT VERIFIED: {what}")


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def text_of(values: list[Any]) -> str:
    return json.dumps(values, ensure_ascii=False, separators=(",", ":"))


def hash_of(*values: Any) -> str:
    return sha256(text_of(list(values)).encode())


def is_signed(public: str, text: str, signature: str) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public)).verify(bytes.fromhex(signature), text.encode())
        return True
    except (InvalidSignature, ValueError):
        return False


def read(path: Path) -> dict[str, bytes]:
    """The files of the pack; a ZIP has to be, byte for byte, the one that is made of them."""
    if path.is_dir():
        names = [*json.loads((path / "manifest.json").read_bytes())["files"], "manifest.json", "manifest.sig"]
        return {name: (path / name).read_bytes() for name in names}
    packed = path.read_bytes()
    with zipfile.ZipFile(io.BytesIO(packed)) as pack:
        files = {name: pack.read(name) for name in pack.namelist()}
    again = io.BytesIO()
    with zipfile.ZipFile(again, "w", zipfile.ZIP_STORED) as pack:
        for name, content in files.items():
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.external_attr, info.create_system = 0o100644 << 16, 3
            with pack.open(info, "w") as file:
                file.write(content)
    need(again.getvalue() == packed, "the ZIP itself was changed")
    return files


def check_files(files: dict[str, bytes]) -> str:
    """Every file is as it was signed, and there is no other. Gives the public key that signed them."""
    text = files["manifest.json"].decode()
    manifest: dict[str, Any] = json.loads(text)
    need(is_signed(manifest["public_key"], text, files["manifest.sig"].decode().strip()), "the manifest's signature")
    need(files["manifest.sig"].decode() == files["manifest.sig"].decode().strip() + "\n", "manifest.sig")
    need(set(files) == {*manifest["files"], "manifest.json", "manifest.sig"}, "there are other files than were signed")
    for name, digest in manifest["files"].items():
        need(sha256(files[name]) == digest, f"{name} was changed")
    return str(manifest["public_key"])


def trusted_keys(record: dict[str, Any], public: str) -> dict[str, str]:
    """The keys that the trusted one vouches for, and those that vouch for them, by their ids."""
    trusted, grows = {public}, True
    while grows:
        before = len(trusted)
        for key in record["keys"]:
            text = text_of(["tidegate key", key["public_key"], "follows", key["follows"]])
            before_it, itself = key["follows"], key["public_key"]
            if before_it in trusted and is_signed(before_it, text, key["old_signature"]):
                trusted.add(itself)
            if before_it and itself in trusted and is_signed(itself, text, key["own_signature"]):
                trusted.add(before_it)
        grows = len(trusted) > before
    return {sha256(bytes.fromhex(one))[:16]: one for one in trusted}


def check_checkpoints(record: dict[str, Any], keys: dict[str, str]) -> dict[int, str]:
    """Each was signed, and begins where the one before it ended. Gives the hashes that they prove, by line."""
    proven: dict[int, str] = {}
    last = None
    for one in record["checkpoints"]:
        name = f"checkpoint {one['id']}"
        values = [one[part] for part in ("id", "at", "first_event", "last_event", "hash", "key")]
        need(one["key"] in keys, f"{name} is signed with a key that the trusted one does not vouch for")
        need(is_signed(keys[one["key"]], text_of(["tidegate checkpoint", *values]), one["signature"]), name)
        need(last is None or (one["id"], one["first_event"]) == last, f"a checkpoint is missing before {name}")
        last = (one["id"] + 1, one["last_event"] + 1)
        proven[one["last_event"]] = one["hash"]
    need(bool(proven), "there is no checkpoint")
    return proven


def check_line(line: dict[str, Any], service: str) -> bool | None:
    """The line has the hash that its parts make. Gives whether it is of the service, None where it cannot be told."""
    if line["form"] == 1:  # of an older Tidegate
        if "document" not in line:
            return None
        need(json.loads(line["document"])["previous_hash"] == line["previous_hash"], f"line {line['id']}")
        need(sha256(line["document"].encode()) == line["hash"], f"line {line['id']} was changed")
        return True
    content, of_service = line.get("content_hash"), line.get("service_hash")
    ours = hash_of("service", service)
    if content is None:
        names = ("kind", "text", "actor_kind", "actor", "access", "run", "about", "data")
        content, of_service = hash_of(*(line[name] for name in names)), hash_of("service", line["service"])
        need(of_service == ours, f"line {line['id']} is of another service")
    else:
        need(of_service != ours, f"the content of line {line['id']}, which is of this service, was left out")
    made = hash_of(line["form"], line["id"], line["at"], of_service, content, line["previous_hash"])
    need(made == line["hash"], f"line {line['id']} was changed")
    return bool(of_service == ours)


def check_lines(record: dict[str, Any], proven: dict[int, str]) -> list[bool | None]:
    """The lines follow each other without a gap, from what one checkpoint proves to what the last one proves."""
    number, previous = record["after"]["id"], record["after"]["hash"]
    begin = "0" * 64 if number == 0 else proven.get(number)
    need(begin == previous, "no checkpoint proves where the lines begin")
    told = []
    for line in record["lines"]:
        need(line["id"] == number + 1 and line["previous_hash"] == previous, f"a line is missing after {number}")
        told.append(check_line(line, record["service"]))
        number, previous = line["id"], line["hash"]
        need(proven.get(number, previous) == previous, f"line {number} is not the one that was signed")
    need(number == max(proven), f"the lines end at {number}, and {max(proven)} was signed")
    return told


def main(arguments: list[str]) -> None:
    path = Path(arguments[0]) if arguments else Path(__file__).parent
    try:
        files = read(path)
        public = check_files(files)
        record = json.loads(files["record.json"])
        trusted = arguments[1] if len(arguments) > 1 else public
        keys = trusted_keys(record, trusted)
        need(public in keys.values(), "the pack is signed with a key that the trusted one does not vouch for")
        told = check_lines(record, check_checkpoints(record, keys))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        raise SystemExit(f"NOT VERIFIED: {type(error).__name__}: {error}") from None
    print(f"verified: {len(told)} lines, {told.count(True)} of them of {record['service']}, signed with {public}")
    if None in told:
        print(f"{told.count(None)} lines of an older Tidegate do not show that they are of other services")
    if len(arguments) < 2:
        print("now compare the key with the one that the server's people gave you: tidegate audit key")


if __name__ == "__main__":
    main(sys.argv[1:])
