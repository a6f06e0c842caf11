"""Decisions as pure functions and small state machines, without I/O. Callers pass in the time and random numbers."""
