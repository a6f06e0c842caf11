"""Judge pacing controllers in virtual time against servers that hide their limit."""
