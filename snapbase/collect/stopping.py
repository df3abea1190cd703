"""How a run is asked to stop."""


class Interrupted(Exception):
    """The run was asked to stop; the scope at hand is not complete."""
