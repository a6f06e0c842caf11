"""Pure functions between Python values and HTTP messages, without I/O."""
