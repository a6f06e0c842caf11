"""Judge pacing laws in virtual time against servers that hide their limit."""
