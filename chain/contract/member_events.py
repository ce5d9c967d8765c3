"""Events of members' accounts, keys, guardians and deaths (contract 2, 5).

`member` is the subject under which explorers find them. A retried payment names its instruction alone, because that of
an aid leads to a claim (contract 6).
"""

from typing import Annotated

from msgspec import Meta, Struct

from chain.types import INT_MAX

Number = Annotated[int, Meta(ge=0, le=INT_MAX)]


class _MemberEvent(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Base of every event of this file that is about a member."""

    member: bytes


class AccountChangeAsked(_MemberEvent, frozen=True, tag="account_change_asked"):
    """A member wants another account; it takes effect when the bank has verified it."""

    account_commitment: bytes
    due_day: Number


class AccountChangeExpired(_MemberEvent, frozen=True, tag="account_change_expired"):
    """The bank did not verify the account in time; the old one stays."""


class InstructionRetried(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="instruction_retried"):
    """A failed payment is ready again, to the account that was verified since."""

    instruction: bytes
    attempt: Number
    amount: Number


class MemberRekeyRequested(_MemberEvent, frozen=True, tag="member_rekey_requested"):
    """Platform, an auditor and a new key asked to replace a member's key; the old key may veto."""

    new_key: bytes
    due_day: Number


class MemberRekeyStopped(_MemberEvent, frozen=True, tag="member_rekey_stopped"):
    """A request to replace the key came to nothing."""

    is_vetoed: bool
    """True: the old key stopped it. False: the new key got another use meanwhile."""


class MemberRekeyed(_MemberEvent, frozen=True, tag="member_rekeyed"):
    """A member has another key."""

    new_key: bytes
    is_recovered: bool
    """By the recovery key, at once."""


class HandOverAsked(_MemberEvent, frozen=True, tag="hand_over_asked"):
    """A child came of age: the guardian's signatures cease on `due_day`."""

    due_day: Number


class MemberHandedOver(_MemberEvent, frozen=True, tag="member_handed_over"):
    """A grown child's own key signs from now on, and until `due_day` the guardian's too."""

    new_key: bytes
    due_day: Number


class GuardianCeased(_MemberEvent, frozen=True, tag="guardian_ceased"):
    """A guardian's signatures count no more for this membership."""

    has_key: bool
    """False: the membership has no key now, and gets one by a rekey."""


class DeathReported(_MemberEvent, frozen=True, tag="death_reported"):
    """A death was reported; the membership ends for the estate."""

    organisation: str
    document_hash: bytes


class EstateHeld(_MemberEvent, frozen=True, tag="estate_held"):
    """The balance of somebody who died waits for the account of the estate."""

    amount: Number


class DeathRevoked(_MemberEvent, frozen=True, tag="death_revoked"):
    """A death was reported wrongly: the membership stands as before."""

    amount: Number
    """Balance in fen that is the member's again."""


MemberKeyEvent = (
    AccountChangeAsked
    | AccountChangeExpired
    | InstructionRetried
    | MemberRekeyRequested
    | MemberRekeyStopped
    | MemberRekeyed
    | HandOverAsked
    | MemberHandedOver
    | GuardianCeased
    | DeathReported
    | EstateHeld
    | DeathRevoked
)
"""Every event of this file."""
