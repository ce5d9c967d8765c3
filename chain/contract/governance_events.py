"""Events of the consortium's government: every vote, every change of keys, rosters, validators and parameters."""

from typing import Annotated

from msgspec import Meta, Struct

from chain.types import INT_MAX

Number = Annotated[int, Meta(ge=0, le=INT_MAX)]


class _GovernanceEvent(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Base of every event of the government."""


# --- proposals ----------------------------------------------------------------------------------------------------


class ProposalOpened(_GovernanceEvent, frozen=True, tag="proposal_opened"):
    """Something was put to the vote."""

    proposal: bytes
    number: Number
    payload_kind: str
    """Name of what is asked for, such as add_organisation."""
    organisation: str
    """Who opened it."""
    voters: tuple[str, ...]
    expire_day: Number


class ProposalVoted(_GovernanceEvent, frozen=True, tag="proposal_voted"):
    """An organisation voted."""

    proposal: bytes
    organisation: str
    is_yes: bool


class ProposalVoteStruck(_GovernanceEvent, frozen=True, tag="proposal_vote_struck"):
    """A vote counts no more, because the key that signed it was revoked; the organisation may vote again."""

    proposal: bytes
    organisation: str


class ProposalStatusChanged(_GovernanceEvent, frozen=True, tag="proposal_status_changed"):
    """A proposal was accepted, rejected, expired, took effect, failed to, or is open again."""

    proposal: bytes
    status: Number
    """See governance_tables.PROPOSAL_STATUS_NAMES."""
    effect_day: Number
    """Day of its effect once it is accepted, else 0."""
    code: Number
    """Catalogue number of why it failed, else 0."""


# --- organisations ------------------------------------------------------------------------------------------------


class OrganisationJoined(_GovernanceEvent, frozen=True, tag="organisation_joined"):
    """An organisation was taken in."""

    organisation: str
    role: Number
    group: str
    key: bytes


class OrganisationLeft(_GovernanceEvent, frozen=True, tag="organisation_left"):
    """An organisation was let go; its key is dead."""

    organisation: str
    role: Number


class OrganisationKeyChanged(_GovernanceEvent, frozen=True, tag="organisation_key_changed"):
    """An organisation signs with another key from now on; the old one is dead for ever."""

    organisation: str
    key: bytes
    is_revoked: bool
    """Whether the recovery key did it: what the old key signed and was not complete counts no more."""


# --- validators ---------------------------------------------------------------------------------------------------


class ValidatorAccepted(_GovernanceEvent, frozen=True, tag="validator_accepted"):
    """A validator may join once it has shown that it follows the chain."""

    key: bytes
    organisation: str
    expire_day: Number


class ValidatorWasReady(_GovernanceEvent, frozen=True, tag="validator_was_ready"):
    """A candidate showed that it follows the chain."""

    key: bytes


class ValidatorDropped(_GovernanceEvent, frozen=True, tag="validator_dropped"):
    """A candidate will not join: it was not ready in time, or the rules do not allow it any more."""

    key: bytes
    code: Number


class ValidatorAdded(_GovernanceEvent, frozen=True, tag="validator_added"):
    """A validator votes from the next height on."""

    key: bytes
    organisation: str
    index: Number
    set_size: Number


class ValidatorRemoved(_GovernanceEvent, frozen=True, tag="validator_removed"):
    """A validator votes on this height for the last time."""

    key: bytes
    organisation: str
    set_size: Number


class ValidatorRejoined(_GovernanceEvent, frozen=True, tag="validator_rejoined"):
    """An operator declared that no other validator lies or lost data, and ended its quarantine (consensus 7)."""

    key: bytes
    organisation: str
    height: Number


class RevealsRenewed(_GovernanceEvent, frozen=True, tag="reveals_renewed"):
    """A validator's randomness comes from a new hash chain."""

    key: bytes
    reveal_anchor: bytes


# --- parameters ---------------------------------------------------------------------------------------------------


class ParameterChanged(_GovernanceEvent, frozen=True, tag="parameter_changed"):
    """A parameter holds another value from the next block on."""

    parameter: str
    value_before: Number
    value: Number


class ProtocolScheduled(_GovernanceEvent, frozen=True, tag="protocol_scheduled"):
    """Another protocol version runs from a height on."""

    version: Number
    height: Number


class CustodyMoved(_GovernanceEvent, frozen=True, tag="custody_moved"):
    """A pool's books go on under another custody account; statements open with what the old one closed with."""

    plan: str
    pool: Number
    account_before: str
    account: str
    opening: Number
    """Closing balance of the last statement of the old account."""
    closed_day: Number
    """Last day of that statement: the new account answers for all days behind it."""


GovernanceEvent = (
    ProposalOpened
    | ProposalVoted
    | ProposalVoteStruck
    | ProposalStatusChanged
    | OrganisationJoined
    | OrganisationLeft
    | OrganisationKeyChanged
    | ValidatorAccepted
    | ValidatorWasReady
    | ValidatorDropped
    | ValidatorAdded
    | ValidatorRemoved
    | ValidatorRejoined
    | RevealsRenewed
    | ParameterChanged
    | ProtocolScheduled
    | CustodyMoved
)
"""Every event of the government."""
