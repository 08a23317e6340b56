"""What a repository holds, as far as its files tell: how each kind of project is built, tested and started."""
