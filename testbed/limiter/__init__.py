"""Servers with a hidden limit and their clients, in virtual time and on loopback."""
