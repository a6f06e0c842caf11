"""Servers that hide their limit, and what sends to them: in virtual time, and on loopback."""
