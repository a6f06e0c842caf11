"""``callsavvy doctor``: what keeps the commands of this machine from working, each fault with its fix."""
