"""A deterministic discrete-event simulator of n consensus cores: network, clocks, disks, crashes and
liars."""
