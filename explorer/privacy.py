"""What the API does not say: the link between a claim and a member (contract 6).

Bodies, signers and events of calls that carry both are withheld; everybody still gets the log entry and its
proof. A call or event that this module does not know is withheld too: publishing is the decision, not the
default. Node operators see everything, and the documentation says so.
"""

from collections.abc import Iterable

from msgspec import Struct

from chain.contract.custody_tables import INSTRUCTION_AID, InstructionRecord
from chain.contract.events import Event

PUBLIC_CALLS = frozenset(
    {
        "member_apply", "account_verify", "index_issue", "member_admit", "member_refuse", "member_amend",
        "member_leave", "member_withdraw", "member_weight", "deposit_credit", "instruction_ack",
        "statement_post", "assessor_accept", "report_commit", "report_reveal", "certificate_attach",
        "claim_decide", "claim_confirm", "batch_sign", "assessor_decline", "objection_rule", "reaudit_report",
        "deposit_match", "deposit_reverse", "cash_other", "instruction_unclaimed", "single_release", "fee_withdraw",
        "void_open", "void_answer", "void_decide", "erasure_request", "erasure_receipt", "index_epoch_open",
        "index_reissue", "ghost_audit_report",
        "statement_resolve", "statement_object", "balance_confirm",
        "account_change", "member_rekey_request", "member_rekey_veto", "member_rekey_recover", "guardian_hand_over",
        "death_report", "death_revoke", "appeal_rule",
        "rules_publish", "pause", "resume", "wind_down", "member_accept_rules",
        "proposal_open", "proposal_vote", "org_key_revoke", "validator_ready", "rejoin",
    }
)  # fmt: skip
"""Calls that name a member or a claim, never both."""
WITHHELD_CALLS = frozenset(
    {
        "claim_file", "claim_withdraw", "claim_payee", "claim_card", "objection_file", "appeal_file",
        "ballot_commit", "ballot_reveal",
    }
)  # fmt: skip
"""Calls that name both, or are signed by the key of the member whose claim they name; ballots, which say who judges
whom; and the card of a notice, which is public for as long as the notice lasts and no longer."""
CLAIM_FIELDS_WITHHELD = ("member", "cause", "diagnosed_day", "evidence_root", "payee_kind", "asked_row")
"""Fields of a claim's record that name the member or describe the person."""


def is_withheld(call: str) -> bool:
    """Tell whether the body, signer and events of calls with this name are kept from the public."""
    return call not in PUBLIC_CALLS


def names_claim(events: Iterable[Event]) -> bool:
    """Tell whether any of the events is about a claim."""
    return any(_get_subject(event, "claim") is not None for event in events)


def publish_events(events: tuple[Event, ...]) -> tuple[list[Event], int]:
    """Return the events that may stand together in one public answer, and how many are withheld.

    Where a receipt speaks of claims, what it says of members is left out, because standing side by side would
    link them.
    """
    if not names_claim(events):
        return list(events), 0
    shown = [event for event in events if _get_subject(event, "member") is None]
    return shown, len(events) - len(shown)


def _get_subject(event: Struct, name: str) -> object:
    return getattr(event, name, None)


def is_payee_withheld(record: InstructionRecord) -> bool:
    """Tell whether an instruction's member is kept from the public: wherever it also belongs to a claim."""
    return record.kind == INSTRUCTION_AID or record.claim is not None
