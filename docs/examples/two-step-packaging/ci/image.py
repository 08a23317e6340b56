"""Makes a container image of one file: python3 ci/image.py PACKAGE IMAGE.tar [BASE.tar].

It is an OCI archive, as `podman load` takes it, with the package in a layer of its own: on top of the layers of BASE,
which is such an archive too, or on nothing. The same package and base always give the same bytes.
"""

import hashlib
import io
import json
import os
import sys
import tarfile
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

_TYPE = "application/vnd.oci.image."
_EMPTY = {"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": []}}


class Blobs(dict[str, bytes]):
    """The parts of an image by digest."""

    def add(self, kind: str, data: bytes) -> dict[str, Any]:
        """Keep a part; gives how others refer to it."""
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        self[digest] = data
        return {"mediaType": _TYPE + kind, "digest": digest, "size": len(data)}

    def read(self, reference: dict[str, Any]) -> dict[str, Any]:
        """A part that is JSON."""
        return dict(json.loads(self[reference["digest"]]))


def make(package: Path, target: Path, base: Path | None) -> None:
    """Write the image to `target`."""
    moment = int(os.environ["SOURCE_DATE_EPOCH"])
    blobs = Blobs()
    config, layers = _read(base, blobs) if base else (_EMPTY, [])
    layer = blobs.add("layer.v1.tar", _tar({package.name: package.read_bytes()}, moment))
    described = {
        **config,
        "created": datetime.fromtimestamp(moment, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "config": {**config["config"], "Entrypoint": ["python3", f"/{package.name}"], "Cmd": []},
        "rootfs": {"type": "layers", "diff_ids": [*config["rootfs"]["diff_ids"], layer["digest"]]},
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": f"{_TYPE}manifest.v1+json",
        "config": blobs.add("config.v1+json", _json(described)),
        "layers": [*layers, layer],
    }
    named = {"org.opencontainers.image.ref.name": f"localhost/{package.stem}:latest"}
    whole = {**blobs.add("manifest.v1+json", _json(manifest)), "annotations": named}
    files = {
        "oci-layout": _json({"imageLayoutVersion": "1.0.0"}),
        "index.json": _json({"schemaVersion": 2, "manifests": [whole]}),
        **{f"blobs/{digest.replace(':', '/')}": blobs[digest] for digest in _used(manifest, whole)},
    }
    target.write_bytes(_tar(files, moment))


def _read(base: Path, blobs: Blobs) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The configuration and the layers of another image, whose parts are kept."""
    with tarfile.open(base) as archive:
        files = {entry.name.removeprefix("./"): archive.extractfile(entry) for entry in archive if entry.isfile()}
        contents = {name: file.read() for name, file in files.items() if file}
    blobs.update({name.removeprefix("blobs/").replace("/", ":"): data for name, data in contents.items()})
    manifest = blobs.read(json.loads(contents["index.json"])["manifests"][0])
    config = blobs.read(manifest["config"])
    config.pop("history", None)  # it would have to tell of the new layer as well
    return config, manifest["layers"]


def _used(manifest: dict[str, Any], whole: dict[str, Any]) -> list[str]:
    return sorted({one["digest"] for one in (whole, manifest["config"], *manifest["layers"])})


def _tar(files: dict[str, bytes], moment: int) -> bytes:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime, entry.mode = len(data), moment, 0o644
            archive.addfile(entry, io.BytesIO(data))
    return written.getvalue()


def _json(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


if __name__ == "__main__":
    make(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]) if len(sys.argv) > 3 else None)
