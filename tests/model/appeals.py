"""Appeals to a drawn jury, or where there is none to an auditor and a firm (contract 2, 5; ADR 0011)."""

from chain.contract import jury as limits
from chain.contract.claim_calls import AppealFile, AppealRule, BallotCommitItem, BallotRevealItem
from chain.contract.jury import hash_ballot
from tests.model import accounts, assessors, claim_money, claims, decisions, hearings, objections, persons
from tests.model.book import Book, Claim, to_date
from tests.model.cases import Appeal
from tests.model.owners import find_owner_problems
from tests.model.records import Timer

REJECTED, REFUSED, ROW, VOID = range(4)
DISMISSED_MAX, WAITING_MAX, JURIES_MAX = 3, 4, 2
SEAL_DAYS, OPEN_DAYS, PANEL_DAYS = 7, 3, 10


# --- filing ---


def appeal_file(book: Book, signer: bytes, tx_id: bytes, call: AppealFile) -> set[str]:
    """Bring a decision before a jury; beside another open claim it waits."""
    problems = claims.find_claimant_problems(book, signer, call.member, call.heir)
    if problems:
        return problems
    claimant, year = book.docket.of(call.member), to_date(book.day).year
    mine = [appeal for appeal in book.docket.appeals.values() if appeal.member == call.member]
    if book.status == "ended":
        problems.add("plan_not_active")
    if claimant.dismissed.get(year, 0) >= DISMISSED_MAX:
        problems.add("limit_reached")
    if sum(appeal.status == "waiting" for appeal in mine) >= WAITING_MAX:
        problems.add("limit_reached")
    if (call.claim is None) != (call.subject == VOID):
        return problems | {"value_out_of_range"}
    if call.claim is not None:
        problems |= find_claim_problems(book, call, call.claim)
    if problems:
        return problems
    half = book.halves.get(call)
    problems, is_complete = claims.sign(book, signer, call, call.heir)
    if not is_complete:
        return problems
    member, hearing = book.members[call.member], book.hearings.get(call.member)
    if call.claim is None and (hearing is None or hearing.name != "decided"):
        if half is not None:
            book.halves[call] = half
        return {"void_state"}
    pool, status = member.pool, ""
    if call.claim is None and hearing is not None:
        hearing.name, hearing.timer = "appealed", None
    elif call.claim is not None:
        claim = book.claims[call.claim]
        claim.case.appealed.add(name_decision(call.subject, claim))
        pool, status = claim.pool, claim.status
    appeal = Appeal(call.member, call.subject, call.claim, pool, "waiting", status)
    book.docket.appeals[tx_id] = appeal
    if call.claim is None or member.claim in (None, call.claim):
        begin(book, tx_id)
    else:
        appeal.timer = book.add_timer("appeal_wait", 1, tx_id)
    return problems


def find_claim_problems(book: Book, call: AppealFile, claim_id: bytes) -> set[str]:
    """Return what forbids to appeal a decision on a claim."""
    claim = book.claims.get(claim_id)
    if claim is None:
        return {"claim_unknown"}
    if claim.member != call.member:
        return {"not_owner"}
    case, problems = claim.case, set()
    if persons.is_barred(book, call.member):
        problems.add("member_state")
    fits = {REJECTED: ("rejected",), REFUSED: ("refused",), ROW: ("approved", "noticed")}[call.subject]
    if claim.status not in fits or (call.subject != ROW and not claims.is_appealable(claim)):
        return problems | {"claim_state"}
    if name_decision(call.subject, claim) in case.appealed:
        problems.add("appealed_before")
    if call.subject == ROW:
        if decisions.compute_amount(book, claim, case.asked_row) <= claim.amount:
            problems.add("row_not_lower")
    elif case.timer is None:
        problems.add("deadline_passed")
    return problems


def name_decision(subject: int, claim: Claim) -> str:
    """Return which decision on a claim is meant: each is appealed once."""
    if subject == REFUSED:
        return "refused behind reports" if claim.case.seats else "refused at filing"
    return "rejected" if subject == REJECTED else "row"


def on_wait(book: Book, timer: Timer) -> None:
    """Begin once the member's other claim is over, unless nothing is left to appeal."""
    appeal = book.docket.appeals[timer.subject]
    if appeal.timer is not timer or appeal.claim is None:
        return
    member, claim = book.members[appeal.member], book.claims[appeal.claim]
    if member.claim not in (None, appeal.claim):
        appeal.timer = book.add_timer("appeal_wait", 1, timer.subject)
    elif claim.status != appeal.status_before or persons.is_barred(book, appeal.member):
        end(book, timer.subject, is_upheld=False, decider="nobody")
    else:
        begin(book, timer.subject)


