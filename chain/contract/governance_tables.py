"""Tables of the consortium's government: keys, proposals, candidates, and the clock of its own (contract 5)."""

from typing import Annotated

from msgspec import Meta

from chain.contract.call_base import Bytes32, Name
from chain.contract.fields import Code, DayField, Number, Record
from chain.contract.governance_calls import Payload
from chain.state import Table
from chain.validators import VALIDATORS_MAX, Validator

PROPOSAL_OPEN, PROPOSAL_ACCEPTED, PROPOSAL_REJECTED, PROPOSAL_EXPIRED, PROPOSAL_EFFECTIVE, PROPOSAL_FAILED = range(6)
PROPOSAL_STATUS_NAMES = ("open", "accepted", "rejected", "expired", "effective", "failed")

KEY_SIGNING, KEY_RECOVERY, KEY_VALIDATOR, KEY_CHECKPOINT, KEY_MEMBER = range(5)
KEY_USE_NAMES = ("signing", "recovery", "validator", "checkpoint", "member")
KEY_LIVE, KEY_RETIRED, KEY_REVOKED = range(3)
KEY_STATE_NAMES = ("live", "retired", "revoked")

PROPOSALS_MAX = 64
"""Proposals that are open or wait for their effect, in all: what a block may have to look through."""
CANDIDATES_MAX = 4
"""Validators that wait for their readiness, or for their turn to be added."""
RECENT_BLOCKS_MAX = 100
"""Blocks of which a candidate may name one to show that it follows the chain (consensus 8)."""


class KeyRecord(Record, frozen=True):
    """["key", public key]: the one use that a key has, had, or will ever have (design 2: no key has two uses)."""

    use: Code
    """See KEY_USE_NAMES."""
    owner: Name | None
    """Organisation that it belongs to; null for a key of members."""
    state: Code
    """See KEY_STATE_NAMES: what a revoked key signed, and what was not complete yet, counts no more."""


class VoteRecord(Record, frozen=True):
    """One organisation's vote on a proposal."""

    organisation: Name
    is_yes: bool
    day: DayField
    key: Bytes32
    """Key that signed it: the vote is struck out when that key is revoked."""


class ProposalRecord(Record, frozen=True):
    """["proposal", tx_id of its proposal_open]: what was put to the vote, and what became of it."""

    number: Number
    """Running number of this chain's proposals, from 1."""
    status: Code
    """See PROPOSAL_STATUS_NAMES."""
    proposer: Name
    payload: Payload
    reason_hash: Bytes32
    """SHA-256 of the published reasons."""
    concerned: Name | None
    """Organisation that it is about, which has no vote on it."""
    voters: tuple[Name, ...]
    """Organisations that may vote, fixed when it was opened: later ones have no say in it."""
    votes: tuple[VoteRecord, ...]
    opened_day: DayField
    expire_day: DayField
    """Voting ends at 0:00 of this day."""
    effect_day: DayField
    """It takes effect at 0:00 of this day at the earliest; 0 until it is accepted."""
    closed_day: DayField
    """Day on which it ended, whichever way; 0 before."""
    code: Number
    """Catalogue number of why it failed to take effect; 0 otherwise."""


class ProposalNumberRecord(Record, frozen=True):
    """["proposal_number", number]: the proposal with this running number, so that they can be listed in order."""

    proposal: Bytes32


class LiveProposal(Record, frozen=True):
    """An open or accepted proposal in the index of the consortium."""

    proposal: Bytes32
    payload_hash: Bytes32
    """SHA-256 of the canonical payload: one thing is voted on once at a time."""
    proposer: Name
    due_day: DayField
    """Day on which it expires or takes effect."""


class ConsortiumRecord(Record, frozen=True):
    """["consortium"]: the government's clock and index, independent of any plan's pause or end."""

    day: DayField
    """Last day whose events have begun."""
    utc_offset_minutes: Annotated[int, Meta(ge=-720, le=840)]
    """Fixes its days: that of the first plan of genesis."""
    validators_min: Number
    """The set never becomes smaller: 4, or what genesis had where that was less."""
    set_height: Number
    """Last block that changed the set of validators: one change in a block (consensus 8)."""
    proposals: Number
    """Proposals ever opened."""
    live: Annotated[tuple[LiveProposal, ...], Meta(max_length=PROPOSALS_MAX)]
    """In the order of opening."""
    candidates: Annotated[tuple[Bytes32, ...], Meta(max_length=CANDIDATES_MAX)]
    """Validator keys of the candidates, in the order of their acceptance."""


class CandidateRecord(Record, frozen=True):
    """["candidate", validator key]: a validator that was accepted and does not vote yet."""

    validator: Validator
    since_day: DayField
    expire_day: DayField
    """It is dropped at 0:00 of this day if it has not shown its readiness."""
    is_ready: bool


class RecentBlocksRecord(Record, frozen=True):
    """["recent_blocks"]: hashes of the newest blocks; kept only while a candidate waits."""

    last_height: Number
    """Height of the last hash."""
    hashes: Annotated[tuple[Bytes32, ...], Meta(max_length=RECENT_BLOCKS_MAX)]
    """In the order of their heights."""


class ValidatorSetRecord(Record, frozen=True):
    """["validator_set", its hash]: a set that votes or voted, so that old certificates stay provable.

    The set of genesis is in genesis alone.
    """

    from_height: Number
    """First height that it votes on."""
    validators: Annotated[tuple[Validator, ...], Meta(max_length=VALIDATORS_MAX)]


class RejoinRecord(Record, frozen=True):
    """["rejoin", validator key]: the last declaration that ended a quarantine (consensus 7)."""

    height: Number
    """Head that the declaration named."""
    recorded_height: Number
    """Block that holds it."""
    times: Number
    """How often this validator has declared it."""


class AccountMovedRecord(Record, frozen=True):
    """["account_moved", old account]: the custody account that goes on for it (custody_move.py)."""

    account: Name


KEY = Table("key", KeyRecord)
PROPOSAL = Table("proposal", ProposalRecord)
PROPOSAL_NUMBER = Table("proposal_number", ProposalNumberRecord)
CONSORTIUM = Table("consortium", ConsortiumRecord)
CANDIDATE = Table("candidate", CandidateRecord)
RECENT_BLOCKS = Table("recent_blocks", RecentBlocksRecord)
VALIDATOR_SET = Table("validator_set", ValidatorSetRecord)
REJOIN = Table("rejoin", RejoinRecord)
ACCOUNT_MOVED = Table("account_moved", AccountMovedRecord)
