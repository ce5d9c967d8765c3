"""The attacks of contract 7 on custody and on the money of members, each by signed transactions on a ledger.

Each docstring names the rule that refuses the attack, or the public number that shows it.
"""

from pathlib import Path

import pytest
from msgspec.structs import replace

from chain.contract.claim_calls import ClaimConfirm
from chain.contract.custody_tables import (
    ACCOUNT,
    INSTRUCTION_REFUND,
    INSTRUCTION_RETURN,
    STATEMENT,
)
from chain.contract.deposit import RETURN_DAYS
from chain.contract.events import DepositCredited, MemberExited, NoticeOpened
from chain.contract.freeze import END_DAYS, VOTE_DAYS
from chain.contract.member_calls import MemberLeave, MemberWithdraw
from chain.contract.money_calls import (
    BalanceConfirm,
    CashOther,
    CashOtherItem,
    DepositMatch,
    DepositMatchItem,
    FeeWithdraw,
    ForeignDebit,
    StatementObject,
    StatementResolve,
)
from chain.contract.money_events import CustodyVoteDue, ShortageChanged, StatementDisputed
from chain.contract.money_tables import CASH_INTEREST, CASH_REPAYMENT, RECONCILIATION
from chain.contract.settlement_check import verify_settlement
from chain.types import FEN_MAX
from tests.chain.contract.attack_chain import AttackChain, open_chain, start
from tests.chain.contract.attack_ledger import ACCOUNT_NAME, DEPOSIT_FEN, PLAN_NAME, hash_of

MILLION_YUAN = 100_000_000


def build_cash(chain: AttackChain, kind: int, amount: int) -> CashOther:
    item = CashOtherItem(
        kind=kind,
        claim=None,
        instruction=None,
        amount=amount,
        booking_day=chain.today,
        ref_token=hash_of("cash", kind, chain.today),
        payer_token=hash_of("payer"),
    )
    return CashOther(account=ACCOUNT_NAME, items=(item,))


def start_rich(chain: AttackChain) -> list[str]:
    """Let people join, and more than a million yuan be in custody."""
    people = start(chain)
    chain.must(("custodian", build_cash(chain, CASH_INTEREST, 2 * MILLION_YUAN)))
    chain.advance(1)
    chain.is_bank_honest = False
    return people


# --- a million yuan moved out of custody ---


def test_a_million_yuan_moved_out_and_told_freezes_the_plan_until_it_is_repaid(tmp_path: Path) -> None:
    """Contract 2 *Custody*, ADR 0017: the statement is a MISMATCH, the plan FROZEN the next day; a foreign debit is the
    bank's debt (`ShortageChanged`), never the pool's: it stays frozen until it is repaid to the fen."""
    with open_chain(tmp_path) as chain:
        start_rich(chain)
        before = chain.pool
        chain.send_all(step_ms=86_400_000)
        true = chain.build_statement()
        posted = chain.build_statement(
            closing=true.closing - MILLION_YUAN, out_count=true.out_count + 1, out_sum=true.out_sum + MILLION_YUAN
        )
        chain.must(("custodian", posted))
        number = chain.require(ACCOUNT, ACCOUNT_NAME).statements - 1
        assert not chain.require(STATEMENT, ACCOUNT_NAME, number).is_matched
        chain.advance(1)
        assert chain.plan_status == "frozen"
        assert chain.send("platform", build_fee(1)) == "plan_not_active"

        debit = ForeignDebit(amount=MILLION_YUAN, booking_day=posted.to_day, ref_token=hash_of("debit"))
        explanation = StatementResolve(
            account=ACCOUNT_NAME,
            span=number,
            opening=posted.opening,
            closing=posted.closing,
            in_count=posted.in_count,
            in_sum=posted.in_sum,
            out_count=posted.out_count,
            out_sum=posted.out_sum,
            file_hash=posted.file_hash,
            lines=(),
            reason_hash=hash_of("reason"),
        )
        assert chain.send("custodian", explanation) == "lines_mismatch"
        explanation = replace(explanation, lines=(debit,))
        chain.must(("custodian", explanation), ("auditor-1", explanation))
        chain.advance(3)
        assert chain.require(RECONCILIATION, ACCOUNT_NAME).owed == MILLION_YUAN
        assert chain.plan_status == "frozen"
        assert chain.pool == before

        chain.must(("custodian", build_cash(chain, CASH_REPAYMENT, MILLION_YUAN - 1)))
        chain.advance(2)
        assert chain.plan_status == "frozen"
        chain.must(("custodian", build_cash(chain, CASH_REPAYMENT, 1)))
        chain.advance(1)
        chain.is_bank_honest = True
        chain.advance(2)
        assert chain.plan_status == "active"
        assert chain.pool.cash == before.cash
        assert [event.owed for event in chain.events if isinstance(event, ShortageChanged)] == [MILLION_YUAN, 1, 0]


def build_fee(amount: int) -> FeeWithdraw:
    return FeeWithdraw(plan=PLAN_NAME, pool=0, amount=amount, account_token=hash_of("platform"))


