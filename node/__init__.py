"""The node: composes everything, and alone owns tasks, clocks, files and keys."""
