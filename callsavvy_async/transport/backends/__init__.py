"""What carries one request to the API and its answer back; everything above knows only `Backend`."""
