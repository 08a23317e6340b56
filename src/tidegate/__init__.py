"""Tidegate takes a software change from merge to production and back."""
