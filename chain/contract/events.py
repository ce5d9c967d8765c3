"""Events: what happened, in every receipt. Arrays whose first element is the event's name.

The fields `member`, `claim` and `instruction`, where present, are the subjects under which explorers find
the event. No event of this file carries a claim together with a member: their link is not public (contract
6).
"""

from typing import Annotated

from msgspec import Meta, Struct

from chain.contract.appeal_events import AppealEvent
from chain.contract.claim_events import ClaimEvent
from chain.contract.claim_review_events import ReviewEvent
from chain.contract.governance_events import GovernanceEvent
from chain.contract.half_events import HalfEvent
from chain.contract.member_events import MemberKeyEvent
from chain.contract.money_events import CustodyEvent
from chain.contract.person_events import PersonEvent
from chain.contract.plan_events import PlanEvent
from chain.types import INT_MAX

Number = Annotated[int, Meta(ge=0, le=INT_MAX)]


class _Event(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Base of every event."""


# --- membership ---------------------------------------------------------------------------------------------------


class MemberApplied(_Event, frozen=True, tag="member_applied"):
    """Somebody asked to join and got a deposit code."""

    member: bytes
    plan: str
    pool: Number
    weight: Number
    deposit_code: Number
    guardian: bytes | None


class AccountVerified(_Event, frozen=True, tag="account_verified"):
    """The bank bound a key to a person and an account."""

    member: bytes
    holder_kind: Number
    key_challenge_hash: bytes
    last_cover_year: Number


class IndexIssued(_Event, frozen=True, tag="index_issued"):
    """An auditor issued its half of the blind index."""

    member: bytes
    epoch: Number


class MemberStatusChanged(_Event, frozen=True, tag="member_status_changed"):
    """A member's written status changed without money moving."""

    member: bytes
    status: Number
    """See tables.MEMBER_STATUS_NAMES."""
    reason: Number
    """Reason number of a refusal, else 0."""


class MemberEntered(_Event, frozen=True, tag="member_entered"):
    """A member began to share (contract 3.5 *enter*)."""

    member: bytes
    share_index: Number
    """I at entry."""
    x: Number
    """Index up to which the money reaches."""
    cover_from: Number
    accident_from: Number


class MemberReinstated(_Event, frozen=True, tag="member_reinstated"):
    """A suspended member paid the arrears within the grace."""

    member: bytes
    arrears: Number
    cover_from: Number
    """First covered day again; unchanged where only the bank was late."""


class MemberExited(_Event, frozen=True, tag="member_exited"):
    """A membership or an application ended; the balance goes back."""

    member: bytes
    status: Number
    refund: Number
    """Balance in fen that is refunded; 0: nothing was left."""
    covered_to: Number
    """Last covered day; 0 where there was no cover."""


class MemberAmended(_Event, frozen=True, tag="member_amended"):
    """A member replaced its encrypted profile."""

    member: bytes
    is_waiting_restarted: bool


class MemberWithdrew(_Event, frozen=True, tag="member_withdrew"):
    """A member took out money above the minimum."""

    member: bytes
    amount: Number
    x: Number


class MemberWeightChanged(_Event, frozen=True, tag="member_weight_changed"):
    """A member changed its units of sharing."""

    member: bytes
    weight: Number
    x: Number


# --- deposits and custody -----------------------------------------------------------------------------------------


class DepositCredited(_Event, frozen=True, tag="deposit_credited"):
    """A bank fact was recorded; what was not taken is unmatched and will be returned."""

    member: bytes | None
    account: str
    booking_day: Number
    ref_token: bytes
    amount: Number
    taken: Number
    x: Number
    """Index up to which the member's money reaches now; 0 where it has no leaf."""


class InstructionCreated(_Event, frozen=True, tag="instruction_created"):
    """An order to the bank exists; refunds, returns and fees are ready at once, aid after the batch is signed."""

    instruction: bytes
    kind: Number
    """See tables.INSTRUCTION_KIND_NAMES."""
    member: bytes | None
    """Payee of a refund; null for aid and returns."""
    amount: Number


class InstructionAcknowledged(_Event, frozen=True, tag="instruction_acknowledged"):
    """The bank said what became of an instruction."""

    instruction: bytes
    kind: Number
    is_settled: bool
    amount: Number
    reason: Number


class StatementPosted(_Event, frozen=True, tag="statement_posted"):
    """The bank posted a statement and the chain compared it with its own books."""

    account: str
    number: Number
    from_day: Number
    to_day: Number
    closing: Number
    expected_closing: Annotated[int, Meta(ge=-(2**62), le=2**62)]
    is_matched: bool


# --- periods ------------------------------------------------------------------------------------------------------


class PlanStatusChanged(_Event, frozen=True, tag="plan_status_changed"):
    """A plan was stopped, went on, or began to wind down."""

    plan: str
    status: Number
    """See tables.PLAN_STATUS_NAMES."""
    day: Number


class NoticeOpened(_Event, frozen=True, tag="notice_opened"):
    """Count and claim list of a period are fixed."""

    plan: str
    pool: Number
    period: Number
    day: Number
    charge_day: Number
    units: Number
    members: Number
    claims: Number


class PeriodSettled(_Event, frozen=True, tag="period_settled"):
    """A period was charged (contract 3.4)."""

    plan: str
    pool: Number
    period: Number
    day: Number
    per: Number
    units: Number
    members: Number
    cost: Number
    collected: Number
    carry: Number
    batch_root: bytes


class WindowClosed(_Event, frozen=True, tag="window_closed"):
    """The queue of the window is drained."""

    plan: str
    pool: Number
    period: Number


class BatchSigned(_Event, frozen=True, tag="batch_signed"):
    """An organisation signed a payout batch."""

    plan: str
    pool: Number
    period: Number
    organisation: str
    is_complete: bool


class PeriodClosed(_Event, frozen=True, tag="period_closed"):
    """The bank has answered every instruction of a period."""

    plan: str
    pool: Number
    period: Number


class AutomaticFault(_Event, frozen=True, tag="automatic_fault"):
    """An automatic event broke an invariant, was rolled back, and paused the plan (contract 3.7)."""

    plan: str
    day: Number
    stage: Number
    """See schedule.STAGE_NAMES."""


MoneyEvent = (
    MemberApplied
    | AccountVerified
    | IndexIssued
    | MemberStatusChanged
    | MemberEntered
    | MemberReinstated
    | MemberExited
    | MemberAmended
    | MemberWithdrew
    | MemberWeightChanged
    | DepositCredited
    | InstructionCreated
    | InstructionAcknowledged
    | StatementPosted
    | PlanStatusChanged
    | NoticeOpened
    | PeriodSettled
    | WindowClosed
    | BatchSigned
    | PeriodClosed
    | AutomaticFault
)
Event = (
    MoneyEvent
    | ClaimEvent
    | ReviewEvent
    | MemberKeyEvent
    | AppealEvent
    | HalfEvent
    | GovernanceEvent
    | CustodyEvent
    | PersonEvent
    | PlanEvent
)
"""Every event that protocol version 1 knows."""
