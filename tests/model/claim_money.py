"""A claim from its confirmation on: granted, instructed, paid or failed, unclaimed, recovered (contract 2, 3.5).

Granted in parts where a rest is carried; PAID when nothing granted is unpaid and no rest is carried.
"""

from tests.model import entry, persons
from tests.model.book import Book, Claim, Pool
from tests.model.records import Costs, Timer

WAIT_DAYS = 40
"""The end of a plan waits so long for a claim that may still be appealed."""


def add_item(book: Book, claim_id: bytes, amount: int, fee_bp: int) -> None:
    """Put a claim on the list of the next charge."""
    claim = book.claims[claim_id]
    book.pools[claim.pool].costs.append(Costs(claim_id, claim.member, amount, fee_bp))


def refund_shares(book: Book, member_id: bytes, amount: int) -> None:
    """List what somebody has paid for others, who was ill before his cover began."""
    claim_id = book.members[member_id].claim
    assert claim_id is not None
    book.claims[claim_id].amount = amount
    if amount:
        add_item(book, claim_id, amount, 0)
    else:
        release_member(book, claim_id)


def settled(book: Book, claim_id: bytes, granted: int, rest: int) -> None:
    """Note what a charge granted, and what it carries."""
    claim = book.claims[claim_id]
    claim.granted += granted
    claim.rest = rest
    if granted or not (rest or claim.paid < claim.granted):
        claim.status = "settled"
    finish(book, claim_id)


def instructed(book: Book, claim_id: bytes) -> None:
    """Note that the bank was told."""
    book.claims[claim_id].status = "instructed"


def paid(book: Book, claim_id: bytes, amount: int, fee: int) -> None:
    """Note a payment."""
    claim = book.claims[claim_id]
    claim.paid += amount
    claim.fee += fee
    if not claim.is_shares_refund:
        book.members[claim.member].aid += amount
    finish(book, claim_id)


def pay_failed(book: Book, claim_id: bytes) -> None:
    """Note that the bank could not pay."""
    book.claims[claim_id].status = "pay_failed"


def returned(book: Book, claim_id: bytes, amount: int, fee: int) -> None:
    """Note that a payment came back; what followed from it stands."""
    claim = book.claims[claim_id]
    claim.paid -= amount
    claim.fee -= fee
    claim.status = "pay_failed"
    if not claim.is_shares_refund:
        book.members[claim.member].aid -= amount


def unclaimed(book: Book, claim_id: bytes, amount: int) -> None:
    """Note that nobody could be paid for too long."""
    claim = book.claims[claim_id]
    claim.granted -= amount
    if claim.paid or claim.granted or claim.rest:
        finish(book, claim_id)
    else:
        drop_benefit(book, claim_id)
        claim.status, claim.case.reason = "expired", "aid_unclaimed"
        release_member(book, claim_id)


def finish(book: Book, claim_id: bytes) -> None:
    """End a claim of which nothing more is to come; a main benefit ends the membership."""
    claim = book.claims[claim_id]
    if claim.paid < claim.granted:
        return
    if claim.rest:
        claim.status = "shares_refund" if claim.is_shares_refund else "confirmed"
        return
    if claim.paid:
        claim.status = "paid"
        book.docket.ask_draw(claim_id)
    else:
        drop_benefit(book, claim_id)
    release_member(book, claim_id)
    if claim.paid and not claim.is_shares_refund and claim.row % 2 == 0:
        entry.leave(book, claim.member, "claimed_out")


def drop_benefit(book: Book, claim_id: bytes) -> None:
    """Let a person have a main benefit again, because this claim got nothing."""
    book.docket.benefits = {index: user for index, user in book.docket.benefits.items() if user != claim_id}


def release_member(book: Book, claim_id: bytes) -> None:
    """Forget a claim as the member's open one; the person of an ended membership may apply again."""
    claim = book.claims[claim_id]
    member = book.members[claim.member]
    if member.claim != claim_id:
        return
    member.claim = None
    if claim.status in ("refused", "rejected"):
        book.add_timer("claim_over", WAIT_DAYS, claim_id)
    else:
        claim.is_awaited = False
    if member.is_gone:
        persons.release(book, claim.member)


def wait_over(book: Book, timer: Timer) -> None:
    """Let the end of the plan wait no longer for a claim that nobody has appealed."""
    claim = book.claims[timer.subject]
    if claim.status not in ("refused", "rejected") or book.members[claim.member].claim == timer.subject:
        return
    if book.docket.has_waiting_appeal(claim.member):
        # It may be this claim's.
        book.add_timer("claim_over", WAIT_DAYS, timer.subject)
    else:
        claim.is_awaited = False


def has_open_claims(book: Book) -> bool:
    """Tell whether a claim is open, or may still be appealed."""
    return any(claim.is_awaited for claim in book.claims.values())


def list_waiting(book: Book, pool: Pool) -> list[tuple[bytes, Claim]]:
    """Return the claims of a pool that are open or may still be appealed, by number."""
    found = [(name, claim) for name, claim in book.claims.items() if claim.is_awaited and claim.pool == pool.number]
    return sorted(found, key=lambda pair: pair[1].number)


def list_kept(book: Book, pool: Pool) -> list[tuple[bytes, Claim]]:
    """Return the claims that a closed pool looks after: open ones, and those for which it keeps money; by number."""
    mine = [(name, claim) for name, claim in book.claims.items() if claim.pool == pool.number]
    found = [(name, claim) for name, claim in mine if claim.aside or claim.is_awaited]
    return sorted(found, key=lambda pair: pair[1].number)
