"""Who calls what: each call to its life cycle.

A call gives the set of codes by which it may be refused; empty if it ran.
"""

import copy
from collections.abc import Callable, Sequence
from typing import TypeVar

from chain.contract.calls import Call, MemberCall, MemberKeyCall, MoneyCall, PersonCall, PlanCall
from chain.contract.member_calls import (
    AccountChange,
    AccountVerify,
    DeathReport,
    DeathRevoke,
    ErasureReceipt,
    ErasureRequest,
    GhostAuditReport,
    GuardianHandOver,
    IndexEpochOpen,
    IndexIssue,
    IndexReissue,
    MemberAcceptRules,
    MemberAdmit,
    MemberAmend,
    MemberApply,
    MemberLeave,
    MemberRefuse,
    MemberRekeyRecover,
    MemberRekeyRequest,
    MemberRekeyVeto,
    MemberWeight,
    MemberWithdraw,
    VoidAnswer,
    VoidDecide,
    VoidOpen,
)
from chain.contract.money_calls import (
    BalanceConfirm,
    CashOther,
    DepositCredit,
    DepositMatch,
    DepositReverse,
    FeeWithdraw,
    InstructionAck,
    InstructionUnclaimed,
    SingleRelease,
    StatementObject,
    StatementPost,
    StatementResolve,
)
from chain.contract.plan_calls import BatchSign, Pause, Resume, RulesPublish, WindDown
from tests.model import (
    accounts,
    admission,
    batches,
    claims_rules,
    deaths,
    deposits,
    epochs,
    erasures,
    ghosts,
    hearings,
    keys,
    members,
    payments,
    statements,
    stops,
    versions,
    wind,
)
from tests.model.book import Book, Custody
from tests.model.halves import cosign

T = TypeVar("T")
Result = tuple[set[str], list[set[str]]]
"""(codes that refuse the whole, codes of each item: empty where it succeeded)."""


def run_call(book: Book, signer: bytes, tx_id: bytes, call: Call) -> Result:
    """Run one call."""
    if isinstance(call, MoneyCall):
        return run_money_call(book, signer, call)
    if isinstance(call, MemberCall):
        return run_member_call(book, signer, tx_id, call)
    if isinstance(call, MemberKeyCall):
        return run_key_call(book, signer, call), []
    if isinstance(call, PersonCall):
        return run_person_call(book, signer, call)
    if isinstance(call, PlanCall):
        return run_plan_call(book, signer, call), []
    return claims_rules.run_call(book, signer, tx_id, call)


# --- batches ---


def run_items(book: Book, signer: bytes, role: str, items: Sequence[T], act: Callable[[Book, T], set[str]]) -> Result:
    """Run independent items for a role."""
    if book.role_of(signer) != role:
        return {"wrong_role"}, []
    return set(), [act(book, item) for item in items]


def cosign_items(
    book: Book, signer: bytes, call: Call, role: str, items: Sequence[T], act: Callable[[Book, T], set[str]]
) -> Result:
    """Run items once an auditor (or platform) and the bank have signed; a half of which none would run is refused."""
    problems, signed = cosign(book, signer, call, role, "custodian")
    if problems:
        return problems, []
    if signed is not None:
        return set(), [act(book, item) for item in items]
    tried = copy.deepcopy(book)
    outcomes = [act(tried, item) for item in items]
    if all(outcomes):
        del book.halves[call]
        return set.union({"items_refused"}, *outcomes), []
    return set(), []


# --- by area ---


def run_member_call(book: Book, signer: bytes, tx_id: bytes, call: MemberCall) -> Result:
    """Run a call on a membership."""
    match call:
        case AccountVerify():
            return run_items(book, signer, "custodian", call.items, admission.account_verify)
        case IndexIssue():
            return run_items(book, signer, "auditor", call.items, admission.index_issue)
        case MemberAdmit():
            return run_items(book, signer, "platform", call.items, admission.member_admit)
        case MemberRefuse():
            return run_items(book, signer, "platform", call.items, admission.member_refuse)
        case MemberApply():
            return members.member_apply(book, signer, tx_id, call), []
        case MemberAmend():
            return members.member_amend(book, signer, call), []
        case MemberLeave():
            return members.member_leave(book, signer, call), []
        case MemberWithdraw():
            return members.member_withdraw(book, signer, call), []
        case MemberWeight():
            return members.member_weight(book, signer, call), []
        case MemberAcceptRules():
            return versions.member_accept_rules(book, signer, call), []


