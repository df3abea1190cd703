"""`python -m snapbase`."""

from snapbase.cli import main

main()
