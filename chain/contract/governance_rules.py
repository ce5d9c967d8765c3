"""Dispatch of the calls of the government: each to its life cycle (contract 5)."""

from typing import assert_never

from chain.contract.calls import GovernanceCall
from chain.contract.context import Context
from chain.contract.governance_calls import OrgKeyRevoke, ProposalOpen, ProposalVote, Rejoin, ValidatorReady
from chain.contract.key_revocation import apply_org_key_revoke
from chain.contract.proposals import apply_proposal_open, apply_proposal_vote
from chain.contract.validator_changes import apply_rejoin, apply_validator_ready
from chain.state import Overlay


def apply_governance_call(state: Overlay, context: Context, call: GovernanceCall) -> tuple[int, ...]:
    """Apply a call. Raises `Refusal` for the whole."""
    match call:
        case ProposalOpen():
            return apply_proposal_open(state, context, call)
        case ProposalVote():
            return apply_proposal_vote(state, context, call)
        case OrgKeyRevoke():
            return apply_org_key_revoke(state, context, call)
        case ValidatorReady():
            return apply_validator_ready(state, context, call)
        case Rejoin():
            return apply_rejoin(state, context, call)
        case _:
            assert_never(call)
