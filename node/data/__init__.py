"""Published figures and plan rules that the demo runs on; the sources stand at the top of each file."""