def test_a_million_yuan_moved_out_behind_a_true_looking_statement_is_told_by_two_letters(tmp_path: Path) -> None:
    """Contract 5 *balance_confirm*, ADR 0017: the auditors ask the bank's registry themselves; one letter that differs
    is public (`is_equal`), two make the statement a mismatch and freeze the plan."""
    with open_chain(tmp_path) as chain:
        start_rich(chain)
        chain.send_all(step_ms=86_400_000)
        posted = chain.build_statement()
        chain.must(("custodian", posted))
        letter = BalanceConfirm(
            account=ACCOUNT_NAME,
            day=posted.to_day,
            closing=posted.closing - MILLION_YUAN,
            letter_hash=hash_of("letter"),
        )
        chain.must(("auditor-1", letter))
        chain.is_bank_honest = True
        chain.advance(1)
        assert chain.plan_status == "active"
        chain.must(("auditor-2", letter))
        assert chain.count_events(StatementDisputed) == 1
        chain.advance(1)
        assert chain.plan_status == "frozen"


def test_bank_and_one_auditor_explain_nothing_away_against_the_other(tmp_path: Path) -> None:
    """Contract 5 *statement_resolve*: lines must add up exactly, take effect after two days, and the other auditor
    objects; frozen for 30 days a vote is due (`CustodyVoteDue`), for 60 the plan ends."""
    with open_chain(tmp_path) as chain:
        start_rich(chain)
        chain.send_all(step_ms=86_400_000)
        true = chain.build_statement()
        posted = chain.build_statement(closing=true.closing - MILLION_YUAN)
        chain.must(("custodian", posted))
        number = chain.require(ACCOUNT, ACCOUNT_NAME).statements - 1
        corrected = StatementResolve(
            account=ACCOUNT_NAME,
            span=number,
            opening=true.opening,
            closing=true.closing,
            in_count=true.in_count,
            in_sum=true.in_sum,
            out_count=true.out_count,
            out_sum=true.out_sum,
            file_hash=hash_of("another file"),
            lines=(),
            reason_hash=hash_of("a typing error"),
        )
        chain.must(("custodian", corrected), ("auditor-1", corrected))
        objection = StatementObject(account=ACCOUNT_NAME, span=number, reason_hash=hash_of("it is gone"))
        assert chain.send("auditor-1", objection) == "resolution_signer"
        assert chain.send("auditor-2", objection) == "success"
        chain.advance(VOTE_DAYS + 1)
        assert (chain.plan_status, chain.count_events(CustodyVoteDue)) == ("frozen", 1)
        chain.advance(END_DAYS - VOTE_DAYS)
        assert chain.plan_status == "wind_down"


def test_no_call_moves_money_to_an_account_that_the_chain_does_not_know(tmp_path: Path) -> None:
    """Contract 3.5, 5: what leaves is an instruction that the contract made; the bank's answer to any other is
    `instruction_unknown`, a fee beyond what was earned `fee_too_high`, and a settled debit without one a mismatch."""
    with open_chain(tmp_path) as chain:
        start_rich(chain)
        assert chain.ready() == []
        assert chain.send("platform", build_fee(1)) == "fee_too_high"
        before = chain.pool
        chain.send_all(step_ms=86_400_000)
        true = chain.build_statement()
        lie = chain.build_statement(closing=true.closing - 1, out_count=true.out_count + 1, out_sum=true.out_sum + 1)
        chain.must(("custodian", lie))
        chain.advance(1)
        assert (chain.plan_status, chain.pool) == ("frozen", before)


# --- a wrong closing balance ---


@pytest.mark.parametrize(
    "changes",
    [
        {"closing": 1},
        {"closing": -1},
        {"opening": 1, "closing": 1},
        {"in_sum": 1, "closing": 1},
        {"in_count": 1},
        {"out_sum": 1, "out_count": 1, "closing": -1},
    ],
    ids="-".join,
)
def test_a_wrong_figure_in_a_statement_is_a_mismatch_and_freezes_the_next_day(
    tmp_path: Path, changes: dict[str, int]
) -> None:
    """Contract 3.7 *statement*: opening, sums, counts and closing against the booked days, to the fen."""
    with open_chain(tmp_path) as chain:
        start(chain)
        chain.must(("custodian", build_cash(chain, CASH_INTEREST, 777)))
        chain.is_bank_honest = False
        chain.send_all(step_ms=86_400_000)
        true = chain.build_statement()
        wrong = {name: getattr(true, name) + change for name, change in changes.items()}
        chain.must(("custodian", chain.build_statement(**wrong)))
        assert chain.plan_status == "active"
        chain.advance(1)
        assert chain.plan_status == "frozen"


def test_no_statement_at_all_freezes_the_plan_and_then_ends_it(tmp_path: Path) -> None:
    """Contract 5 *statement_post*: FROZEN from the 13th day after the last closed one, and 60 days later WIND_DOWN."""
    with open_chain(tmp_path) as chain:
        start(chain)
        chain.is_bank_honest = False
        chain.advance(11)
        assert chain.plan_status == "active"
        chain.advance(1)
        assert chain.plan_status == "frozen"
        chain.advance(END_DAYS)
        assert chain.plan_status == "wind_down"