def run_key_call(book: Book, signer: bytes, call: MemberKeyCall) -> set[str]:
    """Run a call on an account, a key, or a death."""
    match call:
        case AccountChange():
            return accounts.account_change(book, signer, call)
        case MemberRekeyRequest():
            return keys.rekey_request(book, signer, call)
        case MemberRekeyVeto():
            return keys.rekey_veto(book, signer, call)
        case MemberRekeyRecover():
            return keys.rekey_recover(book, signer, call)
        case GuardianHandOver():
            return keys.hand_over(book, signer, call)
        case DeathReport():
            return deaths.death_report(book, signer, call)
        case DeathRevoke():
            return deaths.death_revoke(book, signer, call)


def run_person_call(book: Book, signer: bytes, call: PersonCall) -> Result:
    """Run a call on a person."""
    name, role = book.organisations.get(signer, ("", ""))
    match call:
        case VoidOpen():
            return hearings.void_open(book, signer, call), []
        case VoidAnswer():
            return hearings.void_answer(book, signer, call), []
        case VoidDecide():
            return hearings.void_decide(book, signer, call), []
        case ErasureRequest():
            return erasures.erasure_request(book, signer, call), []
        case ErasureReceipt():
            if role not in ("platform", "custodian", "auditor"):
                return {"wrong_role"}, []
            return set(), [erasures.receive(book, name, item) for item in call.items]
        case IndexEpochOpen():
            return epochs.index_epoch_open(book, signer, call), []
        case IndexReissue():
            if role not in ("custodian", "auditor"):
                return {"wrong_role"}, []
            return set(), [epochs.reissue(book, role, call.epoch, item) for item in call.items]
        case GhostAuditReport():
            return ghosts.ghost_audit_report(book, signer, call), []


def run_plan_call(book: Book, signer: bytes, call: PlanCall) -> set[str]:
    """Run a call on the plan as a whole."""
    match call:
        case BatchSign():
            return batches.batch_sign(book, signer, call)
        case RulesPublish():
            return versions.rules_publish(book, signer, call)
        case Pause():
            return stops.pause(book, signer, call)
        case Resume():
            return stops.resume(book, signer, call)
        case WindDown():
            return wind.wind_down(book, signer, call)


def run_money_call(book: Book, signer: bytes, call: MoneyCall) -> Result:
    """Run a call on money."""
    match call:
        case DepositReverse():
            return deposits.deposit_reverse(book, signer, call), []
        case SingleRelease():
            return payments.single_release(book, signer, call), []
        case FeeWithdraw():
            return payments.fee_withdraw(book, signer, call), []
        case StatementResolve():
            return statements.statement_resolve(book, signer, call), []
        case StatementObject():
            return statements.statement_object(book, signer, call), []
        case BalanceConfirm():
            return statements.balance_confirm(book, signer, call), []
        case _:
            custody = book.find_custody(call.account)
            if custody is not None:
                return run_bank_call(book, custody, signer, call)
            is_alone = not isinstance(call, DepositMatch | CashOther | InstructionUnclaimed)
            is_stranger = is_alone and book.role_of(signer) != "custodian"
            return {"account_unknown"} | ({"wrong_role"} if is_stranger else set()), []


def run_bank_call(
    book: Book,
    custody: Custody,
    signer: bytes,
    call: DepositCredit | InstructionAck | StatementPost | DepositMatch | CashOther | InstructionUnclaimed,
) -> Result:
    """Run a call on one account."""
    at = custody.name

    def on_account(act: Callable[[Book, Custody, T], set[str]]) -> Callable[[Book, T], set[str]]:
        def run(one: Book, item: T) -> set[str]:
            account = one.find_custody(at)
            assert account is not None
            return act(one, account, item)

        return run

    match call:
        case DepositCredit():
            return run_items(book, signer, "custodian", call.items, on_account(deposits.deposit_credit))
        case InstructionAck():
            return run_items(book, signer, "custodian", call.items, on_account(payments.instruction_ack))
        case StatementPost():
            if book.role_of(signer) != "custodian":
                return {"wrong_role"}, []
            return statements.statement_post(book, custody, call), []
        case DepositMatch():
            return cosign_items(book, signer, call, "platform", call.items, on_account(deposits.deposit_match))
        case InstructionUnclaimed():
            return cosign_items(book, signer, call, "auditor", call.items, on_account(payments.unclaim))
        case CashOther():
            act = on_account(statements.cash_other)
            if any(item.kind == statements.RECOVERY for item in call.items):
                return cosign_items(book, signer, call, "auditor", call.items, act)
            return run_items(book, signer, "custodian", call.items, act)
