"""Many single sends that share requests."""
