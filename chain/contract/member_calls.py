"""Calls on a membership: from the application to its end, keys and persons included (contract 5)."""

from typing import Annotated

from msgspec import Meta

from chain.contract.call_base import ITEMS_MAX, AmountFen, Bytes32, CallPart, Name, Number, OptionalBytes32


class MemberApply(CallPart, frozen=True, tag="member_apply"):
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


class AccountVerifyItem(CallPart, frozen=True):
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


class AccountVerify(CallPart, frozen=True, tag="account_verify"):
    """Bank: verify accounts."""

    items: Annotated[tuple[AccountVerifyItem, ...], Meta(min_length=1, max_length=ITEMS_MAX)]


class IndexIssueItem(CallPart, frozen=True):
    """The auditor's half of the blind index."""

    member: Bytes32
    person_index: Bytes32
    epoch: Annotated[int, Meta(ge=0, le=65_535)]


class IndexIssue(CallPart, frozen=True, tag="index_issue"):
    """Auditor: co-issue the blind person index."""

    items: Annotated[tuple[IndexIssueItem, ...], Meta(min_length=1, max_length=ITEMS_MAX)]


class MemberAdmit(CallPart, frozen=True, tag="member_admit"):
    """Platform: countersign admissions (pseudonyms)."""

    items: Annotated[tuple[Bytes32, ...], Meta(min_length=1, max_length=ITEMS_MAX)]


class MemberRefuseItem(CallPart, frozen=True):
    """One refusal with its reason."""

    member: Bytes32
    reason: Annotated[int, Meta(ge=1, le=999)]
    """Published reason number of the plan."""


class MemberRefuse(CallPart, frozen=True, tag="member_refuse"):
    """Platform: refuse applications; what was paid in goes back."""

    items: Annotated[tuple[MemberRefuseItem, ...], Meta(min_length=1, max_length=ITEMS_MAX)]


class MemberAmend(CallPart, frozen=True, tag="member_amend"):
    """Member: replace the encrypted profile while waiting."""

    member: Bytes32
    field_commitments_root: Bytes32
    blob_hash: Bytes32
    is_health_changed: bool
    """True when health answers change: the waiting period starts again."""


class MemberLeave(CallPart, frozen=True, tag="member_leave"):
    """Member: leave, at any time, without a fee."""

    member: Bytes32


class MemberWithdraw(CallPart, frozen=True, tag="member_withdraw"):
    """Member: take out what is above the minimum deposit."""

    member: Bytes32
    amount: AmountFen


class MemberWeight(CallPart, frozen=True, tag="member_weight"):
    """Member: change the units of sharing."""

    member: Bytes32
    weight: Annotated[int, Meta(ge=1, le=100)]


# --- rules, accounts and keys of a member ------------------------------------------------------------------------


class MemberAcceptRules(CallPart, frozen=True, tag="member_accept_rules"):
    """Member: pin another version, or move to the pool that it opened."""

    member: Bytes32
    version: Number
    rules_hash: Bytes32
    """Hash of that version as the member read it."""


class AccountChange(CallPart, frozen=True, tag="account_change"):
    """Member: ask for another account; effective once the bank has verified it."""

    member: Bytes32
    account_commitment: Bytes32
    """Salted hash of the new account, which the bank opens with the member."""


class MemberRekeyRequest(CallPart, frozen=True, tag="member_rekey_request"):
    """Platform, an auditor and the new key: replace a lost key after 14 days in which the old one may veto."""

    member: Bytes32
    new_key: Bytes32


class MemberRekeyVeto(CallPart, frozen=True, tag="member_rekey_veto"):
    """Old key: stop a request to replace it."""

    member: Bytes32


class MemberRekeyRecover(CallPart, frozen=True, tag="member_rekey_recover"):
    """Recovery key (the key whose hash is `recovery_hash`): replace the key at once."""

    member: Bytes32
    new_key: Bytes32


class GuardianHandOver(CallPart, frozen=True, tag="guardian_hand_over"):
    """Guardian and the grown child's own key: pass the membership on."""

    member: Bytes32
    new_key: Bytes32


class DeathReport(CallPart, frozen=True, tag="death_report"):
    """Bank, auditor, or an heir together with an auditor: end the membership of somebody who died."""

    member: Bytes32
    document_hash: Bytes32


class DeathRevoke(CallPart, frozen=True, tag="death_revoke"):
    """The member's key with the bank, or with an auditor where the bank reported: the member lives."""

    member: Bytes32


# --- voiding, erasure, index epochs --------------------------------------------------------------------------------


class VoidOpen(CallPart, frozen=True, tag="void_open"):
    """Platform and an assessor firm: open a hearing on a false declaration."""

    member: Bytes32
    finding_root: Bytes32


class VoidAnswer(CallPart, frozen=True, tag="void_answer"):
    """Member: answer in the hearing."""

    member: Bytes32
    answer_hash: Bytes32


class VoidDecide(CallPart, frozen=True, tag="void_decide"):
    """Auditor: decide after the hearing."""

    member: Bytes32
    is_void: bool


class ErasureRequest(CallPart, frozen=True, tag="erasure_request"):
    """Member or auditor: have blobs and keys deleted everywhere."""

    member: Bytes32
    scope: Annotated[int, Meta(ge=0, le=1)]
    """0 profile and health answers, 1 all detached data of the member, claims included."""


class ErasureReceiptItem(CallPart, frozen=True):
    """One carried-out erasure."""

    member: Bytes32
    scope: Annotated[int, Meta(ge=0, le=1)]


class ErasureReceipt(CallPart, frozen=True, tag="erasure_receipt"):
    """Platform, bank, auditors, each for itself: blobs and keys are gone here."""

    items: Annotated[tuple[ErasureReceiptItem, ...], Meta(min_length=1, max_length=ITEMS_MAX)]


class IndexEpochOpen(CallPart, frozen=True, tag="index_epoch_open"):
    """Auditor and bank: begin a new epoch of the blind index, with new keys."""

    plan: Name
    epoch: Annotated[int, Meta(ge=1, le=65_535)]
    bank_point: Bytes32
    """Public key point of the bank's index key."""
    auditor_point: Bytes32
    """Public key point of the auditors' shared index key."""


class IndexReissueItem(CallPart, frozen=True):
    """One person's index in the new epoch."""

    member: Bytes32
    person_index: Bytes32


class IndexReissue(CallPart, frozen=True, tag="index_reissue"):
    """Bank and auditor, each for itself: the new index of live and barred persons."""

    epoch: Annotated[int, Meta(ge=1, le=65_535)]
    items: Annotated[tuple[IndexReissueItem, ...], Meta(min_length=1, max_length=ITEMS_MAX)]


class GhostAuditReport(CallPart, frozen=True, tag="ghost_audit_report"):
    """Auditor: what became of the members drawn for a check that they exist."""

    plan: Name
    pool: Annotated[int, Meta(ge=0, le=65_535)]
    draw: Number
    """Number of the draw."""
    sample_size: Annotated[int, Meta(ge=1, le=100_000)]
    found: Annotated[int, Meta(ge=0, le=100_000)]
    """How many of the sample exist as persons."""
    report_root: Bytes32
