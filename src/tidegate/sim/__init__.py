"""A simulated world that drives the real engine and store."""
