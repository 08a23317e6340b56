"""Rehearsals: the whole pipeline with faults put in, played on a server of its own."""
