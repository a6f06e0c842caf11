"""Rate limits that several processes share: the stores of the row, and the client that sends requests to it."""
