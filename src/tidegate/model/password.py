"""What may be a password."""

from __future__ import annotations

import unicodedata

SHORTEST = 12
LONGEST = 256
"""Characters. Length is what makes a password hard to guess (NIST SP 800-63B, section 3.1.1.2): no other rules."""


def normal_form(password: str) -> str:
    """The same characters, however a keyboard made them (NFKC)."""
    return unicodedata.normalize("NFKC", password)


def why_unfit(password: str, account: str) -> str | None:
    """Why this cannot be the account's password; None where it can."""
    text = normal_form(password)
    if len(text) < SHORTEST:
        return f"a password has at least {SHORTEST} characters"
    if len(text) > LONGEST:
        return f"a password has at most {LONGEST} characters"
    if text.strip().casefold() == account.casefold():
        return "a password is something else than the account's name"
    return None
