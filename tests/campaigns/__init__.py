"""Campaigns in a journal."""
