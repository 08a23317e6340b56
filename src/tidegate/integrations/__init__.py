"""Git and, later, forges and notifications."""
