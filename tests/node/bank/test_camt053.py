"""Statements are checked against themselves, each error with its line and element."""

import pytest

from chain.errors import ConfigError
from node.bank.camt053 import BankStatement, read_statement
from node.bank.entries import MovementKind
from tests.node.bank.messages import DAY, SAMPLES, build_entry, build_statement, parse

SAMPLE = SAMPLES / "camt053-2026-01-29.xml"


def read(content: bytes) -> BankStatement:
    return read_statement(parse(content))


def test_the_sample_of_a_day_is_read_whole() -> None:
    statement = read(SAMPLE.read_bytes())
    assert (statement.account, statement.from_day, statement.to_day) == ("6217000012345678", DAY, DAY)
    assert (statement.opening, statement.closing) == (0, 16_537)
    assert statement.count(is_credit=True) == (7, 17_537)
    assert statement.count(is_credit=False) == (2, 1_000)
    assert [(movement.kind, movement.amount) for movement in statement.movements] == [
        (MovementKind.DEPOSIT, 5_000),
        (MovementKind.DEPOSIT, 3_000),
        (MovementKind.DEPOSIT, 2_500),
        (MovementKind.INTEREST, 37),
        (MovementKind.DEPOSIT, 4_000),
        (MovementKind.DEPOSIT, 2_400),
        (MovementKind.PAYMENT, 400),
        (MovementKind.PAYMENT, 600),
        (MovementKind.RETURNED_PAYMENT, 600),
    ]
    first, second = statement.movements[:2]
    assert (first.party.name, first.party.account, first.party.agent) == ("张三", "6222021001112223334", "ICBKCNBJ")
    assert (second.value_day, second.booking_day, second.reference) == (DAY - 1, DAY, "2026012900000002")
    lines = SAMPLE.read_text(encoding="utf-8").splitlines()
    assert "<Ntry>" in lines[first.line - 3 : first.line][0] or "<TxDtls>" in lines[first.line - 1]


def test_transfers_that_were_booked_together_are_counted_each() -> None:
    details = "".join(f'<TxDtls><Amt Ccy="CNY">{amount}</Amt></TxDtls>' for amount in ("1.00", "2.00"))
    statement = read(build_statement(build_entry("3.00", details=details), closing="3.00"))
    assert [(item.amount, item.reference) for item in statement.movements] == [(100, "R1#0"), (200, "R1#1")]


def test_the_form_of_older_versions_is_read() -> None:
    details = "<TxDtls><RltdPties><Dbtr><Nm>A</Nm></Dbtr><DbtrAcct><Id><IBAN>DE02120300000000202051</IBAN></Id></DbtrAcct></RltdPties><RltdAgts><DbtrAgt><FinInstnId><BIC>BYLADEM1001</BIC></FinInstnId></DbtrAgt></RltdAgts></TxDtls>"  # noqa: E501 - one element
    content = build_statement(build_entry(details=details)).replace(b"<Sts><Cd>BOOK</Cd></Sts>", b"<Sts>BOOK</Sts>")
    (movement,) = read(content.replace(b"camt.053.001.08", b"camt.053.001.02")).movements
    assert (movement.party.name, movement.party.account, movement.party.agent) == (
        "A",
        "DE02120300000000202051",
        "BYLADEM1001",
    )


def test_a_span_of_holidays_is_one_statement() -> None:
    span = "<FrToDt><FrDtTm>2026-01-27T00:00:00</FrDtTm><ToDtTm>2026-01-30T00:00:00</ToDtTm></FrToDt>"
    content = build_statement(build_entry(day="2026-01-28"), more=span)
    assert (read(content).from_day, read(content).to_day) == (DAY - 2, DAY)


@pytest.mark.parametrize(
    ("code", "indicator", "kind"),
    [
        (("PMNT", "RCDT", "DMCT"), "CRDT", MovementKind.DEPOSIT),
        (("ACMT", "MCOP", "INTR"), "CRDT", MovementKind.INTEREST),
        (("ACMT", "MCOP", "RIMB"), "CRDT", MovementKind.REPAYMENT),
        (("PMNT", "ICDT", "RRTN"), "CRDT", MovementKind.RETURNED_PAYMENT),
        (("PMNT", "RCDT", "RRTN"), "DBIT", MovementKind.RECALL),
        (("ACMT", "MDOP", "CHRG"), "DBIT", MovementKind.FOREIGN_DEBIT),
        (("PMNT", "ICDT", "DMCT"), "DBIT", MovementKind.FOREIGN_DEBIT),
    ],
)
def test_what_a_movement_is_follows_from_the_banks_code(
    code: tuple[str, str, str], indicator: str, kind: MovementKind
) -> None:
    closing = "2.00" if indicator == "CRDT" else "0.00"
    statement = read(build_statement(build_entry(code=code, indicator=indicator), opening="1.00", closing=closing))
    assert [movement.kind for movement in statement.movements] == [kind]


def test_a_reversed_credit_is_a_recall() -> None:
    entry = build_entry(indicator="DBIT", more="<RvslInd>true</RvslInd>")
    (movement,) = read(build_statement(entry, opening="1.00", closing="0.00")).movements
    assert movement.kind is MovementKind.RECALL


@pytest.mark.parametrize("word", ["true", "1"])
def test_a_reversed_debit_is_no_deposit(word: str) -> None:
    entry = build_entry(indicator="CRDT", more=f"<RvslInd>{word}</RvslInd>")
    statement = read_statement(parse(build_statement(entry)))
    assert [movement.kind for movement in statement.movements] == [MovementKind.RETURNED_PAYMENT]


