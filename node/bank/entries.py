"""Booked entries of camt.053 and camt.054, one movement for each transfer.

An entry holds one transfer, or several that were booked together (NtryDtls/TxDtls); the chain counts transfers. What a
movement is follows from our own name in EndToEndId, else from the bank transaction code (ISO 20022 external code set);
what neither tells stays unknown and is decided by people.
"""

import enum
from typing import Final

from msgspec import Struct

from node.bank.amounts import read_amount, read_is_credit
from node.bank.document import Node
from node.bank.end_to_end import parse_end_to_end_id

ENTRIES_MAX: Final = 200_000
"""Entries of one message."""


class MovementKind(enum.Enum):
    """What a movement is."""

    DEPOSIT = "deposit"
    INTEREST = "interest"
    REPAYMENT = "repayment"
    """Platform or bank make good what the account is short of."""
    RETURNED_PAYMENT = "returned payment"
    """One of our payments came back."""
    PAYMENT = "payment"
    """One of our payments went out."""
    RECALL = "recall"
    """A credit that was taken back."""
    FOREIGN_DEBIT = "foreign debit"
    """A charge, or any other debit that is none of ours."""


class Party(Struct, frozen=True):
    """Who is on the other side."""

    name: str
    account: str
    """IBAN or other account number; empty where the bank does not tell."""
    agent: str
    """BIC or clearing number of the bank; empty where it is not told."""


class Movement(Struct, frozen=True):
    """One transfer in or out of the account."""

    line: int
    """Line of the file on which it begins."""
    kind: MovementKind
    is_credit: bool
    amount: int
    booking_day: int
    value_day: int
    reference: str
    """The bank's own reference: unique among the account's entries of a booking day."""
    instruction: bytes | None
    """First 20 bytes of the instruction that EndToEndId names, if it is one of ours."""
    party: Party
    remittance: str


_INTEREST: Final = frozenset({("ACMT", "MCOP", "INTR"), ("CAMT", "CAPL", "INTR")})
_REPAYMENT: Final = frozenset({("ACMT", "MCOP", "RIMB"), ("PMNT", "MCOP", "RIMB")})
_RETURN_FAMILIES: Final = frozenset({("PMNT", "ICDT", "RRTN"), ("PMNT", "IRCT", "RRTN")})
_RECALL_FAMILIES: Final = frozenset({("PMNT", "RCDT", "RRTN"), ("PMNT", "RRCT", "RRTN")})
_CODE_PATHS: Final = ("Domn/Cd", "Domn/Fmly/Cd", "Domn/Fmly/SubFmlyCd")


def read_entries(holder: Node) -> list[Movement]:
    """Return the movements of a statement or notification; raise `ConfigError` naming line and element.

    Only booked entries in CNY are accepted; two with one reference on one booking day and side are an error.
    """
    entries = holder.list("Ntry")
    if len(entries) > ENTRIES_MAX:
        raise entries[ENTRIES_MAX].refuse(f"more than {ENTRIES_MAX} entries; the message has to be split")
    movements: list[Movement] = []
    seen: dict[tuple[bool, int, str], int] = {}
    for entry in entries:
        for movement in _read_entry(entry):
            key = (movement.is_credit, movement.booking_day, movement.reference)
            if key in seen:
                raise entry.refuse(f"reference {movement.reference!r} stands on line {seen[key]} already")
            seen[key] = movement.line
            movements.append(movement)
    return movements


def _read_entry(entry: Node) -> list[Movement]:
    amount = read_amount(entry.require("Amt"))
    if amount == 0:
        raise entry.require("Amt").refuse("is 0")
    is_credit = read_is_credit(entry)
    _require_booked(entry)
    booking_day = entry.require("BookgDt").read_day()
    value_day = entry.require("ValDt").read_day()
    details = [detail for part in entry.list("NtryDtls") for detail in part.list("TxDtls")]
    code = _read_code(entry)
    is_reversal = _read_is_reversal(entry)
    movements = []
    total = 0
    for position, detail in enumerate(details or [entry]):
        is_alone = len(details) <= 1
        part = amount if is_alone else _read_part(detail)
        total += part
        party, end_to_end_id = _read_party(detail, is_credit=is_credit), detail.get_text("Refs/EndToEndId") or ""
        instruction = parse_end_to_end_id(end_to_end_id)
        movements.append(
            Movement(
                line=detail.line,
                kind=_get_kind(
                    _read_code(detail) or code,
                    is_credit=is_credit,
                    is_ours=instruction is not None,
                    is_reversal=is_reversal,
                ),
                is_credit=is_credit,
                amount=part,
                booking_day=booking_day,
                value_day=value_day,
                reference=_read_reference(entry, detail, position=position, is_alone=is_alone),
                instruction=instruction,
                party=party,
                remittance=" ".join(node.text for node in _list_remittance(detail)),
            )
        )
    if total != amount:
        raise entry.require("Amt").refuse("is not the sum of its TxDtls")
    return movements


