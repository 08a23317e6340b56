"""The sample service and its story."""
