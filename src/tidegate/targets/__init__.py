"""How a deployment is installed and run."""