def _require_booked(entry: Node) -> None:
    status = entry.require("Sts")
    code = status.find("Cd") or status
    if code.text != "BOOK":
        raise code.refuse(f"{code.text!r:.20}: only booked entries belong here")


def _read_is_reversal(entry: Node) -> bool:
    """Return whether an entry takes an earlier one back; xs:boolean has two words for each."""
    node = entry.find("RvslInd")
    if node is None or node.text in {"false", "0"}:
        return False
    if node.text not in {"true", "1"}:
        raise node.refuse(f"{node.text!r:.20} is neither true nor false")
    return True


def _read_part(detail: Node) -> int:
    node = detail.find("Amt") or detail.find("AmtDtls/TxAmt/Amt")
    if node is None:
        raise detail.refuse("one of several TxDtls without an amount")
    part = read_amount(node)
    if part == 0:
        raise node.refuse("is 0")
    return part


def _read_code(holder: Node) -> tuple[str, str, str] | None:
    code = holder.find("BkTxCd")
    if code is None:
        return None
    domain, family, member = (code.get_text(path) or "" for path in _CODE_PATHS)
    return domain, family, member


def _get_kind(code: tuple[str, str, str] | None, *, is_credit: bool, is_ours: bool, is_reversal: bool) -> MovementKind:
    if is_credit:
        # The reversal of a debit is nobody's deposit: it belongs to that debit, whatever it was.
        if is_ours or is_reversal or code in _RETURN_FAMILIES:
            return MovementKind.RETURNED_PAYMENT
        if code in _INTEREST:
            return MovementKind.INTEREST
        return MovementKind.REPAYMENT if code in _REPAYMENT else MovementKind.DEPOSIT
    if is_ours:
        return MovementKind.PAYMENT
    return MovementKind.RECALL if is_reversal or code in _RECALL_FAMILIES else MovementKind.FOREIGN_DEBIT


def _read_reference(entry: Node, detail: Node, *, position: int, is_alone: bool) -> str:
    """Return the bank's reference of a transfer; of one among several without its own, the entry's and its place."""
    own = detail.get_text("Refs/AcctSvcrRef") if detail is not entry else None
    reference = own or entry.get_text("AcctSvcrRef") or entry.get_text("NtryRef")
    if reference is None:
        raise entry.refuse("has neither AcctSvcrRef nor NtryRef, so that it could not be told from others")
    return reference if own or is_alone else f"{reference}#{position}"


def _read_party(detail: Node, *, is_credit: bool) -> Party:
    """Return the other side: the debtor of a credit, the creditor of a debit."""
    role = "Dbtr" if is_credit else "Cdtr"
    parties, agents = detail.find("RltdPties"), detail.find("RltdAgts")
    name = account = agent = None
    if parties is not None:
        name = parties.get_text(f"{role}/Pty/Nm") or parties.get_text(f"{role}/Nm")
        account = parties.get_text(f"{role}Acct/Id/IBAN") or parties.get_text(f"{role}Acct/Id/Othr/Id")
    if agents is not None:
        institution = agents.find(f"{role}Agt/FinInstnId")
        if institution is not None:
            bic = institution.get_text("BICFI") or institution.get_text("BIC")
            agent = bic or institution.get_text("ClrSysMmbId/MmbId")
    return Party(name=name or "", account=account or "", agent=agent or "")


def _list_remittance(detail: Node) -> list[Node]:
    information = detail.find("RmtInf")
    return [] if information is None else information.list("Ustrd")
