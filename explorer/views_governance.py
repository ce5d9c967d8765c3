"""Answers about the consortium's government, from one snapshot (`answers_governance.py` holds their form)."""

from chain.contract.governance import get_kind
from chain.contract.governance_tables import PROPOSAL_STATUS_NAMES, ProposalRecord
from chain.contract.proposals import count_votes, find_policy, list_counted
from chain.contract.tables import OrganisationRecord
from chain.genesis import ROLE_NAMES
from chain.types import ZERO_HASH
from explorer.answers_governance import OrganisationAnswer, ProposalAnswer, VoteCastAnswer
from explorer.reader import ChainSnapshot
from explorer.represent import format_set_day, get_code, get_name, represent_fields


def build_proposal(snapshot: ChainSnapshot, proposal: bytes, record: ProposalRecord) -> ProposalAnswer:
    """Return a proposal with its threshold as it is now."""
    policy = find_policy(snapshot.state, record, height=snapshot.head.height)
    yes, _, needed = count_votes(snapshot.state, record, policy)
    kind = get_kind(record.payload)
    return ProposalAnswer(
        proposal=proposal.hex(),
        number=record.number,
        status=get_name(PROPOSAL_STATUS_NAMES, record.status),
        kind=kind,
        payload=represent_fields(record.payload, subject=kind),
        reason_hash=record.reason_hash.hex(),
        proposer=record.proposer,
        concerned=record.concerned,
        voters=list(record.voters),
        counted=list_counted(snapshot.state, record, policy),
        yes_needed=needed,
        yes=yes,
        votes=[
            VoteCastAnswer(
                organisation=vote.organisation,
                is_yes=vote.is_yes,
                day=format_set_day(vote.day),
                key=vote.key.hex(),
            )
            for vote in record.votes
        ],
        opened_day=format_set_day(record.opened_day),
        expire_day=format_set_day(record.expire_day),
        effect_day=format_set_day(record.effect_day),
        closed_day=format_set_day(record.closed_day),
        code=get_code(record.code) if record.code else None,
    )


def build_organisation(name: str, record: OrganisationRecord) -> OrganisationAnswer:
    """Return an institution, in office or not."""
    return OrganisationAnswer(
        name=name,
        role=get_name(ROLE_NAMES, record.role),
        order=record.order,
        group=record.group,
        key=record.key.hex(),
        recovery_key=None if record.recovery_key == ZERO_HASH else record.recovery_key.hex(),
        is_in_office=record.left_day == 0,
        left_day=format_set_day(record.left_day),
    )
