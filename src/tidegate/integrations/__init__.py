"""Git, notifications and, later, forges."""
