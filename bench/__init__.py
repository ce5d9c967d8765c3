"""Benchmarks: they print figures with their machine and date, and gate no test by time."""
