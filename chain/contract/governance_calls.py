"""Calls of the consortium's own government: proposals, votes, keys, validators (contract 5)."""

from typing import Annotated

from msgspec import Meta

from chain.contract.call_base import Bytes32, CallPart, Name, Number, PoolNumber
from chain.types import INT_MAX

Height = Annotated[int, Meta(ge=1, le=INT_MAX)]


class AddOrganisation(CallPart, frozen=True, tag="add_organisation"):
    """Take in an auditor, assessor firm or hospital."""

    name: Name
    role: Annotated[int, Meta(ge=0, le=4)]
    """0 platform, 1 custodian, 2 auditor, 3 assessor firm, 4 hospital."""
    group: Name
    key: Bytes32
    recovery_key: Bytes32
    """Zero for assessors and hospitals."""


class RemoveOrganisation(CallPart, frozen=True, tag="remove_organisation"):
    """Let an organisation go."""

    name: Name


class ChangeKey(CallPart, frozen=True, tag="change_key"):
    """Replace the signing key of an organisation."""

    organisation: Name
    new_key: Bytes32


class AddValidator(CallPart, frozen=True, tag="add_validator"):
    """Add one validator; it counts after its `validator_ready`."""

    organisation: Name
    key: Bytes32
    checkpoint_key: Bytes32
    tls_pin: Bytes32
    host: Annotated[str, Meta(min_length=1, max_length=249, pattern=r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?\Z")]
    """DNS name or IPv4 address of its validator listener."""
    port: Annotated[int, Meta(ge=1, le=65_535)]
    reveal_anchor: Bytes32


class RemoveValidator(CallPart, frozen=True, tag="remove_validator"):
    """Remove one validator."""

    key: Bytes32


class RenewReveals(CallPart, frozen=True, tag="renew_reveals"):
    """Give a validator a new hash chain of reveals before the old one is used up."""

    key: Bytes32
    """Validator key."""
    reveal_anchor: Bytes32


class SetParameter(CallPart, frozen=True, tag="set_parameter"):
    """Change one parameter of genesis that is not fixed for the life of the chain."""

    name: Annotated[str, Meta(min_length=1, max_length=64)]
    value: Number


class UpgradeProtocol(CallPart, frozen=True, tag="upgrade_protocol"):
    """Run another protocol version from a height on."""

    version: Annotated[int, Meta(ge=1, le=65_535)]
    height: Height


class MoveCustody(CallPart, frozen=True, tag="move_custody"):
    """Move a pool's money to another custody account."""

    plan: Name
    pool: PoolNumber
    account: Name
    """New custody account."""


class EndPlan(CallPart, frozen=True, tag="end_plan"):
    """Wind a plan down by vote."""

    plan: Name


class StopPlan(CallPart, frozen=True, tag="stop_plan"):
    """Pause a plan by vote."""

    plan: Name


class ResumePlan(CallPart, frozen=True, tag="resume_plan"):
    """Resume a paused plan by vote."""

    plan: Name


class PublishRules(CallPart, frozen=True, tag="publish_rules"):
    """Let a disclosed version become active, or stop it, by vote."""

    plan: Name
    version: Number
    is_stopped: bool


Payload = (
    AddOrganisation
    | RemoveOrganisation
    | ChangeKey
    | AddValidator
    | RemoveValidator
    | RenewReveals
    | SetParameter
    | UpgradeProtocol
    | MoveCustody
    | EndPlan
    | StopPlan
    | ResumePlan
    | PublishRules
)
"""What a proposal asks for."""


class ProposalOpen(CallPart, frozen=True, tag="proposal_open"):
    """Organisation: put something to the vote; opening counts as a yes."""

    payload: Payload
    reason_hash: Bytes32


class ProposalVote(CallPart, frozen=True, tag="proposal_vote"):
    """Organisation: vote once."""

    proposal: Bytes32
    """tx_id of the proposal_open."""
    is_yes: bool


class OrgKeyRevoke(CallPart, frozen=True, tag="org_key_revoke"):
    """An organisation's recovery key: replace its signing key at once."""

    organisation: Name
    new_key: Bytes32


class ValidatorReady(CallPart, frozen=True, tag="validator_ready"):
    """New validator key: it follows the chain, shown by a block of the last 100."""

    height: Number
    block_hash: Bytes32


class Rejoin(CallPart, frozen=True, tag="rejoin"):
    """Validator key: its operator declares that no other validator lies or lost data, and ends its quarantine."""

    height: Number
    """Head of the chain when the operator declared it."""
