"""Who calls what around claims, appeals and governance (rules.py)."""

from chain.contract.calls import AppealCall, ClaimCall, GovernanceCall, ReviewCall
from chain.contract.claim_calls import (
    AppealFile,
    AppealRule,
    AssessorAccept,
    AssessorDecline,
    BallotCommit,
    BallotReveal,
    CertificateAttach,
    ClaimCard,
    ClaimConfirm,
    ClaimDecide,
    ClaimFile,
    ClaimPayee,
    ClaimWithdraw,
    ObjectionFile,
    ObjectionRule,
    ReauditReport,
    ReportCommit,
    ReportReveal,
)
from chain.contract.governance_calls import OrgKeyRevoke, ProposalOpen, ProposalVote, Rejoin, ValidatorReady
from tests.model import appeals, assessors, claims, decisions, governance, objections, reaudit, validators
from tests.model.book import Book


def run_call(
    book: Book, signer: bytes, tx_id: bytes, call: ClaimCall | ReviewCall | AppealCall | GovernanceCall
) -> tuple[set[str], list[set[str]]]:
    """Run one call."""
    if isinstance(call, ClaimCall):
        return run_claim_call(book, signer, tx_id, call)
    if isinstance(call, ReviewCall):
        return run_review_call(book, signer, tx_id, call), []
    if isinstance(call, AppealCall):
        return run_appeal_call(book, signer, tx_id, call)
    match call:
        case ProposalOpen():
            return governance.proposal_open(book, signer, tx_id, call), []
        case ProposalVote():
            return governance.proposal_vote(book, signer, call), []
        case OrgKeyRevoke():
            return governance.org_key_revoke(book, signer, call), []
        case ValidatorReady() | Rejoin():
            return validators.run_call(book, signer, call), []


def run_claim_call(book: Book, signer: bytes, tx_id: bytes, call: ClaimCall) -> tuple[set[str], list[set[str]]]:
    """Run a call on a claim."""
    match call:
        case ClaimFile():
            return claims.claim_file(book, signer, tx_id, call), []
        case AssessorAccept():
            return assessors.assessor_accept(book, signer, call), []
        case ReportCommit():
            return assessors.report_commit(book, signer, call), []
        case ReportReveal():
            return assessors.report_reveal(book, signer, call), []
        case CertificateAttach():
            return assessors.certificate_attach(book, signer, call), []
        case ClaimDecide():
            return decisions.claim_decide(book, signer, call), []
        case ClaimConfirm():
            name, role = book.organisations.get(signer, ("", ""))
            if role != "auditor":
                return {"wrong_role"}, []
            return set(), [decisions.claim_confirm(book, name, item) for item in call.items]


def run_review_call(book: Book, signer: bytes, tx_id: bytes, call: ReviewCall) -> set[str]:
    """Run a call around a claim."""
    match call:
        case ClaimWithdraw():
            return claims.claim_withdraw(book, signer, call)
        case ClaimPayee():
            return claims.claim_payee(book, signer, call)
        case AssessorDecline():
            return assessors.assessor_decline(book, signer, call)
        case ClaimCard():
            return claims.claim_card(book, signer, call)
        case ObjectionFile():
            return objections.objection_file(book, signer, tx_id, call)
        case ObjectionRule():
            return objections.objection_rule(book, signer, call)
        case ReauditReport():
            return reaudit.reaudit_report(book, signer, call)


def run_appeal_call(book: Book, signer: bytes, tx_id: bytes, call: AppealCall) -> tuple[set[str], list[set[str]]]:
    """Run a call on an appeal."""
    match call:
        case AppealFile():
            return appeals.appeal_file(book, signer, tx_id, call), []
        case AppealRule():
            return appeals.appeal_rule(book, signer, call), []
        case BallotCommit():
            problems = appeals.find_voter_problems(book, signer, call.member)
            return problems, [] if problems else [appeals.ballot_commit(book, call.member, item) for item in call.items]
        case BallotReveal():
            problems = appeals.find_voter_problems(book, signer, call.member)
            return problems, [] if problems else [appeals.ballot_reveal(book, call.member, item) for item in call.items]
