"""Expected rotation, pure: what made a snapshot, the sets that are approved, and what a report says of them."""
