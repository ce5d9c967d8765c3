"""Tables of deposits, accounts, statements and instructions (contract 2 *Deposit*, *Custody*)."""

from chain.contract.call_base import Bytes32, Name
from chain.contract.fields import Code, DayField, FenField, Number, Record, SignedFen
from chain.state import Table

(
    INSTRUCTION_AID,
    INSTRUCTION_REFUND,
    INSTRUCTION_RETURN,
    INSTRUCTION_FEE,
    INSTRUCTION_TRANSFER,
    INSTRUCTION_RESIDUE,
) = range(6)
INSTRUCTION_KIND_NAMES = ("aid", "refund", "return", "fee", "transfer", "residue")
INSTRUCTION_COMPUTED, INSTRUCTION_READY, INSTRUCTION_SETTLED, INSTRUCTION_FAILED, INSTRUCTION_UNCLAIMED = range(5)
INSTRUCTION_STATE_NAMES = ("computed", "ready", "settled", "failed", "unclaimed")
REASON_RETURNED = 1_000
"""Reason of a failed instruction whose payment had been made and came back; the bank's own reasons lie below."""
STATEMENT_MATCHED, STATEMENT_MISMATCH, STATEMENT_RESOLVED, STATEMENT_DISPUTED = range(4)
STATEMENT_STATE_NAMES = ("matched", "mismatch", "resolved", "disputed")


class DepositCodeRecord(Record, frozen=True):
    """["deposit_code", plan, code]: the member that a remittance text names."""

    member: Bytes32


class DepositRecord(Record, frozen=True):
    """["deposit", account, booking day, ref token]: a booked incoming transfer, once."""

    member: Bytes32 | None
    amount: FenField
    taken: FenField
    """What was credited, to the member or (cash_other) to the pool; the rest went to unmatched."""
    value_day: DayField
    payer_token: Bytes32
    returned: FenField
    """What a return instruction or a recall has taken out of unmatched."""
    deposit_code: Number
    """Code of the remittance text; 0: none."""


class AccountRecord(Record, frozen=True):
    """["account", name]: one custody account."""

    plan: Name
    pool: Number
    closed_day: DayField
    """Last day of the last posted statement."""
    closing: FenField
    """Its closing balance."""
    expected: SignedFen
    """What the chain's own books say for the end of that day."""
    is_matched: bool
    """False from a mismatch until it is resolved."""
    statements: Number
    former: Name | None
    """Account under which these books were kept before; null for the first one (custody_move.py)."""


class BookingDayRecord(Record, frozen=True):
    """["booking_day", account, day]: what the chain knows to be booked on one day."""

    in_count: Number
    in_sum: FenField
    out_count: Number
    out_sum: FenField


class StatementRecord(Record, frozen=True):
    """["statement", account, number]: a posted statement and its verdict (statement.py)."""

    from_day: DayField
    to_day: DayField
    opening: FenField
    closing: FenField
    in_count: Number
    in_sum: FenField
    out_count: Number
    out_sum: FenField
    file_hash: Bytes32
    is_matched: bool
    """What the comparison said when it was posted."""
    expected_closing: SignedFen
    """Closing by the chain's own books when it was posted."""
    state: Code
    """Matched, mismatch, resolved or disputed by auditors' letters, as it is now."""
    booked: tuple[Number, FenField, Number, FenField]
    """Incoming count and sum, outgoing count and sum by the chain's books, lines of a resolution included."""
    explained_closing: FenField
    """The posted closing, or the one that a resolution put in its place."""


class InstructionRecord(Record, frozen=True):
    """["instruction", id]: an order to the bank to move money."""

    kind: Code
    state: Code
    plan: Name
    pool: Number
    member: Bytes32 | None
    claim: Bytes32 | None
    account_token: Bytes32 | None
    """Payee account; null: back to the payer of `deposit`, or, for the refund of an applicant who was never verified,
    to those who paid in under his deposit code."""
    deposit: tuple[Name, DayField, Bytes32] | None
    """The deposit that is returned."""
    amount: FenField
    fee: FenField
    """Platform fee that becomes payable with it."""
    period: Number
    """Period of an aid instruction, else the period in which it was made."""
    created_day: DayField
    attempt: Number
    booking_day: DayField
    ref_token: Bytes32 | None
    reason: Number
    to_account: Name | None = None
    """Custody account of the plan that gets a transfer, with the member's deposit code as its text; null otherwise."""


DEPOSIT_CODE = Table("deposit_code", DepositCodeRecord)
DEPOSIT = Table("deposit", DepositRecord)
ACCOUNT = Table("account", AccountRecord)
BOOKING_DAY = Table("booking_day", BookingDayRecord)
STATEMENT = Table("statement", StatementRecord)
INSTRUCTION = Table("instruction", InstructionRecord)
