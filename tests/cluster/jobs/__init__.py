"""Hosts where each message is a job of its own: what delivers a job twice, kills its worker or restarts its broker."""
