"""Signed messages: `t=<seconds>,v1=<HMAC-SHA-256 in hexadecimal digits of "<seconds>.<body>">`.

The scheme is that of Stripe's webhooks (https://docs.stripe.com/webhooks#verify-manually).
"""

from __future__ import annotations

import hashlib
import hmac
import re
from datetime import UTC, datetime, timedelta

HEADER = "Tidegate-Signature"
FRESH = timedelta(minutes=5)
"""How far the time of a message may be from the server's clock."""

_FORM = re.compile(r"t=(\d{1,12}),v1=([0-9a-f]{64})")


def sign(secret: str, body: bytes, now: datetime) -> str:
    """The header's value for a body that is sent now."""
    seconds = str(int(now.timestamp()))
    return f"t={seconds},v1={_digest(secret, seconds, body)}"


def is_signed(secret: str, body: bytes, header: str, now: datetime) -> bool:
    """Whether who sent the body knows the secret, and sent it within the last (or the next) five minutes.

    What differs is not found out faster where more of it is right.
    """
    found = _FORM.fullmatch(header.strip())
    if found is None:
        return False
    right = hmac.compare_digest(_digest(secret, found[1], body), found[2])
    return right and abs(datetime.fromtimestamp(int(found[1]), UTC) - now) <= FRESH


def _digest(secret: str, seconds: str, body: bytes) -> str:
    return hmac.new(secret.encode(), f"{seconds}.".encode() + body, hashlib.sha256).hexdigest()
