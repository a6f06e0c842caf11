"""Pure functions between Python values and HTTP messages; nothing here does I/O."""
