"""SSH public keys, as they stand in the file that ends with `.pub`."""

from __future__ import annotations

import base64
import hashlib

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_ssh_public_key

LONGEST = 20_000


def fingerprint_of(public_key: str) -> str:
    """What `ssh-keygen -l` and git call the key: `SHA256:` and the digest of its blob (RFC 4716, RFC 4648 without `=`).

    Raises ValueError where the text is no public key.
    """
    line = public_key.strip()
    parts = line.split()
    if len(line) > LONGEST or "\n" in line or len(parts) < 2:
        raise ValueError("this is not one SSH public key")
    try:
        load_ssh_public_key(" ".join(parts[:2]).encode())
        blob = base64.b64decode(parts[1], validate=True)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ValueError(f"this is not an SSH public key: {error}") from None
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