def begin(book: Book, name: bytes) -> None:
    """Hold the claim and wait for a lot."""
    appeal = book.docket.appeals[name]
    if appeal.claim is not None:
        claim, member = book.claims[appeal.claim], book.members[appeal.member]
        if accounts.is_dead(book, appeal.member):
            claim.payee_kind = 2
        objections.drop(book, appeal.claim)
        claim.status, claim.case.timer = "appealed", None
        member.claim = appeal.claim
        if member.is_gone and member.is_admitted:
            persons.hold(book, appeal.member)
    ask_draw(book, name)


def ask_draw(book: Book, name: bytes) -> None:
    """Wait for a lot that nobody knows yet."""
    appeal = book.docket.appeals[name]
    appeal.status, appeal.timer = "draw", None
    book.docket.appeal_draws.append((name, book.docket.height))


# --- the lot ---


def run_draws(book: Book) -> None:
    """Draw juries, in the order of asking."""
    for name, asked in list(book.docket.appeal_draws):
        if not assessors.is_lot_known(book, asked):
            return
        book.docket.appeal_draws.remove((name, asked))
        draw(book, name)


def draw(book: Book, name: bytes) -> None:
    """Draw a jury, or where there can be none seat the panel."""
    appeal = book.docket.appeals[name]
    pool = book.pools[appeal.pool]
    eligible = [member for member in book.members_of(pool) if member.is_paying]
    size = min(book.pool_terms(pool).jury_size, len(eligible) // limits.MEMBERS_PER_JUROR, limits.JURY_MAX)
    size -= size % 2 == 0
    jury = book.docket.get_jury(name, len(appeal.juries) + 1)
    before = [member for drawn in appeal.juries for member in drawn]
    # Where hardly anybody may judge, the lot may end without a whole jury.
    if len(appeal.juries) == JURIES_MAX or size < limits.JURY_MIN or not jury:
        if len(appeal.juries) < JURIES_MAX and size >= limits.JURY_MIN:
            fit = [member for member in book.members if may_judge(book, appeal, member) and member not in before]
            assert len(fit) <= size, (len(fit), size)
        seat_panel(book, name)
        return
    assert len(jury) == len(set(jury)) == size, (len(jury), size)
    assert not set(jury) & set(before)
    assert all(may_judge(book, appeal, member) for member in jury)
    appeal.juries.append(jury)
    appeal.status = "commit"
    appeal.timer = book.add_timer("ballot_commit", SEAL_DAYS, name)


def may_judge(book: Book, appeal: Appeal, member_id: bytes) -> bool:
    """Tell whether somebody may be drawn: he pays, is of age, and is neither the appellant nor of his house."""
    member, appellant = book.members[member_id], book.members[appeal.member]
    is_stranger = member_id not in (appeal.member, appellant.guardian) and member.key != appellant.key
    return is_stranger and member.guardian is None and member.pool == appeal.pool and member.is_paying


def seat_panel(book: Book, name: bytes) -> None:
    """Ask an auditor and a firm that had no part; without both the decision stands."""
    appeal = book.docket.appeals[name]
    auditors = [book.auditors[1], book.auditors[0], *book.auditors[2:]]
    if appeal.claim is None:
        hearing = book.hearings[appeal.member]
        fresh = [auditor for auditor in auditors if auditor != hearing.by]
        owner = assessors.get_group(book, str(hearing.firm))
        firms = [firm for firm in assessors.list_firms(book) if assessors.get_group(book, firm) != owner]
    else:
        case = book.claims[appeal.claim].case
        free = [auditor for auditor in auditors if case.find_seat(auditor) is None]
        fresh = [auditor for auditor in free if auditor != case.decided_by] if len(free) > 1 else []
        firms = [firm for choice in assessors.list_choices(book, case, 1) for firm in choice]
    panel = book.docket.get_drawn("panel", name)
    expected = len(fresh[:1]) + len(firms[:1])
    assert len(panel) == expected and panel[: len(fresh[:1])] == fresh[:1], (panel, fresh, firms)
    assert set(panel[len(fresh[:1]) :]) <= set(firms), (panel, firms)
    appeal.panel = dict.fromkeys(panel)
    if not panel:
        end(book, name, is_upheld=False, decider="nobody")
        return
    appeal.status = "panel"
    appeal.timer = book.add_timer("appeal_panel", PANEL_DAYS, name)


# --- votes ---


def find_voter_problems(book: Book, signer: bytes, member_id: bytes) -> set[str]:
    """Return what forbids a member to vote at all."""
    problems = find_owner_problems(book, signer, member_id)
    if not problems and book.members[member_id].status in ("died", "voided"):
        problems.add("member_state")
    return problems


def ballot_commit(book: Book, member_id: bytes, item: BallotCommitItem) -> set[str]:
    """Seal a vote; it is never exchanged."""
    appeal = book.docket.appeals.get(item.case)
    if appeal is None:
        return {"appeal_unknown"}
    if not any(member_id in jury for jury in appeal.juries):
        return {"not_juror"}
    if member_id in appeal.seals:
        return {"already"} if appeal.seals[member_id] == item.hash else {"conflict"}
    if appeal.status != "commit" or member_id not in appeal.jury:
        return {"deadline_passed"}
    appeal.seals[member_id] = item.hash
    if all(juror in appeal.seals for juror in appeal.jury):
        end_tomorrow(book, item.case)
    return set()


def ballot_reveal(book: Book, member_id: bytes, item: BallotRevealItem) -> set[str]:
    """Open a vote, once nobody can seal his any more."""
    appeal = book.docket.appeals.get(item.case)
    if appeal is None:
        return {"appeal_unknown"}
    if not any(member_id in jury for jury in appeal.juries):
        return {"not_juror"}
    problems = set()
    is_mine = appeal.seals.get(member_id) == hash_ballot(member_id, item)
    if member_id in appeal.votes and is_mine:
        return {"already"}
    is_present = member_id in appeal.jury
    if appeal.status == "commit" and is_present:
        return {"ballots_sealed"}
    if appeal.status != "reveal" or not is_present:
        problems.add("deadline_passed")
    if not is_mine:
        problems.add("commit_mismatch")
    if problems:
        return problems
    appeal.votes[member_id] = item.is_upheld
    if all(juror in appeal.votes for juror in appeal.jury if juror in appeal.seals):
        end_tomorrow(book, item.case)
    return set()


def end_tomorrow(book: Book, name: bytes) -> None:
    """End a phase in which nothing more can come at the next 0:00."""
    appeal = book.docket.appeals[name]
    # Its last 0:00 may be the next one anyway.
    if appeal.timer is not None and appeal.timer.days_left > 1:
        appeal.timer = book.add_timer(appeal.timer.kind, 1, name)


def on_sealed(book: Book, timer: Timer) -> None:
    """Let the votes be opened, if more than half have sealed one."""
    appeal = book.docket.appeals[timer.subject]
    if appeal.timer is not timer:
        return
    if 2 * sum(juror in appeal.seals for juror in appeal.jury) > len(appeal.jury):
        appeal.status = "reveal"
        appeal.timer = book.add_timer("ballot_reveal", OPEN_DAYS, timer.subject)
    else:
        ask_draw(book, timer.subject)


def on_opened(book: Book, timer: Timer) -> None:
    """Count: more than half of the jury must have voted, more than half of those uphold."""
    appeal = book.docket.appeals[timer.subject]
    if appeal.timer is not timer:
        return
    votes = [appeal.votes[juror] for juror in appeal.jury if juror in appeal.votes]
    if 2 * len(votes) > len(appeal.jury):
        end(book, timer.subject, is_upheld=2 * sum(votes) > len(votes), decider="jury")
    else:
        ask_draw(book, timer.subject)


def appeal_rule(book: Book, signer: bytes, call: AppealRule) -> set[str]:
    """Vote as one of the panel."""
    appeal = book.docket.appeals.get(call.case)
    if appeal is None:
        return {"appeal_unknown"}
    if signer not in book.organisations:
        return {"wrong_role"}
    name = book.organisations[signer][0]
    if name not in appeal.panel:
        return {"not_drawn"}
    if appeal.panel[name] is not None:
        return {"already"} if appeal.panel[name] == call.is_upheld else {"conflict"}
    if appeal.status != "panel":
        return {"appeal_state"}
    appeal.panel[name] = call.is_upheld
    if None not in appeal.panel.values():
        conclude(book, call.case)
    return set()


def on_panel_silence(book: Book, timer: Timer) -> None:
    """Decide by the votes that were given."""
    if book.docket.appeals[timer.subject].timer is timer:
        conclude(book, timer.subject)


def conclude(book: Book, name: bytes) -> None:
    """Uphold where all who voted say so, and somebody did."""
    votes = [vote for vote in book.docket.appeals[name].panel.values() if vote is not None]
    end(book, name, is_upheld=bool(votes) and all(votes), decider="panel" if votes else "nobody")


# --- the verdict ---


def end(book: Book, name: bytes, *, is_upheld: bool, decider: str) -> None:
    """End a case and do what was decided."""
    appeal = book.docket.appeals[name]
    appeal.status = "upheld" if is_upheld else "dismissed"
    appeal.decider, appeal.timer = decider, None
    if not is_upheld and (appeal.juries or appeal.panel):
        dismissed, year = book.docket.of(appeal.member).dismissed, to_date(book.day).year
        dismissed[year] = dismissed.get(year, 0) + 1
    if appeal.claim is None and is_upheld:
        hearings.close(book, appeal.member, "dismissed")
    elif appeal.claim is None:
        hearings.uphold(book, appeal.member)
    elif book.claims[appeal.claim].status == "appealed":
        end_claim(book, appeal, appeal.claim, is_upheld)


def end_claim(book: Book, appeal: Appeal, claim_id: bytes, is_upheld: bool) -> None:
    """Bring a claim back on its way."""
    claim = book.claims[claim_id]
    case = claim.case
    if not is_upheld or persons.is_barred(book, claim.member):
        if appeal.subject == ROW:
            decisions.list_for_notice(book, claim_id)
        else:
            claim.status, case.timer = appeal.status_before, None
            claim_money.release_member(book, claim_id)
        return
    case.decided_by = None
    if appeal.decider == "panel":
        case.decided_by = next((name for name in appeal.panel if name in book.auditors), None)
    if appeal.subject == ROW:
        approve(book, claim_id, case.asked_row)
    elif appeal.subject == REJECTED:
        approve_rejected(book, claim_id)
    else:
        case.overruled.add((case.reason, case.established_day or case.diagnosed_day))
        if case.seats:
            approve(book, claim_id, claim.row)
        else:
            claim.status, case.reason = "eligible", "success"
            book.docket.ask_draw(claim_id)


def find_day(claim: Claim) -> int:
    """Return the day on which a jury's approval rests: of the majority, of one who found it fulfilled, as stated."""
    majority = claim.case.majority
    if majority is not None and majority.report is not None:
        return majority.report[1]
    days = [seat.report[1] for seat in claim.case.active if seat.report is not None and seat.report[0]]
    return days[0] if days else claim.case.diagnosed_day


def approve(book: Book, claim_id: bytes, row: int) -> None:
    """Approve what a jury has seen otherwise; objectors were heard by it."""
    claim = book.claims[claim_id]
    first_filed = decisions.get_first_filed(book, claim)
    claim.row, claim.case.established_day = row, find_day(claim)
    claim.amount = decisions.compute_amount(book, claim)
    book.docket.diagnoses[claim.member, claim.case.cause, claim.case.established_day] = (claim_id, first_filed)
    claim.case.rechecks = objections.RECHECKS_MAX
    decisions.list_for_notice(book, claim_id)


def approve_rejected(book: Book, claim_id: bytes) -> None:
    """Approve a rejected claim, if it has what no jury can give: certificate, own bills, cover."""
    claim = book.claims[claim_id]
    case, day = claim.case, find_day(claim)
    majority = case.majority
    row = case.asked_row
    if case.is_fulfilled and majority is not None and majority.report is not None:
        row = majority.report[2]
    bar = decisions.find_bar(book, claim_id, day)
    answer = claims.judge(book, claim, day, decisions.get_first_filed(book, claim))
    if bar:
        end_undone(book, claim_id, "rejected", bar)
    elif case.certificate is None:
        end_undone(book, claim_id, "expired", "certificate_missing")
    elif answer == "shares":
        case.established_day, claim.row = day, row
        decisions.refund_shares(book, claim_id)
    elif answer and (answer, day) not in case.overruled:
        case.established_day, claim.row = day, row
        end_undone(book, claim_id, "refused", answer)
        claims.open_appeal(book, claim_id)
    else:
        approve(book, claim_id, row)


def end_undone(book: Book, claim_id: bytes, status: str, reason: str) -> None:
    """End a claim behind the verdict."""
    claim = book.claims[claim_id]
    claim.status, claim.case.reason, claim.case.timer = status, reason, None
    claim_money.release_member(book, claim_id)
