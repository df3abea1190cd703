"""One file per family of resources: what its methods do to the estate and answer."""
