"""Payment files: what stands in them is exactly what the chain ordered."""

from chain.crypto import sha256
from node.bank.amounts import read_amount, read_count, read_sum
from node.bank.desk import CustodyAccount
from node.bank.end_to_end import build_end_to_end_id
from node.bank.entries import Party
from node.bank.pain001 import Transfer, build_payment_file
from tests.node.bank.messages import parse

ACCOUNT = CustodyAccount(
    name="care-main", plan="care", pool=0, number="6217000012345678", holder="Care <Mutual> & Aid", agent="BANKCNBJ"
)
TRANSFERS = [
    Transfer(
        end_to_end_id=build_end_to_end_id(sha256(b"one")),
        amount=30_000_000,
        payee=Party(name="张三", account="6222021001112223334", agent="ICBKCNBJ"),
        remittance="mutual aid",
    ),
    Transfer(
        end_to_end_id=build_end_to_end_id(sha256(b"two")),
        amount=1,
        payee=Party(name="B" * 200, account="DE02120300000000202051", agent="102100099996"),
        remittance="refund of deposit",
    ),
    Transfer(
        end_to_end_id=build_end_to_end_id(sha256(b"three")),
        amount=250,
        payee=Party(name="", account="1", agent=""),
        remittance="return of transfer",
    ),
]


def build() -> bytes:
    return build_payment_file(ACCOUNT, TRANSFERS, message_id="GJ1", created_ms=1_769_700_000_000, execution_day=20_483)


def test_counts_and_sums_are_those_of_the_payments() -> None:
    message = parse(build(), "pain.001")
    for part in (message.require("GrpHdr"), message.require("PmtInf")):
        assert read_count(part.require("NbOfTxs")) == 3
        assert read_sum(part.require("CtrlSum")) == 30_000_251
    assert message.require("GrpHdr/CreDtTm").text == "2026-01-29T15:20:00Z"
    assert message.require("PmtInf/ReqdExctnDt/Dt").text == "2026-01-30"
    assert message.require("PmtInf/BtchBookg").text == "false"
    assert message.require("PmtInf/Dbtr/Nm").text == "Care <Mutual> & Aid"
    assert message.require("PmtInf/DbtrAcct/Id/Othr/Id").text == ACCOUNT.number


def test_each_payment_names_its_instruction_payee_and_account() -> None:
    payments = parse(build(), "pain.001").require("PmtInf").list("CdtTrfTxInf")
    assert [payment.require("PmtId/EndToEndId").text for payment in payments] == [
        transfer.end_to_end_id for transfer in TRANSFERS
    ]
    assert [read_amount(payment.require("Amt/InstdAmt")) for payment in payments] == [30_000_000, 1, 250]
    assert [payment.get_text("Cdtr/Nm") for payment in payments] == ["张三", "B" * 140, "NOTPROVIDED"]
    assert [payment.get_text("CdtrAcct/Id/IBAN") for payment in payments] == [None, "DE02120300000000202051", None]
    assert [payment.get_text("CdtrAcct/Id/Othr/Id") for payment in payments] == ["6222021001112223334", None, "1"]
    assert [payment.get_text("CdtrAgt/FinInstnId/BICFI") for payment in payments] == ["ICBKCNBJ", None, None]
    member = [payment.get_text("CdtrAgt/FinInstnId/ClrSysMmbId/MmbId") for payment in payments]
    assert member == [None, "102100099996", None]


def test_elements_stand_in_the_order_of_the_schema() -> None:
    payment = parse(build(), "pain.001").require("PmtInf").list("CdtTrfTxInf")[0]
    names = [child.name for child in payment.iterate()]
    assert names == ["PmtId", "Amt", "CdtrAgt", "Cdtr", "CdtrAcct", "RmtInf"]
    block = [child.name for child in parse(build(), "pain.001").require("PmtInf").iterate()]
    assert block[:9] == [
        "PmtInfId", "PmtMtd", "BtchBookg", "NbOfTxs", "CtrlSum", "ReqdExctnDt", "Dbtr", "DbtrAcct", "DbtrAgt",
    ]  # fmt: skip
