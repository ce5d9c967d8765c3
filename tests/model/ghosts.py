"""The check for ghosts: who is drawn, who is asked, what follows from what was found (contract 5; ADR 0012)."""

from chain.contract.member_calls import GhostAuditReport
from tests.model.book import Book, Pool, to_date
from tests.model.records import Stage, Timer

REPORT_DAYS = 45


def draw(book: Book, pool: Pool) -> None:
    """Draw, at the first charge of a quarter, of those who are counted: here never as many as 300, so all."""
    today = to_date(book.day)
    quarter = (today.year, (today.month - 1) // 3)
    counted = {name for name, one in book.members.items() if one.pool == pool.number and one.is_paying}
    if quarter == pool.quarter or not counted:
        return
    pool.quarter = quarter
    number = sum(1 for key in book.samples if key[0] == pool.number)
    asked = book.auditors[number % len(book.auditors)]
    sample = book.samples[pool.number, number] = Stage("asked", book.day, by=asked, what=counted)
    sample.timer = book.add_timer("ghost", REPORT_DAYS, bytes([pool.number, number]))


def miss(book: Book, timer: Timer) -> None:
    """Call a report overdue: any auditor may give it from now on."""
    sample = book.samples[timer.subject[0], timer.subject[1]]
    if sample.name == "asked":
        sample.name = "overdue"


def ghost_audit_report(book: Book, signer: bytes, call: GhostAuditReport) -> set[str]:
    """Report on a whole sample."""
    name, role = book.organisations.get(signer, ("", ""))
    if role != "auditor":
        return {"wrong_role"}
    if call.plan != "care":
        return {"plan_unknown"}
    if call.pool >= len(book.pools):
        return {"pool_unknown"}
    sample = book.samples.get((call.pool, call.draw))
    if sample is None:
        return {"draw_unknown"}
    if sample.name == "reported":
        return {"already"} if (sample.found, sample.answer) == (call.found, call.report_root) else {"conflict"}
    problems = set()
    if name != sample.by and sample.name != "overdue":
        problems.add("not_your_turn")
    assert isinstance(sample.what, set)
    drawn = len(sample.what)
    if call.sample_size != drawn:
        problems.add("sample_mismatch")
    if call.found > call.sample_size:
        problems.add("value_out_of_range")
    if problems:
        return problems
    sample.name, sample.found, sample.answer = "reported", call.found, call.report_root
    # Everybody was drawn, so the share of ghosts is known; in parts per million, rounded up.
    sample.bound_ppm = -(-(drawn - call.found) * 1_000_000 // drawn)
    return problems
