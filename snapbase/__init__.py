"""snapbase: who can take our cloud snapshots home, and what changed since somebody last said that was fine."""

__version__ = "0.1.0"
