"""From the bank's file to calls, and those calls through the real contract."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from chain.contract.custody_tables import ACCOUNT, DEPOSIT, INSTRUCTION_FAILED, INSTRUCTION_SETTLED
from chain.contract.member_calls import MemberWithdraw
from chain.contract.money_calls import CashOther, DepositCredit, InstructionAck
from chain.contract.money_tables import CASH_INTEREST, CASH_REPAYMENT, CASH_RETURNED
from chain.crypto import sha256
from chain.errors import ConfigError
from node.bank.answers import read_answers
from node.bank.booking import ITEMS_PER_CALL, Booker, Booking, build_statement_post, split
from node.bank.camt053 import read_statement
from node.bank.end_to_end import PREFIX_BYTES, build_end_to_end_id
from node.bank.register import Register, Sent
from node.bank.tokens import TokenKind, build_token
from tests.chain.contract.world import ACCOUNT_NAME, World
from tests.node.bank.messages import SAMPLES, build_entry, build_statement, parse

KEY = bytes(range(32))
SAMPLE = SAMPLES / "camt053-2026-01-29.xml"


def open_register(path: Path, *sent: Sent) -> Register:
    register = Register(path / "register.db")
    register.put_sent(PREFIX_BYTES, sent)
    return register


def note_sent(instruction: bytes, amount: int, *, attempt: int = 0) -> Sent:
    return Sent(instruction=instruction, attempt=attempt, custody=ACCOUNT_NAME, amount=amount, message="GJ1")


def book(content: bytes, register: Register, *, key: bytes = KEY) -> Booking:
    booker = Booker(account=ACCOUNT_NAME, key=key, find_sent=register.find_sent)
    return booker.book(read_statement(parse(content)).movements)


def test_the_sample_of_a_day_is_booked_on_the_chain_and_its_statement_matches(tmp_path: Path) -> None:
    world = World(statements=False)
    members = [world.admit(name) for name in ("a", "b")]
    content = SAMPLE.read_bytes()
    register = open_register(tmp_path)
    deposits = book(content, register).calls[0].call
    assert isinstance(deposits, DepositCredit)
    assert world.call("bank", deposits).items == (0,) * 5
    assert [world.balance(member) for member in members] == [7_400, 4_000]
    assert world.pool.unmatched == 5_500
    for amount in (400, 600):
        world.call(world.member(members[0]).key, MemberWithdraw(member=members[0], amount=amount))
    paid, came_back = world.ready_instructions()
    register.put_sent(PREFIX_BYTES, [note_sent(paid, 400), note_sent(came_back, 600)])
    assert build_end_to_end_id(paid).encode() in content

    booking = book(content, register)
    assert [type(plan.call) for plan in booking.calls] == [DepositCredit, InstructionAck, CashOther]
    assert booking.open == ()
    codes = [world.call("bank", plan.call).items for plan in booking.calls]
    assert codes == [(7,) * 5, (0, 0), (0, 0)]
    assert (world.instruction(paid).state, world.instruction(came_back).state) == (
        INSTRUCTION_SETTLED,
        INSTRUCTION_FAILED,
    )
    assert world.balance(members[0]) == 7_000
    assert (world.pool.interest, world.pool.cash) == (37, 16_537)
    world.commit_block_checks()

    world.advance(1)
    post = build_statement_post(read_statement(parse(content)), account=ACCOUNT_NAME, content=content)
    assert post.file_hash == sha256(content)
    assert world.call("bank", post).number == 0
    assert world.state.require(ACCOUNT, ACCOUNT_NAME).is_matched
    for plan in book(content, register).calls:
        assert set(world.call("bank", plan.call).items) == {7}
    assert world.call("bank", post).number == 7


def test_tokens_hide_references_and_accounts_and_depend_on_the_key(tmp_path: Path) -> None:
    register = open_register(tmp_path)
    one, other = (book(SAMPLE.read_bytes(), register, key=key).calls[0].call for key in (KEY, bytes(32)))
    assert isinstance(one, DepositCredit)
    assert isinstance(other, DepositCredit)
    first = one.items[0]
    assert first.ref_token == build_token(KEY, TokenKind.REFERENCE, ACCOUNT_NAME, "2026012900000001")
    assert first.payer_token == build_token(KEY, TokenKind.PAYER, " 6222 0210 0111 2223 334 ")
    assert first.payer_token == one.items[4].payer_token
    assert first.payer_token != build_token(KEY, TokenKind.ACCOUNT, "6222021001112223334")
    assert not {item.ref_token for item in one.items} & {item.ref_token for item in other.items}
    assert [item.deposit_code for item in one.items] == [1, None, None, 2, 1]


def test_who_paid_is_noted_so_that_money_can_go_back(tmp_path: Path) -> None:
    register = open_register(tmp_path)
    booking = book(SAMPLE.read_bytes(), register)
    register.put_incoming(booking.incoming)
    register.put_incoming(booking.incoming)
    second = booking.incoming[1]
    payer = register.find_payer(ACCOUNT_NAME, second.booking_day, second.ref_token)
    assert payer is not None
    assert payer.account == "6222021005556667778"
    assert [party.account for party in register.list_payers(ACCOUNT_NAME, 1)] == ["6222021001112223334"] * 2


def test_what_people_have_to_decide_is_left_open(tmp_path: Path) -> None:
    unknown = build_end_to_end_id(sha256(b"unknown"))
    wrong, elsewhere = sha256(b"wrong amount"), sha256(b"another account")
    register = open_register(tmp_path, note_sent(wrong, 999), replace(note_sent(elsewhere, 100), custody="care-second"))
    names = (unknown, build_end_to_end_id(wrong), build_end_to_end_id(elsewhere))
    entries = [
        build_entry(ref="A", indicator="DBIT", code=("ACMT", "MDOP", "CHRG")),
        build_entry(ref="B", indicator="DBIT", code=("PMNT", "RCDT", "RRTN")),
        *(
            build_entry(
                ref=name, indicator="DBIT", details=f"<TxDtls><Refs><EndToEndId>{name}</EndToEndId></Refs></TxDtls>"
            )
            for name in names
        ),
    ]
    booking = book(build_statement(*entries, opening="5.00", closing="0.00"), register)
    assert booking.calls == ()
    advice = [item.advice for item in booking.open]
    assert "statement_resolve, then a repayment" in advice[0]
    assert "deposit_reverse" in advice[1]
    assert "names no payment that was exported" in advice[2]
    assert all("another amount or account" in item for item in advice[3:])
    assert len(advice) == 5


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (("ACMT", "MCOP", "INTR"), CASH_INTEREST),
        (("ACMT", "MCOP", "RIMB"), CASH_REPAYMENT),
        (("PMNT", "ICDT", "RRTN"), CASH_RETURNED),
    ],
)
def test_who_sent_money_that_is_no_deposit_is_told_and_noted_too(code: tuple[str, str, str], kind: int) -> None:
    returned = sha256(b"i")
    party = "<RltdPties><DbtrAcct><Id><Othr><Id>622</Id></Othr></Id></DbtrAcct></RltdPties>"
    name = f"<Refs><EndToEndId>{build_end_to_end_id(returned)}</EndToEndId></Refs>" if kind == CASH_RETURNED else ""
    content = build_statement(build_entry(ref="A", code=code, details=f"<TxDtls>{name}{party}</TxDtls>"))
    booker = Booker(account=ACCOUNT_NAME, key=KEY, find_sent=lambda prefix: note_sent(returned, 100))
    booking = booker.book(read_statement(parse(content)).movements)
    (plan,) = booking.calls
    assert isinstance(plan.call, CashOther)
    (item,) = plan.call.items
    assert (item.kind, item.amount) == (kind, 100)
    assert item.payer_token == build_token(KEY, TokenKind.PAYER, "622")
    (noted,) = booking.incoming
    assert (noted.ref_token, noted.booking_day, noted.custody) == (item.ref_token, item.booking_day, ACCOUNT_NAME)
    assert (noted.party.account, noted.deposit_code) == ("622", None)


def test_a_payer_whose_account_is_not_told_is_nobody_else() -> None:
    content = build_statement(build_entry(ref="A"), build_entry(ref="B"), closing="2.00")
    booker = Booker(account=ACCOUNT_NAME, key=KEY, find_sent=lambda prefix: None)
    (plan,) = booker.book(read_statement(parse(content)).movements).calls
    assert isinstance(plan.call, DepositCredit)
    assert len({item.payer_token for item in plan.call.items}) == 2
    assert plan.lines[0] < plan.lines[1]


def test_long_days_are_split_into_calls_that_fit_a_transaction() -> None:
    assert [len(part) for part in split(range(2 * ITEMS_PER_CALL + 1))] == [ITEMS_PER_CALL, ITEMS_PER_CALL, 1]
    assert split(()) == []


# --- answers ---


def test_a_rejection_becomes_a_failed_acknowledgement(tmp_path: Path) -> None:
    world = World()
    member = world.join("a", 5_000)
    for amount in (100, 200, 700, 800):
        world.call(world.member(member).key, MemberWithdraw(member=member, amount=amount))
    ready = world.ready_instructions()
    register = open_register(tmp_path, note_sent(ready[2], 700), note_sent(ready[3], 800))
    kind, content = "pain.002", (SAMPLES / "pain002-2026-01-30.xml").read_bytes()
    found = read_answers(kind, parse(content, kind))
    assert (len(found.rejections), found.waiting) == (1, 1)
    world.advance(1)
    booker = Booker(account=ACCOUNT_NAME, key=KEY, find_sent=register.find_sent)
    (plan,) = booker.reject(found.rejections).calls
    assert world.call("bank", plan.call).items == (0,)
    record = world.instruction(ready[3])
    assert (record.state, record.reason) == (INSTRUCTION_FAILED, 2)
    assert world.balance(member) == 5_000 - 1_000
    assert world.call("bank", plan.call).items == (7,)


def test_a_notification_is_booked_as_its_statement_will_be(tmp_path: Path) -> None:
    world = World()
    member = world.join("a", 5_000)
    other = world.admit("b")
    for amount in (100, 200, 700):
        world.call(world.member(member).key, MemberWithdraw(member=member, amount=amount))
    ready = world.ready_instructions()
    register = open_register(tmp_path, note_sent(ready[2], 700))
    content = (SAMPLES / "camt054-2026-01-30.xml").read_bytes()
    found = read_answers("camt.054", parse(content, "camt.054"))
    world.advance(1)
    booker = Booker(account=ACCOUNT_NAME, key=KEY, find_sent=register.find_sent)
    for plan in booker.book(found.bookings).calls:
        assert world.call("bank", plan.call).items == (0,)
    assert world.instruction(ready[2]).state == INSTRUCTION_SETTLED
    assert world.balance(other) == 1_250
    token = build_token(KEY, TokenKind.REFERENCE, ACCOUNT_NAME, "2026013000000002")
    assert world.state.get(DEPOSIT, ACCOUNT_NAME, world.today, token) is not None


def test_a_rejection_of_what_was_never_ordered_is_refused(tmp_path: Path) -> None:
    content = (SAMPLES / "pain002-2026-01-30.xml").read_bytes()
    found = read_answers("pain.002", parse(content, "pain.002"))
    booker = Booker(account=ACCOUNT_NAME, key=KEY, find_sent=open_register(tmp_path).find_sent)
    with pytest.raises(ConfigError, match="answers no payment"):
        booker.reject(found.rejections)
    (rejection,) = found.rejections
    register = open_register(tmp_path, note_sent(rejection.instruction + bytes(12), 801))
    booker = Booker(account=ACCOUNT_NAME, key=KEY, find_sent=register.find_sent)
    with pytest.raises(ConfigError, match="answers no payment"):
        booker.reject([rejection])
    booker.reject([replace(rejection, amount=None)])
    elsewhere = Booker(account="care-second", key=KEY, find_sent=register.find_sent)
    with pytest.raises(ConfigError, match="answers no payment"):
        elsewhere.reject([replace(rejection, amount=None)])
