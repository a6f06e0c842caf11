"""The journal's own rooms: the databases it lies in, the thread that writes it, and every unit of work that is done in it."""
