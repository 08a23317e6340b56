"""Leases step runs from a server, performs them through a runner, spools logs and reports."""
