"""Help for testing programs that use the SDK: a pytest plugin, and virtual time."""
