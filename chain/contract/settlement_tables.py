"""Tables of periods, settlements and what they pay (contract 2 *Period*, 3.4)."""

from typing import Annotated

from msgspec import Meta

from chain.contract.call_base import Bytes32, Name
from chain.contract.fields import Code, DayField, FenField, Index, Number, Record
from chain.state import Table

# Items of a settlement and kinds of instructions
ITEM_AID, ITEM_SHARE_REFUND = range(2)
PERIOD_OPEN, PERIOD_NOTICE, PERIOD_COMPUTED, PERIOD_INSTRUCTED, PERIOD_CLOSED = range(5)
PERIOD_STATUS_NAMES = ("open", "notice", "computed", "instructed", "closed")


class ShareStepRecord(Record, frozen=True):
    """["share_step", plan, pool, k]: H[k] = (I_k, day_k, per_k)."""

    share_index: Index
    day: DayField
    per: Number


class ItemRecord(Record, frozen=True):
    """["item", plan, pool, number]: something that the next settlement pays."""

    kind: Code
    """0 aid, 1 share refund."""
    member: Bytes32
    claim: Bytes32
    amount: FenField
    """u_i."""
    fee_bp: Annotated[int, Meta(ge=0, le=10_000)]
    carried: Number
    """How many settlements it was carried through."""


class SettledItem(Record, frozen=True):
    """One item as settled."""

    claim: Bytes32
    kind: Code
    amount: FenField
    """u_i asked."""
    fee_bp: Annotated[int, Meta(ge=0, le=10_000)]
    granted: FenField
    """g_i."""
    fee: FenField
    """f_i."""
    rest_carried: FenField
    rest_ended: FenField
    is_carried: bool
    """Whether it came over from an earlier settlement (such a case is not counted again)."""


class SettlementRecord(Record, frozen=True):
    """["settlement", plan, pool, k]: everything needed to recompute one charge, for ever (contract 3.4)."""

    day: DayField
    height: Number
    """Block in which it ran."""
    tree_root: bytes
    """Encoded root of the sum tree that the proofs hang on: the leaves before the charge."""
    units_at_notice: Number
    """N when notice opened."""
    members_at_notice: Number
    index_before: Index
    per: Number
    per_max: Number
    units: Number
    """W[I, oo)."""
    units_full: Number
    """W[I+per, oo): paid in full."""
    units_part: Number
    """W[I, I+per): paid what they had."""
    part_paid: FenField
    members: Number
    """CNT[I, oo): members counted."""
    cost: FenField
    collected: FenField
    carry_before: FenField
    carry_after: FenField
    year_index: Index
    """I at the start of the calendar year, for the yearly cap."""
    cases: Number
    items: tuple[SettledItem, ...]
    is_unfundable: bool
    proofs: tuple[bytes, ...]
    """Range proofs at I, I + per and (per > 0) I + per - 1."""
    version: Number
    """Rule version whose caps held for the pool."""


class PeriodRecord(Record, frozen=True):
    """["period", plan, pool, k]: one period's path from notice to closing."""

    status: Code
    notice_day: DayField
    charge_day: DayField
    scheduled_day: DayField
    """Charge day by the calendar; a notice that opened late moves `charge_day` only."""
    units_at_notice: Number
    members_at_notice: Number
    claims: tuple[Bytes32, ...]
    """Claims noticed in this period."""
    confirmer: Name | None
    cosigner: Name | None
    batch_root: Bytes32
    """Over the instructions; zero until computed."""
    instructions: tuple[Bytes32, ...]
    signed_by: tuple[Name, ...]
    """Organisations that signed the batch so far."""
    computed_day: DayField
    stopped_days: Number
    """Stopped days of the plan at `computed_day`: silence is counted without them."""
    unacknowledged: Number
    """Instructions that the bank has not answered; at 0 the period closes."""


SHARE_STEP = Table("share_step", ShareStepRecord)
ITEM = Table("item", ItemRecord)
SETTLEMENT = Table("settlement", SettlementRecord)
PERIOD = Table("period", PeriodRecord)
