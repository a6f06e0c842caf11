"""The handlers of the resources: they change the world and return the response's `data`."""
