"""tidegate.yaml and the server's configuration become model values; every error has a line and a column."""