# --- an exit wave of 2 % a day ---


def test_an_exit_wave_of_two_per_cent_a_day_pays_everybody_and_shows_in_every_notice(tmp_path: Path) -> None:
    """Contract 2, 3.5 *exit*: leaving is the member's act alone; who leaves in the window shares that period and goes
    after it. The public numbers are the counts of each notice and settlement; the rest pays no more than the caps."""
    with open_chain(tmp_path) as chain:
        people = start(chain, count=100)
        claims = chain.approve(people[-3:])
        leaving = people[:60]
        owed = 0
        while leaving:
            for name in (leaving.pop(0), leaving.pop(0)):
                assert chain.send(name, MemberLeave(member=chain.members[name])) == "success"
            chain.advance(1)
            confirmer = chain.period(chain.pool.settlements).confirmer
            if confirmer is not None:
                chain.send_all((confirmer, ClaimConfirm(items=tuple(claims))))
        for key, record in chain.ready():
            assert record.kind == INSTRUCTION_REFUND
            owed += record.amount
            assert chain.answer(key) == "success"
        counts = [event.members for event in chain.events if isinstance(event, NoticeOpened)]
        assert counts == sorted(counts, reverse=True)
        assert counts[-1] < counts[0] < 100
        exits = [event for event in chain.events if isinstance(event, MemberExited)]
        assert len(exits) == 60
        assert sum(event.refund for event in exits) == owed
        pool = chain.pool
        assert (pool.entered - pool.exited, pool.outgoing) == (40, 0)
        assert pool.cash == 100 * DEPOSIT_FEN - owed
        charged = [chain.settlement(number) for number in range(pool.settlements)]
        for settlement in charged:
            verify_settlement(settlement, chain.terms.pool)
        assert [record.members for record in charged] == counts[: len(charged)]
        assert [record.cost for record in charged if record.cost] == [3 * 54_000]
        # Who left on a day of the first window has paid the share of that period like everybody else.
        in_window = [event.refund for event in exits if event.refund < DEPOSIT_FEN]
        assert in_window
        assert max(in_window) == DEPOSIT_FEN - next(record.per for record in charged if record.cost)
        stay = people[70]
        taken = MemberWithdraw(member=chain.members[stay], amount=1)
        assert chain.send(stay, taken) in ("success", "window_open")
        chain.advance(1)
        assert chain.plan_status == "active"


# --- a stranger's deposit meant to freeze the plan ---


def test_a_strangers_deposit_is_returned_and_stops_nothing(tmp_path: Path) -> None:
    """Contract 3.5: a bank fact is never refused, what nobody may take is `unmatched` and instructed back in five
    days; every statement matches and no member's money moves."""
    with open_chain(tmp_path) as chain:
        people = start(chain)
        before = chain.pool
        balances = [chain.balance(name) for name in people]
        nobody = chain.build_deposits([None, None], MILLION_YUAN)
        unknown = chain.build_deposits([people[0]], 1, deposit_code=999_999)
        beyond = chain.build_deposits([people[1]], FEN_MAX // 4)
        chain.must(("custodian", nobody), ("custodian", unknown))
        chain.must(("custodian", beyond))
        taken = [event.taken for event in chain.events if isinstance(event, DepositCredited)][-4:]
        assert taken == [0, 0, 0, 1_000_000 - DEPOSIT_FEN]
        assert chain.pool.unmatched == 2 * MILLION_YUAN + 1 + FEN_MAX // 4 - taken[-1]
        chain.advance(RETURN_DAYS)
        returns = chain.ready()
        assert [record.kind for _, record in returns] == [INSTRUCTION_RETURN] * 4
        for key, _ in returns:
            assert chain.answer(key) == "success"
        chain.advance(20)
        assert chain.plan_status == "active"
        assert chain.pool.unmatched == chain.pool.outgoing == 0
        assert chain.pool.cash == before.cash + taken[-1]
        assert [chain.balance(name) for name in people if name != people[1]] == balances[:1] + balances[2:]


def test_a_strangers_deposit_is_nobodys_whom_platform_and_bank_do_not_both_name(tmp_path: Path) -> None:
    """Contract 5 *deposit_match*: both sign, one member gets it, and a second one is a `conflict`."""
    with open_chain(tmp_path) as chain:
        first, second = start(chain)[:2]
        deposit = chain.build_deposits([None], 5_000)
        chain.must(("custodian", deposit))
        item = deposit.items[0]
        match = DepositMatchItem(booking_day=item.booking_day, ref_token=item.ref_token, member=chain.members[first])
        call = DepositMatch(account=ACCOUNT_NAME, items=(match,))
        assert chain.send("auditor-1", call) == "wrong_role"
        chain.must(("platform", call), ("custodian", call))
        assert chain.balance(first) == DEPOSIT_FEN + 5_000
        other = DepositMatch(account=ACCOUNT_NAME, items=(replace(match, member=chain.members[second]),))
        assert chain.send("platform", other) == "conflict"
