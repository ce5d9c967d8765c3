"""The demo: a year of a mutual-aid plan, played by its members and institutions against real nodes.

The actors decide from what the chain shows (`world.py`) and know nothing of the network; `stage.py` carries
their orders to a backend. `checks.py` then recomputes what the chain claims."""
