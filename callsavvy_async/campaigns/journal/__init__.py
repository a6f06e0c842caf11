"""The journal's internals: its databases, its writer thread, and all of its transactions."""
