"""How much of one peer is verified: who hands over something false, or too much, is not listened to for a while
(pitfalls P23, C35).
"""

from msgspec.structs import replace

from consensus.turn import Turn

CHECKS_MAX = 64
"""What the messages of one peer may cost at one height, in signatures about, ..."""
CHECKS_EACH_MAX = 24
"""... and this more for each validator, whose messages it may relay."""
CHECK_MS = 20
"""One of them grows again in this time."""
VOTE_COST, NEW_VIEW_COST = 1, 8
"""PREPARE, COMMIT and PROPOSAL carry nothing else that is signed anew. What a VIEW-CHANGE costs is counted
(`checks.count_view_change`); what a NEW-VIEW carries is mostly here, and one that does not hold is its leader's last
at the height."""


def is_shunned(turn: Turn, peer: int) -> bool:
    """Tell whether a peer has just handed over something invalid: forging must not cost me a check each
    time."""
    invalid_ms = turn.state.peers[peer].invalid_ms
    return invalid_ms >= 0 and turn.now_ms - invalid_ms < turn.state.config.answer_gap_ms


def may_verify(turn: Turn, peer: int, cost: int) -> bool:
    """Tell whether a peer may still cause a check, and count it: each has so much for a height, and a little for
    each while (pitfalls P23, C35).

    The views of one signer may rise without end, and each is worth a signature: a liar that sends a thousand
    VIEW-CHANGEs a second must not cost more than one that is silent. An honest peer hands over everything that
    it holds at a height a few times at most, and STATUS brings again what was dropped here.
    """
    state = turn.state
    known = state.peers[peer]
    grown = (turn.now_ms - known.checks_ms) // CHECK_MS if known.checks_ms >= 0 else 0
    spent = max(known.checks_spent - grown, 0)
    if spent + cost > CHECKS_MAX + CHECKS_EACH_MAX * state.n:
        turn.note("message_flood", peer, "more to verify than an honest peer hands over")
        return False
    checks_ms = known.checks_ms + grown * CHECK_MS if spent and known.checks_ms >= 0 else turn.now_ms
    turn.keep_peer(peer, replace(known, checks_spent=spent + cost, checks_ms=checks_ms))
    return True


def shun(turn: Turn, peer: int, code: str, detail: str) -> None:
    """Note that a peer handed over something that does not hold."""
    state = turn.state
    turn.note(code, peer, detail)
    if peer >= state.n:
        return
    turn.keep_peer(peer, replace(state.peers[peer], invalid_ms=turn.now_ms))
