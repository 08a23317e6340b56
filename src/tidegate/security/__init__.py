"""Tokens, secrets, and the user that steps run as."""
