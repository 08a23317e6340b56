"""Figures become a verdict; pure statistics."""
