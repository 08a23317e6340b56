"""How a step's command runs."""
