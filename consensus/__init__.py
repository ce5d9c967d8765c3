"""The PBFT core: `step(state, event) -> (state, effects)` of consensus protocol 1 (sections 0-7).

Pure: no clock, randomness, I/O, logging, async or floats; the runtime in `node/` feeds events and carries out
the effects in the order of their fields. What lives where:

    config.py, events.py, effects.py   the interface to the runtime
    messages.py                        signed bodies and wire messages with their codecs
    state.py, turn.py                  what a node remembers, bounded by construction; one call of step
    core.py                            begin and step
    rules.py                           E1-E7, J1 and J2 as single predicates and selections
    voting.py                          what is signed and asked for: the rules driven until nothing is due
    inbox.py, checks.py                what is received, and whether it proves what it says
    status.py, timing.py               what is told and resent; the timers
    guard_rules.py, start.py           the signer guard and the decision at start, as pure functions
    restore.py                         the state that a journal gives back
    describe.py                        what /v1/consensus shows
"""
