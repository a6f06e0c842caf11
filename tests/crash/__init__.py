"""Campaigns whose processes are killed."""