@pytest.mark.parametrize(("word", "kind"), [("1", MovementKind.RECALL), ("0", MovementKind.FOREIGN_DEBIT)])
def test_a_reversal_is_told_by_either_word(word: str, kind: MovementKind) -> None:
    entry = build_entry(indicator="DBIT", code=("PMNT", "MCOP", "CHRG"), more=f"<RvslInd>{word}</RvslInd>")
    statement = read_statement(parse(build_statement(entry, opening="1.00", closing="0.00")))
    assert [movement.kind for movement in statement.movements] == [kind]


def test_a_day_without_movements_is_a_statement_too() -> None:
    assert read(build_statement(opening="5.00", closing="5.00")).movements == ()


GOOD = build_entry()
WRONG = [
    (build_statement(GOOD, closing="1.01"), "Bal/Amt", "not opening + credits - debits"),
    (build_statement(GOOD, closing="1.001"), "Bal/Amt", "at most two decimals"),
    (build_statement(build_entry("0.00"), closing="0.00"), "Ntry/Amt", "is 0"),
    (build_statement(GOOD, GOOD, closing="2.00"), "Ntry", "stands on line"),
    (build_statement(build_entry(day="2026-01-30")), "Stmt", "is not booked on a day of this statement"),
    (build_statement(GOOD).replace(b"<Cd>BOOK</Cd>", b"<Cd>PDNG</Cd>"), "Ntry/Sts/Cd", "only booked entries"),
    (build_statement(GOOD).replace(b"<AcctSvcrRef>R1</AcctSvcrRef>", b""), "Ntry", "neither AcctSvcrRef nor NtryRef"),
    (build_statement(GOOD).replace(b"<ValDt><Dt>2026-01-29</Dt></ValDt>", b""), "Ntry", "ValDt is missing"),
    (build_statement(GOOD).replace(b"<Sts><Cd>BOOK</Cd></Sts>", b""), "Ntry", "Sts is missing"),
    (build_statement(GOOD).replace(b"CRDT</CdtDbtInd><Sts>", b"XXXX</CdtDbtInd><Sts>"), "Ntry/CdtDbtInd", "neither"),
    (build_statement(GOOD).replace(b"OPBD", b"ITBD"), "Stmt", "no balance OPBD or PRCD"),
    (build_statement(GOOD).replace(b"OPBD", b"CLBD"), "Stmt", "no balance OPBD"),
    (build_statement(GOOD).replace(b"<Id><Othr><Id>6217000012345678</Id></Othr></Id>", b""), "Stmt/Acct", "is missing"),
    (build_statement(GOOD).replace(b"<Id>S1</Id>", b""), "Stmt", "Id is missing"),
    (build_statement(GOOD).replace(b"<GrpHdr>", b"<Stmt/><GrpHdr>"), "Stmt", "2 statements in one file"),
    (
        build_statement(GOOD, opening="2.00", closing="3.00").replace(
            b'"CNY">2.00</Amt><CdtDbtInd>CRDT', b'"CNY">2.00</Amt><CdtDbtInd>DBIT'
        ),
        "Bal/Amt",
        "never overdrawn",
    ),
    (
        build_statement(build_entry("3.00", details="<TxDtls><Amt Ccy='CNY'>1.00</Amt></TxDtls>" * 2), closing="3.00"),
        "Ntry/Amt",
        "is not the sum of its TxDtls",
    ),
    (
        build_statement(build_entry("3.00", details="<TxDtls/><TxDtls/>"), closing="3.00"),
        "Ntry/NtryDtls/TxDtls",
        "without an amount",
    ),
    (
        build_statement(GOOD, more="<TxsSummry><TtlNtries><NbOfNtries>2</NbOfNtries></TtlNtries></TxsSummry>"),
        "TxsSummry/TtlNtries/NbOfNtries",
        "there are 1",
    ),
    (
        build_statement(GOOD, more="<TxsSummry><TtlCdtNtries><Sum>1.01</Sum></TtlCdtNtries></TxsSummry>"),
        "TxsSummry/TtlCdtNtries/Sum",
        "not the sum of the entries",
    ),
    (
        build_statement(GOOD, more="<TxsSummry><TtlDbtNtries><Sum>0.01</Sum></TtlDbtNtries></TxsSummry>"),
        "TxsSummry/TtlDbtNtries/Sum",
        "not the sum of the entries",
    ),
    (
        build_statement(GOOD, more="<FrToDt><FrDtTm>2026-01-01</FrDtTm><ToDtTm>2026-01-29</ToDtTm></FrToDt>"),
        "FrToDt",
        "no span of 1 to 10 days",
    ),
    (
        build_statement(GOOD, more="<FrToDt><FrDtTm>2026-01-28</FrDtTm><ToDtTm>2026-01-30</ToDtTm></FrToDt>"),
        "Bal/Dt",
        "not the last day of FrToDt",
    ),
]


@pytest.mark.parametrize(("content", "element", "said"), WRONG, ids=range(len(WRONG)))
def test_a_statement_that_contradicts_itself_is_refused(content: bytes, element: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(content)
    assert str(caught.value.values["field"]).startswith("bank.xml:")
    assert str(caught.value.values["field"]).endswith(element)
    assert said in str(caught.value.values["reason"])
