"""Why nobody could sign in with the provider."""

from __future__ import annotations


class SignInFailed(Exception):
    """Nobody is signed in; the message says why and what to do."""


class ProviderAway(Exception):
    """The provider cannot be asked at present; the message says why and what to do."""


class ProviderRefuses(Exception):
    """The provider's answer is an error of OAuth (RFC 6749, section 5.2): its word."""


def away(issuer: str, why: str) -> ProviderAway:
    """The exception to raise."""
    return ProviderAway(
        f"the sign-in provider {issuer} cannot be asked at present: {why}. Try again in a moment; whoever has a "
        "password or a token here can sign in with that meanwhile"
    )
