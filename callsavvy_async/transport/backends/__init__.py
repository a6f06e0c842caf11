"""The backends that exchange one request for one response, behind the protocol `Backend`."""
