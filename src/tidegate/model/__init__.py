"""Plain frozen data and the pure decisions about it; imports nothing else of ours."""
