"""pain.001.001.09: what the bank is to pay, as a file for its payment system.

One payment block, booked transfer by transfer (`BtchBookg` false), so that the statement shows each of them; amounts,
counts and sums are exact. Whatever stands in it, a payment system needs no other source for it.
"""

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Final

from lxml import etree
from msgspec import Struct

from node.bank.amounts import CURRENCY, format_fen
from node.bank.desk import CustodyAccount
from node.bank.entries import Party

NAMESPACE: Final = "urn:iso:std:iso:20022:tech:xsd:pain.001.001.09"
MESSAGE_ID_MAX: Final = 35
NAME_MAX: Final = 140
NO_NAME: Final = "NOTPROVIDED"
_IBAN: Final = re.compile(r"^[A-Z]{2}\d{2}[A-Z0-9]{11,30}$", re.ASCII)
_BIC: Final = re.compile(r"^[A-Z0-9]{4}[A-Z]{2}[A-Z0-9]{2}(?:[A-Z0-9]{3})?$", re.ASCII)


class Transfer(Struct, frozen=True):
    """One payment."""

    end_to_end_id: str
    amount: int
    payee: Party
    remittance: str


def build_payment_file(
    account: CustodyAccount, transfers: Sequence[Transfer], *, message_id: str, created_ms: int, execution_day: int
) -> bytes:
    """Return the bytes of a pain.001 message; `execution_day` is a plan day, `created_ms` wall time."""
    root = etree.Element(f"{{{NAMESPACE}}}Document", nsmap={None: NAMESPACE})
    message = _add(root, "CstmrCdtTrfInitn")
    total = format_fen(sum(transfer.amount for transfer in transfers))
    header = _add(message, "GrpHdr")
    _add(header, "MsgId", message_id)
    created = datetime.fromtimestamp(created_ms // 1_000, UTC)
    _add(header, "CreDtTm", created.strftime("%Y-%m-%dT%H:%M:%SZ"))
    _add(header, "NbOfTxs", str(len(transfers)))
    _add(header, "CtrlSum", total)
    _add(_add(header, "InitgPty"), "Nm", account.holder[:NAME_MAX])
    block = _add(message, "PmtInf")
    _add(block, "PmtInfId", message_id)
    _add(block, "PmtMtd", "TRF")
    _add(block, "BtchBookg", "false")
    _add(block, "NbOfTxs", str(len(transfers)))
    _add(block, "CtrlSum", total)
    executed = date.fromordinal(execution_day + date(1970, 1, 1).toordinal())
    _add(_add(block, "ReqdExctnDt"), "Dt", executed.isoformat())
    _add(_add(block, "Dbtr"), "Nm", account.holder[:NAME_MAX])
    _add_account(_add(block, "DbtrAcct"), account.number)
    _add_agent(_add(block, "DbtrAgt"), account.agent)
    for transfer in transfers:
        _add_transfer(block, transfer)
    return etree.tostring(root, encoding="UTF-8", xml_declaration=True, pretty_print=True)


def _add_transfer(block: etree._Element, transfer: Transfer) -> None:
    part = _add(block, "CdtTrfTxInf")
    _add(_add(part, "PmtId"), "EndToEndId", transfer.end_to_end_id)
    amount = _add(_add(part, "Amt"), "InstdAmt", format_fen(transfer.amount))
    amount.set("Ccy", CURRENCY)
    if transfer.payee.agent:
        _add_agent(_add(part, "CdtrAgt"), transfer.payee.agent)
    _add(_add(part, "Cdtr"), "Nm", transfer.payee.name[:NAME_MAX] or NO_NAME)
    _add_account(_add(part, "CdtrAcct"), transfer.payee.account)
    _add(_add(part, "RmtInf"), "Ustrd", transfer.remittance[:NAME_MAX])


def _add_account(parent: etree._Element, number: str) -> None:
    identity = _add(parent, "Id")
    if _IBAN.match(number):
        _add(identity, "IBAN", number)
    else:
        _add(_add(identity, "Othr"), "Id", number)


def _add_agent(parent: etree._Element, agent: str) -> None:
    institution = _add(parent, "FinInstnId")
    if _BIC.match(agent):
        _add(institution, "BICFI", agent)
    else:
        _add(_add(institution, "ClrSysMmbId"), "MmbId", agent)


def _add(parent: etree._Element, name: str, text: str | None = None) -> etree._Element:
    element = etree.SubElement(parent, f"{{{NAMESPACE}}}{name}")
    if text is not None:
        element.text = text
    return element
