"""Calls that need several signatures: each sends the same call, the last one completes it (contract 5 "Y+Z")."""

from chain.contract.calls import Call
from chain.contract.halves import hash_call
from tests.model.book import Book
from tests.model.records import Half, Timer

HALF_DAYS = 7
Party = str | bytes
"""A role, or a key."""


def cosign(book: Book, signer: bytes, call: Call, *parties: Party) -> tuple[set[str], list[str] | None]:
    """Sign; return (what forbids it, who signed once all have). With neither the half is noted and waits.

    To be asked behind all other guards: a completion that is refused leaves the half as it is.
    """
    name, role = book.organisations.get(signer, ("-", ""))
    half = book.halves.get(call)
    signed = {} if half is None else dict(half.signed)
    signed = {place: who for place, who in signed.items() if not book.house.has_lost(*who)}
    for number, party in enumerate(parties):
        # A key that was replaced meanwhile has signed for nobody.
        if isinstance(party, bytes) and number in signed and signed[number][1] != party:
            del signed[number]
    place = find_place(parties, signed, signer, name, role)
    if place is None:
        has_signed = any(signer == key or (role and name == who) for who, key in signed.values())
        return {"already" if has_signed else "wrong_role"}, None
    signed[place] = (name, signer)
    if len(signed) == len(parties):
        book.halves.pop(call, None)
        return set(), [signed[number][0] for number in range(len(parties))]
    if half is None:
        half = book.halves[call] = Half(timer=book.add_timer("half", HALF_DAYS, hash_call(call)))
    half.signed = signed
    return set(), None


def find_place(
    parties: tuple[Party, ...], signed: dict[int, tuple[str, bytes]], signer: bytes, name: str, role: str
) -> int | None:
    """Return the first party that is missing and for which the signer may stand; nobody stands for two."""
    for place, party in enumerate(parties):
        if place in signed:
            continue
        if party == signer or (party == role and role and name not in [who for who, _ in signed.values()]):
            return place
    return None


def expire(book: Book, timer: Timer) -> None:
    """Forget a call that was not completed in its days."""
    for call, half in list(book.halves.items()):
        if half.timer is timer:
            del book.halves[call]
