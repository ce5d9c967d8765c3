"""The PBFT core: `step(state, event) -> (state, effects)` of consensus protocol 1 (docs/spec.md, consensus
0-7).

Pure: no clock, randomness, I/O, logging, async or floats; the runtime in `node/` feeds events and carries
out the effects in the order of their fields. What lives where:

    config.py, events.py, effects.py   the interface to the runtime
    messages.py                        signed bodies and wire messages with their codecs
    state.py                           what a node remembers, bounded by construction
    core.py                            begin, step, and the rules driven until nothing is due
    rules.py                           E1-E7, J1 and J2 as single predicates and selections
    inbox.py, status.py, timing.py     what is received, told and timed
    guard_rules.py, start.py           the signer guard and the decision at start, as pure functions
    describe.py                        what /v1/consensus shows
"""
