"""Files of other tools → the `verify:` part of a tidegate.yaml that says the same, and what it cannot say."""
