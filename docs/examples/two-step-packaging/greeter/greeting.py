"""What is said."""


def greeting(name: str) -> str:
    """A greeting for somebody, or for everybody."""
    return f"Hello, {name or 'world'}"
