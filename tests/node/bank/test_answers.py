"""Answers of the bank's payment system, read strictly."""

import pytest

from chain.crypto import sha256
from chain.errors import ConfigError
from node.bank.answers import REASON_OTHER, REASONS, get_account_number, read_answers
from node.bank.end_to_end import build_end_to_end_id
from node.bank.entries import MovementKind
from tests.node.bank.messages import SAMPLES, parse

NAME = build_end_to_end_id(sha256(b"payment"))
NOTIFICATION = (SAMPLES / "camt054-2026-01-30.xml").read_bytes()


def build_report(*answers: str, block: str = "", group: str = "") -> bytes:
    return f"""<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.002.001.10"><CstmrPmtStsRpt>
<GrpHdr><MsgId>M</MsgId><CreDtTm>2026-01-30T10:00:00+08:00</CreDtTm></GrpHdr>
<OrgnlGrpInfAndSts><OrgnlMsgId>O</OrgnlMsgId>{group}</OrgnlGrpInfAndSts>
<OrgnlPmtInfAndSts><OrgnlPmtInfId>O</OrgnlPmtInfId>{block}{"".join(answers)}</OrgnlPmtInfAndSts>
</CstmrPmtStsRpt></Document>""".encode()


def build_answer(status: str, *, name: str = NAME, reason: str = "<Rsn><Cd>AC04</Cd></Rsn>") -> str:
    told = f"<StsRsnInf>{reason}</StsRsnInf>" if reason else ""
    return f"<TxInfAndSts><OrgnlEndToEndId>{name}</OrgnlEndToEndId>{status}{told}</TxInfAndSts>"


def test_rejections_are_final_and_acceptances_wait_for_the_booking() -> None:
    statuses = ("RJCT", "ACSP", "ACSC", "PDNG", "CANC")
    content = build_report(*(build_answer(f"<TxSts>{status}</TxSts>") for status in statuses))
    found = read_answers("pain.002", parse(content, "pain.002"))
    assert (len(found.rejections), found.waiting, found.bookings) == (2, 3, ())
    first = found.rejections[0]
    assert (first.instruction, first.day, first.reason, first.amount) == (sha256(b"payment")[:20], 20_483, 2, None)


def test_the_status_of_a_block_holds_for_payments_without_one() -> None:
    content = build_report(build_answer(""), block="<PmtInfSts>RJCT</PmtInfSts>")
    assert len(read_answers("pain.002", parse(content, "pain.002")).rejections) == 1


@pytest.mark.parametrize(
    ("reason", "number"),
    [
        ("<Rsn><Cd>AC01</Cd></Rsn>", 1),
        ("<Rsn><Cd>MD07</Cd></Rsn>", 7),
        ("<Rsn><Cd>ZZ99</Cd></Rsn>", REASON_OTHER),
        ("<Rsn><Prtry>X</Prtry></Rsn>", REASONS["NARR"]),
        ("", REASONS["NARR"]),
    ],
)
def test_the_banks_reason_becomes_a_number(reason: str, number: int) -> None:
    content = build_report(build_answer("<TxSts>RJCT</TxSts>", reason=reason))
    assert read_answers("pain.002", parse(content, "pain.002")).rejections[0].reason == number


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (build_report(build_answer("<TxSts>WHAT</TxSts>")), "no status that we know"),
        (build_report(build_answer("")), "no status that we know"),
        (build_report(build_answer("<TxSts>RJCT</TxSts>", name="NOTPROVIDED")), "names no payment of ours"),
        (build_report(block="<PmtInfSts>RJCT</PmtInfSts>"), "ask the bank which ones"),
        (build_report(group="<GrpSts>RJCT</GrpSts>"), "nothing was paid"),
    ],
)
def test_what_cannot_be_told_apart_is_refused(content: bytes, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        read_answers("pain.002", parse(content, "pain.002"))


def test_a_notification_tells_bookings_of_one_account() -> None:
    message = parse(NOTIFICATION, "camt.054")
    found = read_answers("camt.054", message)
    assert [movement.kind for movement in found.bookings] == [MovementKind.PAYMENT, MovementKind.DEPOSIT]
    assert found.bookings[0].booking_day == 20_483
    assert get_account_number(message) == "6217000012345678"
    second = NOTIFICATION[NOTIFICATION.index(b"<Ntfctn>") : NOTIFICATION.index(b"</Ntfctn>") + 9]
    other = NOTIFICATION.replace(
        b"</BkToCstmrDbtCdtNtfctn>", second.replace(b"12345678<", b"99<") + b"</BkToCstmrDbtCdtNtfctn>"
    )
    with pytest.raises(ConfigError, match="another account"):
        get_account_number(parse(other, "camt.054"))
