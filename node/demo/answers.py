"""Reading REST answers, strictly: a field that is missing or of another kind is an error that names it."""

from datetime import date

from node.client_errors import ClientError
from node.client_wire import JsonObject
from node.demo.bank import ORDINAL_1970
from node.demo.world import ClaimView, FirmView


def refuse(name: str, value: object) -> ClientError:
    """Return the error for a field that is not what the API says."""
    return ClientError("internal", detail=f"the answer's {name} is {value!r:.80}")


def read_object(value: object) -> JsonObject:
    """Return a JSON object."""
    if not isinstance(value, dict):
        raise refuse("part", value)
    return value


def read_list(answer: JsonObject, name: str) -> list[object]:
    """Return a field that is a list."""
    value = answer.get(name)
    if not isinstance(value, list):
        raise refuse(name, value)
    return value


def read_text(answer: JsonObject, name: str) -> str:
    """Return a field that is a string."""
    value = answer.get(name)
    if not isinstance(value, str):
        raise refuse(name, value)
    return value


def read_int(answer: JsonObject, name: str) -> int:
    """Return a field that is an integer."""
    value = answer.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise refuse(name, value)
    return value


def read_hex(answer: JsonObject, name: str) -> bytes:
    """Return a field that is bytes in hex."""
    try:
        return bytes.fromhex(read_text(answer, name))
    except ValueError as error:
        raise refuse(name, answer.get(name)) from error


def read_money(answer: JsonObject, name: str) -> int:
    """Return a field that is money, in fen."""
    amount = read_text(read_object(answer.get(name)), "amount")
    if not amount.isdecimal():
        raise refuse(name, amount)
    return int(amount)


def read_day(answer: JsonObject, name: str) -> int:
    """Return a field that is an ISO date, as a plan day."""
    try:
        return date.fromisoformat(read_text(answer, name)).toordinal() - ORDINAL_1970
    except ValueError as error:
        raise refuse(name, answer.get(name)) from error


def read_claim(answer: JsonObject) -> ClaimView:
    """Return a claim with its firms."""
    firms = [read_object(firm) for firm in read_list(answer, "firms")]
    return ClaimView(
        claim=read_hex(answer, "claim"),
        status=read_text(answer, "status"),
        filed_day=read_day(answer, "filed"),
        firms=tuple(
            FirmView(
                organisation=read_text(firm, "organisation"),
                is_accepted=firm.get("is_accepted") is True,
                is_committed=firm.get("is_committed") is True,
                is_revealed=firm.get("is_revealed") is True,
            )
            for firm in firms
        ),
        has_certificate=answer.get("certificate_hash") is not None,
    )
