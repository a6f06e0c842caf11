"""Campaigns that many processes send at once, on a real PostgreSQL."""
