"""A small shop: a catalogue and its prices over HTTP."""
