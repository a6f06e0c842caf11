"""Sends through every fault that the simulator knows, at random."""
