"""The calls of the contract: what a signed transaction may ask for (contract 5).

Each call is an array whose first element is its name. Batches (`items`) carry up to 500 independent items, each
with an outcome of its own in the receipt. Limits are those of decoding; guards live with their life cycle.
"""

from typing import Annotated

from msgspec import Meta, Struct

from chain.types import FEN_MAX, INT_MAX

ITEMS_MAX = 500
CLAUSES_MAX = 16

Bytes32 = Annotated[bytes, Meta(min_length=32, max_length=32)]
"""A hash, a key or a token."""
OptionalBytes32 = Bytes32 | None
AmountFen = Annotated[int, Meta(ge=1, le=FEN_MAX)]
"""Money that moves: never 0, never negative."""
BalanceFen = Annotated[int, Meta(ge=0, le=FEN_MAX)]
Number = Annotated[int, Meta(ge=0, le=INT_MAX)]
DayNumber = Annotated[int, Meta(ge=0, le=1_000_000)]
"""Plan day: days since 1970-01-01 at the plan's UTC offset."""
Name = Annotated[str, Meta(min_length=1, max_length=32, pattern="^[a-z0-9-]+$")]
"""Lower-case ASCII name of a plan, account or organisation."""
Clauses = Annotated[tuple[Annotated[str, Meta(min_length=1, max_length=16)], ...], Meta(max_length=CLAUSES_MAX)]
"""Numbers of the clauses of the pinned rules that a decision or report rests on."""


