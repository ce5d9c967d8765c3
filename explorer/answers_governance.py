"""The JSON of the consortium's government: proposals with every vote, organisations. Data only."""

from msgspec import Struct

from explorer.pagination import Page
from explorer.represent import JsonObject


class VoteCastAnswer(Struct, frozen=True):
    """One organisation's vote."""

    organisation: str
    is_yes: bool
    day: str | None
    key: str
    """Key that signed it."""


class ProposalAnswer(Struct, frozen=True):
    """Something that was put to the vote, with every vote and what became of it."""

    proposal: str
    """tx_id of its proposal_open."""
    number: int
    """Running number on this chain, from 1."""
    status: str
    """open, accepted (it waits for its day), rejected, expired, effective or failed."""
    kind: str
    """What is asked for, such as add_organisation."""
    payload: JsonObject
    reason_hash: str
    """SHA-256 of the published reasons."""
    proposer: str
    concerned: str | None
    """Organisation that it is about, which has no vote on it."""
    voters: list[str]
    """Organisations that may vote, fixed at its opening."""
    counted: list[str]
    """Those of them whose yes counts: of the roles of its threshold, and still in office."""
    yes_needed: int
    """How many of them must say yes."""
    yes: int
    """How many have."""
    votes: list[VoteCastAnswer]
    """Every vote, also of those who do not count, in the order of casting."""
    opened_day: str | None
    expire_day: str | None
    """Voting ends at 0:00 of this day."""
    effect_day: str | None
    """It takes effect at 0:00 of this day at the earliest; null until it is accepted."""
    closed_day: str | None
    """Day on which it ended; null before."""
    code: str | None
    """Why it failed to take effect; null otherwise."""


class ProposalPage(Struct, frozen=True):
    """Proposals, newest first."""

    items: list[ProposalAnswer]
    page: Page


class OrganisationAnswer(Struct, frozen=True):
    """One institution of the consortium."""

    name: str
    role: str
    """platform, custodian, auditor, assessor or hospital."""
    order: int
    """Place in the roster of its role, from 0: auditor k mod m confirms period k."""
    group: str
    """Declared ownership group; no two roles lie in one."""
    key: str
    """Signing key; dead where it is not in office."""
    recovery_key: str | None
    """Key that can replace the signing key at once; null for assessors and hospitals."""
    is_in_office: bool
    left_day: str | None
    """Day on which it was let go."""


class OrganisationPage(Struct, frozen=True):
    """Organisations by name."""

    items: list[OrganisationAnswer]
    page: Page
