"""What the tests of rare money share: two signers, recalls, the bank's own figures beside the chain's."""

from msgspec.structs import replace

from chain.contract.calls import Call
from chain.contract.custody_tables import ACCOUNT, STATEMENT, AccountRecord, StatementRecord
from chain.contract.money_calls import (
    CashOther,
    CashOtherItem,
    DepositCredit,
    DepositCreditItem,
    DepositReverse,
    StatementLine,
    StatementObject,
    StatementPost,
    StatementResolve,
)
from chain.contract.money_tables import CASH_RECOVERY, RECONCILIATION
from chain.contract.rules import Outcome
from tests.chain.contract.claim_world import list_pending
from tests.chain.contract.world import ACCOUNT_NAME, World, name_hash

SUCCESS, FAULT, WRONG_ROLE, ALREADY, CONFLICT, ITEMS_REFUSED = 0, 1, 2, 7, 8, 10
NOTICE, CHARGE, NEXT_NOTICE, NEXT_CHARGE = 20_491, 20_498, 20_505, 20_512
BANK_AND_AUDITOR = ("bank", "audit-one")


def sign(world: World, call: Call, signers: tuple[str, ...] = BANK_AND_AUDITOR) -> Outcome:
    """Let several parties send a call; return the last outcome, or the first that is no success."""
    outcome = Outcome(number=SUCCESS, items=())
    for signer in signers:
        outcome = world.call(signer, call)
        if outcome.number != SUCCESS:
            return outcome
    return outcome


def assert_changes_nothing(world: World, call: Call, number: int, signers: tuple[str, ...] = ("bank",)) -> None:
    """Check that a call is refused with this number and leaves nothing behind."""
    for signer in signers[:-1]:
        assert world.call(signer, call).number == SUCCESS
    before = list_pending(world.state)
    outcome = world.call(signers[-1], call)
    assert outcome.number == number, outcome
    assert list_pending(world.state) == before
    assert world.last_events == []


def credit_item(world: World, item: DepositCreditItem) -> DepositCreditItem:
    """Let the bank book a deposit."""
    assert world.call("bank", DepositCredit(account=ACCOUNT_NAME, items=(item,))).items == (SUCCESS,)
    return item


def build_recall(world: World, item: DepositCreditItem, amount: int, *, ref: str = "recall") -> DepositReverse:
    """Return the recall of a deposit."""
    return DepositReverse(
        account=ACCOUNT_NAME,
        deposit_day=item.booking_day,
        deposit_ref=item.ref_token,
        amount=amount,
        booking_day=world.today,
        ref_token=name_hash(ref),
    )


def build_cash(world: World, kind: int, amount: int, **changes: object) -> CashOtherItem:
    """Return another movement of today."""
    fields: dict[str, object] = {
        "kind": kind,
        "claim": None,
        "instruction": None,
        "amount": amount,
        "booking_day": world.today,
        "ref_token": name_hash("cash", kind, amount),
        "payer_token": None if kind == CASH_RECOVERY else name_hash("payer"),
    }
    return CashOtherItem(**{**fields, **changes})  # type: ignore[arg-type]


def book_cash(world: World, *items: CashOtherItem, signers: tuple[str, ...] = ("bank",)) -> Outcome:
    """Let the bank (and an auditor) book other movements."""
    return sign(world, CashOther(account=ACCOUNT_NAME, items=items), signers)


def get_owed(world: World) -> int:
    """Return what the account is short of."""
    record = world.state.get(RECONCILIATION, ACCOUNT_NAME)
    return 0 if record is None else record.owed


def get_account(world: World) -> AccountRecord:
    return world.state.require(ACCOUNT, ACCOUNT_NAME)


def get_statement(world: World, number: int) -> StatementRecord:
    return world.state.require(STATEMENT, ACCOUNT_NAME, number)


def post_missing(world: World, **changes: int) -> StatementPost:
    """Post one statement up to yesterday, with other figures than the books where given; return it."""
    account = get_account(world)
    call = world.build_statement(account.closed_day + 1, world.today - 1)
    call = replace(call, **changes) if changes else call
    assert world.call("bank", call).number == SUCCESS
    return call


def build_resolution(statement: StatementPost, span: int, *lines: StatementLine, **changes: object) -> StatementResolve:
    """Return an explanation of a posted statement."""
    call = StatementResolve(
        account=statement.account,
        span=span,
        opening=statement.opening,
        closing=statement.closing,
        in_count=statement.in_count,
        in_sum=statement.in_sum,
        out_count=statement.out_count,
        out_sum=statement.out_sum,
        file_hash=statement.file_hash,
        lines=lines,
        reason_hash=name_hash("reason"),
    )
    return replace(call, **changes) if changes else call


def build_objection(span: int) -> StatementObject:
    return StatementObject(account=ACCOUNT_NAME, span=span, reason_hash=name_hash("objection"))
