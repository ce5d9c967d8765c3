"""Tables of deposits, accounts, statements and instructions (contract 2 *Deposit*, *Custody*)."""

from chain.contract.call_base import Bytes32, Name
from chain.contract.fields import Code, DayField, FenField, Number, Record, SignedFen
from chain.state import Table

INSTRUCTION_AID, INSTRUCTION_REFUND, INSTRUCTION_RETURN, INSTRUCTION_FEE = range(4)
INSTRUCTION_KIND_NAMES = ("aid", "refund", "return", "fee")
INSTRUCTION_COMPUTED, INSTRUCTION_READY, INSTRUCTION_SETTLED, INSTRUCTION_FAILED = range(4)
INSTRUCTION_STATE_NAMES = ("computed", "ready", "settled", "failed")


class DepositCodeRecord(Record, frozen=True):
    """["deposit_code", plan, code]: the member that a remittance text names."""

    member: Bytes32


class DepositRecord(Record, frozen=True):
    """["deposit", account, booking day, ref token]: a bank fact, once."""

    member: Bytes32 | None
    amount: FenField
    taken: FenField
    """What was credited; the rest went to unmatched."""
    value_day: DayField
    payer_token: Bytes32
    returned: FenField
    """What a return instruction has taken out of unmatched."""
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


class BookingDayRecord(Record, frozen=True):
    """["booking_day", account, day]: what the chain knows to be booked on one day."""

    in_count: Number
    in_sum: FenField
    out_count: Number
    out_sum: FenField


class StatementRecord(Record, frozen=True):
    """["statement", account, number]: a posted statement and its verdict."""

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
    expected_closing: SignedFen


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


DEPOSIT_CODE = Table("deposit_code", DepositCodeRecord)
DEPOSIT = Table("deposit", DepositRecord)
ACCOUNT = Table("account", AccountRecord)
BOOKING_DAY = Table("booking_day", BookingDayRecord)
STATEMENT = Table("statement", StatementRecord)
INSTRUCTION = Table("instruction", InstructionRecord)
