"""Read-only REST over the committed chain."""
