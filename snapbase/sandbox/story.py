"""What happens in the demo's clouds: each cloud's `story.py` seeds an estate, then acts as the attacker."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Act:
    """One thing the attacker did, and the finding that must say so."""

    did: str
    rule: str
    uid_contains: str
    """Part of the finding's subject uid or address."""
