"""Answers about claims, settlements and payouts, from their records (`answers_plan.py` holds their form)."""

from msgspec import UNSET

from chain.contract.claim_tables import CLAIM_STATUS_NAMES, ClaimRecord, DrawnFirm
from chain.contract.custody_tables import INSTRUCTION_KIND_NAMES, INSTRUCTION_STATE_NAMES, InstructionRecord
from chain.contract.settlement_tables import SettlementRecord
from explorer.answers_plan import (
    ClaimAnswer,
    ClaimSummary,
    FirmAnswer,
    PayoutAnswer,
    SettledItemAnswer,
    SettlementAnswer,
)
from explorer.answers_review import ClaimReviewAnswer
from explorer.privacy import CLAIM_FIELDS_WITHHELD, is_payee_withheld
from explorer.represent import (
    FINDING_NAMES,
    ITEM_KIND_NAMES,
    SOURCE_NAMES,
    build_money,
    format_day,
    format_set_day,
    get_name,
)

ASKED_NAMES = ("platform", "first_auditor", "second_auditor", "reports")


# --- claims -------------------------------------------------------------------------------------------------


def build_claim_summary(claim_id: bytes, claim: ClaimRecord) -> ClaimSummary:
    """Return one line of the list of claims."""
    return ClaimSummary(
        claim=claim_id.hex(),
        number=claim.number,
        plan=claim.plan,
        pool=claim.pool,
        status=get_name(CLAIM_STATUS_NAMES, claim.status),
        filed=format_day(claim.filed_day),
        amount=build_money(claim.amount),
        granted=build_money(claim.granted),
        paid=build_money(claim.paid),
        period=claim.period,
    )


def build_claim(claim_id: bytes, claim: ClaimRecord, review: ClaimReviewAnswer) -> ClaimAnswer:
    """Return one claim: its path and its signers, never whose it is."""
    certificate = claim.certificate
    return ClaimAnswer(
        claim=claim_id.hex(),
        number=claim.number,
        plan=claim.plan,
        pool=claim.pool,
        status=get_name(CLAIM_STATUS_NAMES, claim.status),
        filed=format_day(claim.filed_day),
        filed_height=claim.filed_height,
        version=claim.version,
        firms=[_build_firm(firm) for firm in claim.firms],
        certificate_source=None if certificate is None else get_name(SOURCE_NAMES, certificate[0]),
        certificate_hash=None if certificate is None else certificate[1].hex(),
        decided_by=claim.decided_by,
        clauses=list(claim.clauses),
        row=claim.row,
        due=format_set_day(claim.due_day),
        asked=get_name(ASKED_NAMES, claim.escalation),
        period=claim.period,
        amount=build_money(claim.amount),
        granted=build_money(claim.granted),
        paid=build_money(claim.paid),
        is_flagged=claim.is_flagged,
        review=review,
        withheld=list(CLAIM_FIELDS_WITHHELD),
    )


def _build_firm(firm: DrawnFirm) -> FirmAnswer:
    if not firm.is_revealed:
        return FirmAnswer(
            organisation=firm.organisation,
            drawn=format_day(firm.drawn_day),
            is_accepted=firm.is_accepted,
            is_committed=firm.commit_hash is not None,
            is_revealed=False,
        )
    return FirmAnswer(
        organisation=firm.organisation,
        drawn=format_day(firm.drawn_day),
        is_accepted=firm.is_accepted,
        is_committed=True,
        is_revealed=True,
        finding=get_name(FINDING_NAMES, firm.finding),
        row=firm.row,
        established_day=format_day(firm.established_day),
        clauses=list(firm.clauses),
        report_root=None if firm.report_root is None else firm.report_root.hex(),
    )


# --- settlements and payouts --------------------------------------------------------------------------------


def build_settlement(
    *, plan: str, pool: int, number: int, record: SettlementRecord, has_proofs: bool
) -> SettlementAnswer:
    """Return one settlement."""
    return SettlementAnswer(
        plan=plan,
        pool=pool,
        settlement=number,
        day=format_day(record.day),
        height=record.height,
        units_at_notice=record.units_at_notice,
        members_at_notice=record.members_at_notice,
        members=record.members,
        units=record.units,
        units_full=record.units_full,
        units_part=record.units_part,
        part_paid=build_money(record.part_paid),
        per=build_money(record.per),
        per_max=build_money(record.per_max),
        index_before=build_money(record.index_before),
        cost=build_money(record.cost),
        collected=build_money(record.collected),
        carry_before=build_money(record.carry_before),
        carry_after=build_money(record.carry_after),
        year_index=build_money(record.year_index),
        cases=record.cases,
        is_unfundable=record.is_unfundable,
        version=record.version,
        items=[
            SettledItemAnswer(
                claim=item.claim.hex(),
                kind=get_name(ITEM_KIND_NAMES, item.kind),
                asked=build_money(item.amount),
                granted=build_money(item.granted),
                fee_bp=item.fee_bp,
                fee=build_money(item.fee),
                rest_carried=build_money(item.rest_carried),
                rest_ended=build_money(item.rest_ended),
                is_carried=item.is_carried,
            )
            for item in record.items
        ],
        tree_root=record.tree_root.hex(),
        proofs=[proof.hex() for proof in record.proofs] if has_proofs else UNSET,
    )


def build_payout(instruction_id: bytes, record: InstructionRecord) -> PayoutAnswer:
    """Return one instruction; account tokens and bank references stay out, and the payee of a claim as
    well."""
    is_withheld = is_payee_withheld(record)
    return PayoutAnswer(
        instruction=instruction_id.hex(),
        kind=get_name(INSTRUCTION_KIND_NAMES, record.kind),
        state=get_name(INSTRUCTION_STATE_NAMES, record.state),
        plan=record.plan,
        pool=record.pool,
        period=record.period,
        amount=build_money(record.amount),
        created=format_day(record.created_day),
        attempt=record.attempt,
        booked=format_set_day(record.booking_day),
        reason=record.reason,
        claim=UNSET if record.claim is None else record.claim.hex(),
        member=UNSET if is_withheld or record.member is None else record.member.hex(),
    )
