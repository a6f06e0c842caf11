"""Decisions as pure functions and small state machines: no I/O, no clock of their own, no randomness of their own."""
