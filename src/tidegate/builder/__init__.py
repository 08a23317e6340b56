"""The build part of a pipeline on a working tree, without a server."""
