"""What splits the traffic of a placement between deployments."""
