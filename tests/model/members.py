"""What members do of their own will: apply, amend, leave, withdraw, change the weight (contract 2, 3.5, 5)."""

from chain.contract.member_calls import MemberAmend, MemberApply, MemberLeave, MemberWeight, MemberWithdraw
from chain.contract.terms import hash_terms
from tests.model import entry
from tests.model.book import DAY_MS, Book, Member, Pool, to_date
from tests.model.owners import find_owner_problems
from tests.model.pins import get_pinned

APPLICATION_DAYS = 30
FEN_MAX = 2**53 - 1


def count_children(book: Book, member_id: bytes) -> int:
    """Return how many children in the plan he is the guardian of."""
    return sum(1 for child in book.members.values() if child.guardian == member_id and not child.is_gone)


# --- applying ---


def member_apply(book: Book, signer: bytes, tx_id: bytes, call: MemberApply) -> set[str]:
    """Record an application."""
    if call.plan != "care":
        return {"plan_unknown"}
    if call.pool >= len(book.pools):
        return {"pool_unknown"}
    pool = book.pools[call.pool]
    problems = set()
    if book.status != "active":
        problems.add("plan_not_active")
    if signer in book.house.keys:
        problems.add("key_in_use")
    if call.rules_hash != hash_terms(book.versions[pool.version].terms):
        problems.add("rules_unknown")
    if call.guardian is not None and not is_fit_guardian(book.members.get(call.guardian), signer):
        problems.add("guardian_invalid")
    if problems:
        return problems
    code = len(book.codes) + 1
    book.codes[code] = tx_id
    book.members[tx_id] = Member(
        key=signer,
        weight=call.weight,
        code=code,
        guardian=call.guardian,
        recovery_hash=call.recovery_hash,
        pool=call.pool,
        version=pool.version,
        pins=[(0, pool.version, call.pool)],
        profile=(call.field_commitments_root, call.blob_hash),
    )
    start_application(book, tx_id)
    return problems


def is_fit_guardian(guardian: Member | None, signer: bytes) -> bool:
    """Tell whether somebody may sign for a child: an adult member who signs with his own key."""
    if guardian is None or guardian.key != signer or guardian.guardian is not None:
        return False
    return not guardian.is_gone and guardian.status != "leaving"


def start_application(book: Book, member_id: bytes) -> None:
    """Give an applicant his days."""
    due_ms = book.now_ms + APPLICATION_DAYS * DAY_MS
    book.add_timer("application", APPLICATION_DAYS, member_id, due_ms=due_ms)


# --- amending ---


def member_amend(book: Book, signer: bytes, call: MemberAmend) -> set[str]:
    """Replace the profile before cover begins; changed health answers restart the waiting."""
    problems = find_owner_problems(book, signer, call.member)
    if problems:
        return problems
    member = book.members[call.member]
    # Cover that has begun since this entry, or that went on before it without a break, ends the right to amend.
    was_covered = any(day >= member.entry_day for day in member.covered)
    if member.status == "queued" and not member.is_leaf and was_covered:
        problems.add("member_state")
    elif member.status == "sharing":
        if book.day >= member.cover_from or was_covered:
            problems.add("member_state")
    elif member.status not in ("applied", "verified", "waiting", "queued"):
        problems.add("member_state")
    new = (call.field_commitments_root, call.blob_hash)
    if member.profile == new and not call.is_health_changed:
        problems.add("already")
    if problems:
        return problems
    member.profile = new
    if call.is_health_changed and member.entry_day > 0:
        member.entry_day = book.day
        waiting_end = max(book.day + 1, book.day + get_pinned(book, member).waiting_days)
        if member.status == "waiting":
            member.wait_until(waiting_end)
        elif member.is_leaf and member.status == "sharing":
            member.cover_from = waiting_end
    return problems


# --- leaving, withdrawing, weight ---


def member_leave(book: Book, signer: bytes, call: MemberLeave) -> set[str]:
    """Leave at any time; children first, and in a wind-down with everybody."""
    problems = find_owner_problems(book, signer, call.member)
    if problems:
        return problems
    member = book.members[call.member]
    if member.status in ("leaving", "left"):
        return {"already"}
    if member.is_gone:
        return {"member_state"}
    if count_children(book, call.member):
        problems.add("children_first")
    if book.is_winding and member.is_leaf:
        problems.add("plan_not_active")
    if not problems:
        entry.leave(book, call.member, "leave")
    return problems


def find_active_problems(book: Book, member: Member) -> set[str]:
    """Return what forbids to take money out of a leaf, or to change its weight."""
    problems = set()
    if member.status != "sharing" or not member.is_paying:
        problems.add("member_state")
    if book.pool_of(member).is_window:
        problems.add("window_open")
    return problems


def member_withdraw(book: Book, signer: bytes, call: MemberWithdraw) -> set[str]:
    """Take out what is above the minimum."""
    problems = find_owner_problems(book, signer, call.member)
    if problems:
        return problems
    member = book.members[call.member]
    problems = find_active_problems(book, member)
    if call.amount > member.balance - compute_kept(book, book.pool_of(member)) * member.weight:
        problems.add("balance_too_low")
    if problems:
        return problems
    member.fill(member.balance - call.amount)
    book.refund(call.member, call.amount)
    return problems


def compute_kept(book: Book, pool: Pool) -> int:
    """Return what a withdrawal must leave for each unit: the minimum, or what the last year can still cost."""
    terms = book.pool_terms(pool)
    if not book.is_winding:
        return terms.deposit_min_fen
    if terms.cap_per_year_fen is None:
        return FEN_MAX
    charged = pool.charged_in_year if to_date(book.day).year == pool.year else 0
    return max(0, terms.cap_per_year_fen - charged)


def member_weight(book: Book, signer: bytes, call: MemberWeight) -> set[str]:
    """Change the units; the money stays."""
    problems = find_owner_problems(book, signer, call.member)
    if problems:
        return problems
    member = book.members[call.member]
    problems = find_active_problems(book, member)
    if member.weight == call.weight:
        problems.add("already")
    if book.is_winding:
        problems.add("plan_not_active")
    if problems:
        return problems
    money = member.balance
    member.weight = call.weight
    member.fill(money)
    return problems
