"""What each resource does to the world, and the `data` it answers with."""
