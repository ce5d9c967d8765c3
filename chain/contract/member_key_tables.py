"""Tables of members' accounts, keys, guardians and deaths: what only few members have at a time (contract 2, 5).

They are apart from MemberRecord, each byte of which costs on the hot path. A record is there while its case is open
and is deleted with it; only a death stays.
"""

from typing import Annotated

from msgspec import Meta

from chain.contract.call_base import Bytes32, Name
from chain.contract.fields import Code, DayField, Record
from chain.contract.tables import MemberRecord
from chain.state import Table

# Whose account is verified
HOLDER_SELF, HOLDER_GUARDIAN, HOLDER_ESTATE = range(3)
FAILED_MAX = 500
"""Failed aid payments of one account: one claim of a member is open at a time, and is paid in at most 101 parts
(carry_periods_max + 1), so this is never reached."""


class AccountChangeRecord(Record, frozen=True):
    """["account_change", member]: a wish for another account, which the bank has not verified yet."""

    account_commitment: Bytes32
    """Salted hash of the account, which the bank opens with the member."""
    due_day: DayField
    """It expires at 0:00 of this day."""


class FailedPaymentsRecord(Record, frozen=True):
    """["failed_payments", member]: aid instructions that the bank could not carry out; a new account retries them."""

    instructions: Annotated[tuple[Bytes32, ...], Meta(max_length=FAILED_MAX)]


class RekeyRecord(Record, frozen=True):
    """["rekey", member]: a pending request to replace the key."""

    new_key: Bytes32
    due_day: DayField
    """The key changes at 0:00 of this day unless the old one vetoes before."""


class HandOverRecord(Record, frozen=True):
    """["hand_over", member]: an admitted child's membership on its way out of the guardian's hands."""

    majority_year: Annotated[int, Meta(ge=0, le=9999)]
    """Year in which the child turns 18."""
    due_day: DayField
    """The guardian's signatures cease at 0:00 of this day; 0: the days have not begun."""
    has_key: bool
    """Whether the child's own key is there (`MemberRecord.key`), and signs beside the guardian's."""


class DeathRecord(Record, frozen=True):
    """["death", member]: a reported death."""

    document_hash: Bytes32
    organisation: Name
    """Who reported it, or vouched for the heir who did."""
    day: DayField
    heir_key: Bytes32 | None
    """Key of the heir who reported it with an auditor."""
    before: MemberRecord | None
    """The membership as it was, from which a wrong report is put right; null where it had ended already."""
    payee_before: Code
    """Payee of the open claim before it became the estate; 0 without one."""


ACCOUNT_CHANGE = Table("account_change", AccountChangeRecord)
FAILED_PAYMENTS = Table("failed_payments", FailedPaymentsRecord)
REKEY = Table("rekey", RekeyRecord)
HAND_OVER = Table("hand_over", HandOverRecord)
DEATH = Table("death", DeathRecord)
