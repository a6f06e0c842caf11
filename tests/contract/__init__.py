"""Every endpoint, over sockets."""
