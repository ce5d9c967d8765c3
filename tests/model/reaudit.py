"""The second look at paid claims that the lot chose (contract 2 *CLEAN*, *CLAWBACK*; ADR 0020)."""

from chain.contract.claim_calls import ReauditReport
from chain.contract.halves import hash_call
from tests.model import assessors
from tests.model.book import Book, Claim
from tests.model.cases import Reaudit
from tests.model.halves import HALF_DAYS
from tests.model.records import Half, Timer

DAYS = 30
VISIT = 2
"""Source of a certificate: the firms' own visit."""
FIRMS_MAX = 3


def draw(book: Book, claim_id: bytes) -> None:
    """Draw the lot of a paid claim, and the firm of one that was chosen."""
    case = book.claims[claim_id].case
    if case.reaudit is None:
        if not book.docket.get_drawn("lot", claim_id):
            # With small.py every second claim is chosen, at double odds each that only the firms have certified.
            assert case.certificate is None or case.certificate[0] != VISIT, claim_id
            return
        case.reaudit = Reaudit()
    look = case.reaudit
    if look.outcome != "open" or look.timer is not None:
        return
    allowed = assessors.list_choices(book, case, 1, tuple(look.firms))
    if allowed:
        firms = book.docket.get_drawn("reaudit", claim_id)
        assert firms[:-1] == look.firms, (firms, look.firms)
        assert {firms[-1]} in allowed, (firms, allowed)
        look.firms = firms
    look.is_firm_asked = bool(allowed)
    ask(book, claim_id)


def list_asked(claim: Claim) -> list[str]:
    """Return who is asked now: a firm and an auditor, or the auditor alone."""
    look = claim.case.reaudit
    if look is None or look.outcome != "open" or look.timer is None or look.auditor is None:
        return []
    return [look.firms[-1], look.auditor] if look.is_firm_asked else [look.auditor]


def list_auditors(book: Book, claim: Claim) -> list[str]:
    """Return who may audit again: without any part in the claim; if there is none, without its confirmation."""
    period = book.pools[claim.pool].periods[claim.case.period]
    others = [name for name in book.auditors if claim.is_shares_refund or name != period.confirmer]
    return [name for name in others if not claim.case.has_part(name)] or others


def ask(book: Book, claim_id: bytes) -> None:
    """Give the task to the newest firm and the next auditor, or to that auditor alone."""
    claim = book.claims[claim_id]
    look, auditors = claim.case.reaudit, list_auditors(book, claim)
    assert look is not None
    look.auditor = auditors[look.attempt % len(auditors)]
    look.timer = book.add_timer("reaudit", DAYS, claim_id)
    for name in list_asked(claim):
        book.docket.note_duty(name, "drawn")


def pass_on(book: Book, claim_id: bytes) -> None:
    """Ask another firm; after three the auditor alone."""
    look = book.claims[claim_id].case.reaudit
    assert look is not None
    look.attempt += 1
    look.timer = None
    if len(look.firms) < FIRMS_MAX:
        book.docket.ask_draw(claim_id)
        return
    look.is_firm_asked = False
    ask(book, claim_id)


def end(book: Book, claim_id: bytes, outcome: str) -> None:
    """Say what came out of it."""
    look = book.claims[claim_id].case.reaudit
    assert look is not None
    look.outcome, look.timer = outcome, None


def on_silence(book: Book, timer: Timer) -> None:
    """Ask others; where the auditor was asked alone it stays unaudited."""
    look = book.claims[timer.subject].case.reaudit
    assert look is not None
    if look.timer is not timer:
        return
    if look.is_firm_asked:
        pass_on(book, timer.subject)
    else:
        end(book, timer.subject, "unaudited")


def decline(book: Book, claim_id: bytes) -> None:
    """Ask others in the place of one who gave it back; in the end nobody."""
    claim = book.claims[claim_id]
    look = claim.case.reaudit
    assert look is not None
    if look.is_firm_asked:
        pass_on(book, claim_id)
    elif look.attempt >= FIRMS_MAX + len(list_auditors(book, claim)) - 1:
        end(book, claim_id, "unaudited")
    else:
        look.attempt += 1
        ask(book, claim_id)


def reaudit_report(book: Book, signer: bytes, call: ReauditReport) -> set[str]:
    """Sign a finding: both who are asked must say the same."""
    claim = book.claims.get(call.claim)
    if claim is None:
        return {"claim_unknown"}
    asked = list_asked(claim)
    if claim.status != "paid" or not asked:
        return {"claim_state"}
    name = book.organisations.get(signer, ("", ""))[0]
    if len(asked) == 1:
        if name not in asked:
            return {"wrong_role"}
    else:
        problems = sign(book, signer, call, asked)
        if problems or call in book.halves:
            return problems
    claim.status = "clean" if call.is_clean else "clawback"
    end(book, call.claim, claim.status)
    for name in asked:
        book.docket.note_duty(name, "reported")
    return set()


def sign(book: Book, signer: bytes, call: ReauditReport, asked: list[str]) -> set[str]:
    """Add a signature; the call is not among the halves any more once both are there."""
    name = book.organisations.get(signer, ("", ""))[0]
    half = book.halves.get(call)
    signed = {} if half is None else dict(half.signed)
    signed = {place: who for place, who in signed.items() if not book.house.has_lost(*who)}
    if name not in asked or asked.index(name) in signed:
        return {"already" if name and name in [who for who, _ in signed.values()] else "wrong_role"}
    signed[asked.index(name)] = (name, signer)
    if len(signed) == len(asked):
        # A firm may have signed that was asked before.
        if [signed[place][0] for place in range(len(asked))] != asked:
            return {"not_drawn"}
        del book.halves[call]
        return set()
    if half is None:
        half = book.halves[call] = Half(timer=book.add_timer("half", HALF_DAYS, hash_call(call)))
    half.signed = signed
    return set()