class _Call(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Base of everything inside a transaction."""


# --- membership ---------------------------------------------------------------------------------------------------


class MemberApply(_Call, frozen=True, tag="member_apply"):
    """Ask to join; signed by the member's key, or by the guardian's for a child."""

    plan: Name
    pool: Annotated[int, Meta(ge=0, le=65_535)]
    """Number of the pool within the plan."""
    weight: Annotated[int, Meta(ge=1, le=100)]
    """Units of sharing."""
    rules_hash: Bytes32
    """Hash of the rules version that the member read and pins."""
    field_commitments_root: Bytes32
    """Merkle root of salted commitments, one for each field of the encrypted profile."""
    blob_hash: Bytes32
    """SHA-256 of the detached ciphertext of profile and health answers."""
    consent_hash: Bytes32
    recovery_hash: Bytes32
    """SHA-256 of the recovery public key."""
    guardian: OptionalBytes32
    """Pseudonym of the guardian member who signs for this child, or null."""


class AccountVerifyItem(_Call, frozen=True):
    """The bank bound the key to a real-name account and a person."""

    member: Bytes32
    person_index: Bytes32
    account_token: Bytes32
    """Keyed token of the bank account: refunds and aid go there."""
    holder_kind: Annotated[int, Meta(ge=0, le=2)]
    """0 self, 1 guardian, 2 estate."""
    key_challenge_hash: Bytes32
    last_cover_year: Annotated[int, Meta(ge=1970, le=9999)]
    """Last calendar year in which the person is below the age limit."""


class AccountVerify(_Call, frozen=True, tag="account_verify"):
    """Bank: verify accounts."""

    items: Annotated[tuple[AccountVerifyItem, ...], Meta(min_length=1, max_length=ITEMS_MAX)]


class IndexIssueItem(_Call, frozen=True):
    """The auditor's half of the blind index."""

    member: Bytes32
    person_index: Bytes32
    epoch: Annotated[int, Meta(ge=0, le=65_535)]


class IndexIssue(_Call, frozen=True, tag="index_issue"):
    """Auditor: co-issue the blind person index."""

    items: Annotated[tuple[IndexIssueItem, ...], Meta(min_length=1, max_length=ITEMS_MAX)]


class MemberAdmit(_Call, frozen=True, tag="member_admit"):
    """Platform: countersign admissions (pseudonyms)."""

    items: Annotated[tuple[Bytes32, ...], Meta(min_length=1, max_length=ITEMS_MAX)]


class MemberRefuseItem(_Call, frozen=True):
    """One refusal with its reason."""

    member: Bytes32
    reason: Annotated[int, Meta(ge=1, le=999)]
    """Published reason number of the plan."""


class MemberRefuse(_Call, frozen=True, tag="member_refuse"):
    """Platform: refuse applications; what was paid in goes back."""

    items: Annotated[tuple[MemberRefuseItem, ...], Meta(min_length=1, max_length=ITEMS_MAX)]


class MemberAmend(_Call, frozen=True, tag="member_amend"):
    """Member: replace the encrypted profile while waiting."""

    member: Bytes32
    field_commitments_root: Bytes32
    blob_hash: Bytes32
    is_health_changed: bool
    """True when health answers change: the waiting period starts again."""


class MemberLeave(_Call, frozen=True, tag="member_leave"):
    """Member: leave, at any time, without a fee."""

    member: Bytes32


class MemberWithdraw(_Call, frozen=True, tag="member_withdraw"):
    """Member: take out what is above the minimum deposit."""

    member: Bytes32
    amount: AmountFen


class MemberWeight(_Call, frozen=True, tag="member_weight"):
    """Member: change the units of sharing."""

    member: Bytes32
    weight: Annotated[int, Meta(ge=1, le=100)]


# --- deposits and custody -----------------------------------------------------------------------------------------


class DepositCreditItem(_Call, frozen=True):
    """One booked incoming transfer: a bank fact, never refused for a business reason."""

    ref_token: Bytes32
    """Keyed token of the bank's reference; unique with account and booking day."""
    amount: AmountFen
    booking_day: DayNumber
    value_day: DayNumber
    payer_token: Bytes32
    deposit_code: Annotated[int, Meta(ge=1, le=INT_MAX)] | None
    """Code from the remittance text that names the member, or null."""


class DepositCredit(_Call, frozen=True, tag="deposit_credit"):
    """Bank: credit deposits booked on one custody account."""

    account: Name
    items: Annotated[tuple[DepositCreditItem, ...], Meta(min_length=1, max_length=ITEMS_MAX)]


class InstructionAckItem(_Call, frozen=True):
    """What became of one instruction."""

    instruction: Bytes32
    is_settled: bool
    amount: AmountFen
    booking_day: DayNumber
    ref_token: Bytes32
    reason: Annotated[int, Meta(ge=0, le=999)]
    """0 when settled, else the bank's reason number."""


class InstructionAck(_Call, frozen=True, tag="instruction_ack"):
    """Bank: acknowledge aid, refund, return and fee instructions alike."""

    account: Name
    items: Annotated[tuple[InstructionAckItem, ...], Meta(min_length=1, max_length=ITEMS_MAX)]


class StatementPost(_Call, frozen=True, tag="statement_post"):
    """Bank: the statement of one day or of a span of holidays."""

    account: Name
    from_day: DayNumber
    to_day: DayNumber
    opening: BalanceFen
    closing: BalanceFen
    in_count: Number
    in_sum: BalanceFen
    out_count: Number
    out_sum: BalanceFen
    file_hash: Bytes32


# --- claims -------------------------------------------------------------------------------------------------------


class ClaimFile(_Call, frozen=True, tag="claim_file"):
    """Member or guardian: ask for aid."""

    member: Bytes32
    cause: Annotated[int, Meta(ge=0, le=1)]
    """0 illness, 1 accident."""
    diagnosed_day: DayNumber
    evidence_root: Bytes32
    """Root over salted leaves of the evidence."""
    bill_tags: Annotated[tuple[Bytes32, ...], Meta(max_length=16)]
    """Keyed tags of the bills, so that no bill is used twice."""
    asked_row: Annotated[int, Meta(ge=0, le=255)]
    """Row of the pinned benefit table that the member asks for."""
    payee_kind: Annotated[int, Meta(ge=0, le=2)]
    """0 self, 1 guardian, 2 estate."""


class AssessorAccept(_Call, frozen=True, tag="assessor_accept"):
    """Assessor firm: take a claim that it was drawn for."""

    claim: Bytes32


class ReportCommit(_Call, frozen=True, tag="report_commit"):
    """Assessor firm: seal a report (hash of the reveal's content)."""

    claim: Bytes32
    hash: Bytes32


class ReportReveal(_Call, frozen=True, tag="report_reveal"):
    """Assessor firm: open the sealed report."""

    claim: Bytes32
    finding: Annotated[int, Meta(ge=0, le=1)]
    """0 not fulfilled, 1 fulfilled."""
    established_day: DayNumber
    row: Annotated[int, Meta(ge=0, le=255)]
    clauses: Clauses
    report_root: Bytes32
    salt: Bytes32


class CertificateAttach(_Call, frozen=True, tag="certificate_attach"):
    """Hospital, or both drawn firms after a visit: certify record or e-bill."""

    claim: Bytes32
    source: Annotated[int, Meta(ge=0, le=2)]
    """0 hospital, 1 e_bill, 2 visit."""
    document_hash: Bytes32


class ClaimDecide(_Call, frozen=True, tag="claim_decide"):
    """Platform, on silence an auditor: decide on medical grounds."""

    claim: Bytes32
    is_approved: bool
    row: Annotated[int, Meta(ge=0, le=255)]
    clauses: Clauses


class ClaimConfirm(_Call, frozen=True, tag="claim_confirm"):
    """Auditor of the period: confirm noticed claims."""

    items: Annotated[tuple[Bytes32, ...], Meta(min_length=1, max_length=ITEMS_MAX)]


class BatchSign(_Call, frozen=True, tag="batch_sign"):
    """Platform and the period's co-signer: sign the payout batch that the contract computed."""

    plan: Name
    pool: Annotated[int, Meta(ge=0, le=65_535)]
    period: Annotated[int, Meta(ge=0, le=INT_MAX)]
    batch_root: Bytes32


Call = (
    MemberApply
    | AccountVerify
    | IndexIssue
    | MemberAdmit
    | MemberRefuse
    | MemberAmend
    | MemberLeave
    | MemberWithdraw
    | MemberWeight
    | DepositCredit
    | InstructionAck
    | StatementPost
    | ClaimFile
    | AssessorAccept
    | ReportCommit
    | ReportReveal
    | CertificateAttach
    | ClaimDecide
    | ClaimConfirm
    | BatchSign
)
"""Every call that protocol version 1 knows."""
