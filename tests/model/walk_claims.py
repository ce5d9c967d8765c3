"""A claim's next step, done as it should be: so that stories get as far as payments, appeals and second looks.

A step returns for how many days nothing more is to be done about the claim: who walks it alone lets them pass.
"""

from chain.contract.claim_bills import compute_bill_root
from chain.contract.claim_calls import (
    AppealFile,
    AppealRule,
    AssessorAccept,
    BallotCommit,
    BallotCommitItem,
    BallotReveal,
    BallotRevealItem,
    CertificateAttach,
    ClaimCard,
    ClaimConfirm,
    ClaimDecide,
    ObjectionFile,
    ObjectionRule,
    ReauditReport,
    ReportCommit,
    ReportReveal,
)
from chain.contract.claim_report import hash_report
from chain.contract.jury import hash_ballot
from chain.contract.member_calls import AccountChange, AccountVerify, AccountVerifyItem
from chain.contract.money_calls import CashOther, CashOtherItem, InstructionAck, InstructionAckItem
from chain.contract.plan_calls import BatchSign
from tests.chain.contract.world import PLAN_NAME, name_hash
from tests.model import assessors, decisions, reaudit
from tests.model.book import Claim
from tests.model.cases import Appeal
from tests.model.owners import list_keys
from tests.model.story import Story

RECOVERY = 1
"""cash_other: money of a clawback."""


(FIRMS, DECIDERS, JURORS, HOSPITAL, CONFIRMERS, SECOND_LOOKERS) = range(6)
TEMPERS = 18


def is_silent(name: bytes, who: int) -> bool:
    """Tell whether somebody never does anything about a claim or an appeal: in one of three cases somebody does not."""
    return name_hash("mood", name.hex())[0] % TEMPERS == who


# --- what parties say ---


def find_truth(story: Story, claim_id: bytes) -> tuple[int, int, int]:
    """Return (finding, day, row) of a claim as it is: in half of all cases not what the claimant says."""
    claim = story.book.claims[claim_id]
    case, member = claim.case, story.book.members[claim.member]
    stated = case.diagnosed_day
    truths = {
        0: (0, stated, case.asked_row),
        1: (0, stated, case.asked_row),
        2: (0, stated, case.asked_row),
        3: (1, stated, case.asked_row ^ 1),
        4: (1, stated, case.asked_row ^ 1),
        5: (1, member.entry_day, case.asked_row),
        6: (1, max(0, member.entry_day - 1), case.asked_row),
        7: (1, max(0, stated - 1), case.asked_row),
        8: (0, member.entry_day, case.asked_row),
        9: (0, max(0, member.entry_day - 1), case.asked_row),
    }
    finding, day, row = truths.get(name_hash("truth", claim_id.hex())[0] % 20, (1, stated, case.asked_row))
    return finding, min(day, story.book.day), row


def build_report(story: Story, claim_id: bytes, firm: str) -> ReportReveal:
    """Build what a firm says of a claim: mostly the truth, more seldom where somebody has objected."""
    odds = name_hash("says", claim_id.hex(), firm)[0] >> (story.book.claims[claim_id].status == "recheck")
    finding, day, row = find_truth(story, claim_id)
    return ReportReveal(
        claim=claim_id,
        finding=finding ^ (odds < 14),
        established_day=max(0, day - (odds % 3 + 1 if 14 <= odds < 24 else 0)),
        row=row ^ (24 <= odds < 36),
        clauses=("4.1",),
        report_root=name_hash("report", firm),
        salt=name_hash("salt", firm),
    )


def build_certificate(claim_id: bytes, claim: Claim, source: int = 0) -> CertificateAttach:
    """Build the paper that a claim needs."""
    root = compute_bill_root(claim.case.bills)
    return CertificateAttach(claim=claim_id, source=source, document_hash=name_hash("paper"), bill_root=root)


def build_ballot(member: bytes, name: bytes) -> BallotRevealItem:
    """Build the vote of a juror: some cases have two jurors of three for them, others against them."""
    is_upheld = name_hash("votes", member.hex(), name.hex())[0] % 3 > name_hash("leaning", name.hex())[0] % 2
    return BallotRevealItem(case=name, is_upheld=is_upheld, salt=name_hash("ballot", member.hex()))


# --- the walk ---


def walk(story: Story, claim_id: bytes, choice: int) -> int:
    """Do the next step of a claim; return the days that it waits behind it."""
    claim = story.book.claims[claim_id]
    step = STEPS.get(claim.status)
    return 0 if step is None else step(story, claim_id, claim, choice)


def walk_alone(story: Story, claim_id: bytes, choice: int) -> None:
    """Do the next step of a claim and let its days pass, whatever becomes of the others."""
    story.pass_days(walk(story, claim_id, choice))


def let_reveal(story: Story) -> None:
    """Let blocks pass until each lot that was asked for may be drawn at the next 0:00."""
    docket = story.book.docket
    for _ in range(assessors.PROPOSERS_MIN):
        asked = [height for _, height in [*docket.draws, *docket.appeal_draws]]
        if asked and docket.height - max(asked) < assessors.PROPOSERS_MIN:
            story.next_block()


def wait_for_lot(story: Story, claim_id: bytes, claim: Claim, choice: int) -> int:
    """Let proposers reveal, and a day begin."""
    if claim.case.certificate is None and choice % 3 == 0 and not is_silent(claim_id, HOSPITAL):
        story.call("clinic", build_certificate(claim_id, claim))
    let_reveal(story)
    return 1


def investigate(story: Story, claim_id: bytes, claim: Claim, choice: int) -> int:
    """Let the firms accept, seal, or open; now and then one stays silent."""
    case = claim.case
    if not case.is_seated:
        return wait_for_lot(story, claim_id, claim, choice)
    acting = [seat.name for seat in case.active][choice % 11 == 10 :]
    if is_silent(claim_id, FIRMS):
        acting = acting[2:]
    for name in acting:
        seat = case.find_seat(name)
        if seat is None or claim.status != "assigned":
            return 0
        report = build_report(story, claim_id, name)
        if not seat.is_accepted:
            story.call(name, AssessorAccept(claim=claim_id))
        elif seat.seal is None:
            story.call(name, ReportCommit(claim=claim_id, hash=hash_report(name, report)))
        elif case.is_sealed and seat.report is None:
            story.call(name, report)
    return 0 if len(acting) == len(case.active) else (2, 3, 20)[choice // 11 % 3]


def decide(story: Story, claim_id: bytes, claim: Claim, choice: int) -> int:
    """Certify and decide as the reports say; now and then whoever is asked stays silent."""
    case = claim.case
    if case.certificate is None and choice % 9 and not is_silent(claim_id, HOSPITAL):
        if choice % 4:
            story.call("clinic", build_certificate(claim_id, claim))
        else:
            for seat in case.active[:2]:
                story.call(seat.name, build_certificate(claim_id, claim, source=2))
    if choice % 5 == 4 or is_silent(claim_id, DECIDERS) or (case.is_fulfilled and case.certificate is None):
        story.call("platform", build_card(claim_id, choice))
        return decisions.DAYS[case.asked]
    signer = ["platform", *story.book.auditors][case.asked]
    report = None if case.majority is None else case.majority.report
    is_approved = case.is_fulfilled and not decisions.find_bar(story.book, claim_id)
    row = 0 if report is None else report[2]
    story.call(signer, ClaimDecide(claim=claim_id, is_approved=is_approved, row=row, clauses=("4.1",)))
    return 0


def build_card(claim_id: bytes, choice: int) -> ClaimCard:
    """Build what the public is told."""
    age = choice % 12 * 5
    return ClaimCard(
        claim=claim_id,
        age_from_years=age,
        age_to_years=age + 4 + choice % 41 // 40,
        sex=choice % 3,
        province=33,
        disease_group=choice % 2,
        people_min=10 - choice % 31 // 30,
    )


def wait(story: Story, claim_id: bytes, claim: Claim, choice: int) -> int:
    """Return the days to the next notice or charge."""
    book = story.book
    period = book.pools[claim.pool].periods[-1]
    day = period.notice_day if period.status == "open" else period.charge_day
    return max(1, day - book.day)


def appeal_row_or_wait(story: Story, claim_id: bytes, claim: Claim, choice: int) -> int:
    """Wait for the notice, unless the row is worth less than what was asked for."""
    if claim.row != claim.case.asked_row and choice % 4:
        return file_appeal(story, claim_id, claim, choice)
    return wait(story, claim_id, claim, choice)


def stand_in_notice(story: Story, claim_id: bytes, claim: Claim, choice: int) -> int:
    """Object, rule, confirm; or let the notice pass."""
    book, case = story.book, claim.case
    if case.pending and choice % 5:
        free = [name for name in book.auditors if not case.has_part(name)]
        if free:
            story.call(free[0], ObjectionRule(objection=case.pending[0], is_admitted=choice % 3 > 0))
        return 0
    objectors = [name for name, member in book.members.items() if name != claim.member and book.day in member.covered]
    if book.day < case.first_day and objectors and choice % 3 == 0:
        objector = objectors[choice // 3 % len(objectors)]
        call = ObjectionFile(member=objector, claim=claim_id, evidence_hash=name_hash("seen", choice // 7 % 3))
        story.call(list_keys(book, book.members[objector])[0], call)
        return 0
    if book.day < case.first_day:
        return case.first_day - book.day
    period = book.pools[claim.pool].periods[case.period]
    confirmer = decisions.get_confirmer(book, period, case.period)
    if period.status == "notice" and not case.has_part(confirmer) and not is_silent(claim_id, CONFIRMERS):
        story.call(confirmer, ClaimConfirm(items=(claim_id,)))
    return wait(story, claim_id, claim, choice)


def recheck(story: Story, claim_id: bytes, claim: Claim, choice: int) -> int:
    """Draw and hear one more firm."""
    case = claim.case
    if not case.is_seated:
        return wait_for_lot(story, claim_id, claim, 1)
    if choice % 7 == 0 or is_silent(claim_id, SECOND_LOOKERS):
        return 10
    name = case.active[-1].name
    story.call(name, build_report(story, claim_id, name))
    return 0


def sign_batch(story: Story, claim_id: bytes, claim: Claim, choice: int) -> int:
    """Let platform and co-signer release what was charged."""
    story.agree()
    for pool in story.book.pools:
        for number, period in [*enumerate(pool.periods), *pool.batches.items()]:
            if period.status == "computed" and claim_id in [
                story.book.instructions[name].claim for name in period.instructions
            ]:
                call = BatchSign(plan=PLAN_NAME, pool=pool.number, period=number, batch_root=period.root)
                for signer in ("platform", period.cosigner):
                    if signer not in period.signed:
                        story.call(signer, call)
    return 3 * (claim.status == "settled")


def pay(story: Story, claim_id: bytes, claim: Claim, choice: int) -> int:
    """Let the bank pay; now and then it cannot."""
    for name, record in list(story.book.instructions.items()):
        if record.claim == claim_id and record.state == "ready":
            custody = story.book.pools[record.pool].custody
            is_settled = choice % 6 > 0
            item = InstructionAckItem(
                instruction=name,
                is_settled=is_settled,
                amount=record.amount,
                booking_day=story.book.day,
                ref_token=name_hash("paid", record.attempt, name.hex()),
                reason=0 if is_settled else 4,
            )
            story.call("bank", InstructionAck(account=custody.name, items=(item,)))
    return 0


def change_account(story: Story, claim_id: bytes, claim: Claim, choice: int) -> int:
    """Give the payee another account, by which a failed payment is tried again."""
    book = story.book
    member = book.members[claim.member]
    token = name_hash("account", choice)
    if member.bank_index is None:
        return 0
    change = AccountChange(member=claim.member, account_commitment=token)
    story.call(list_keys(book, member)[0], change)
    item = AccountVerifyItem(
        member=claim.member,
        person_index=member.bank_index,
        account_token=token,
        holder_kind=0,
        key_challenge_hash=bytes(32),
        last_cover_year=member.last_year,
    )
    story.call("bank", AccountVerify(items=(item,)))
    return 1


def look_again(story: Story, claim_id: bytes, claim: Claim, choice: int) -> int:
    """Let a paid claim's lot be drawn, and those who are asked sign what they found."""
    asked = reaudit.list_asked(claim)
    if not asked:
        return wait_for_lot(story, claim_id, claim, 1)
    if choice % 5 == 0 or is_silent(claim_id, SECOND_LOOKERS):
        return reaudit.DAYS
    is_clean = choice % 3 == 0
    for name in asked:
        story.call(name, ReauditReport(claim=claim_id, is_clean=is_clean, report_root=name_hash("again")))
    return 0


def recover(story: Story, claim_id: bytes, claim: Claim, choice: int) -> int:
    """Let money of a clawback come back, in parts."""
    if claim.recovered >= claim.paid and choice % 7:
        return 0
    item = CashOtherItem(
        kind=RECOVERY,
        claim=claim_id,
        instruction=None,
        amount=max(1, claim.paid // (1 + choice % 3)),
        booking_day=story.book.day,
        ref_token=name_hash("back", choice),
        payer_token=None,
    )
    call = CashOther(account=story.book.pools[claim.pool].custody.name, items=(item,))
    story.sign(call, ("bank", "audit-one"))
    return 0


# --- appeals ---


def file_appeal(story: Story, claim_id: bytes, claim: Claim, choice: int) -> int:
    """Appeal a decision, as long as there is time."""
    subject = {"rejected": 0, "refused": 1}.get(claim.status, 2)
    member = story.book.members[claim.member]
    call = AppealFile(member=claim.member, subject=subject, claim=claim_id, grounds_hash=name_hash("why"))
    story.call(list_keys(story.book, member)[0], call)
    return 0


def appeal_void(story: Story, choice: int) -> None:
    """Appeal a decided void, or take the next step of such an appeal."""
    book = story.book
    for name, appeal in book.docket.appeals.items():
        if appeal.claim is None and appeal.status not in ("upheld", "dismissed"):
            story.pass_days(step_appeal(story, name, appeal, choice))
            return
    for member, hearing in book.hearings.items():
        if hearing.name == "decided":
            call = AppealFile(member=member, subject=3, claim=None, grounds_hash=name_hash("why"))
            story.call(list_keys(book, book.members[member])[0], call)
            return


def go_to_jury(story: Story, claim_id: bytes, claim: Claim, choice: int) -> int:
    """Do the next step of a claim's appeal."""
    for name, appeal in story.book.docket.appeals.items():
        if appeal.claim == claim_id and appeal.status not in ("upheld", "dismissed"):
            return step_appeal(story, name, appeal, choice)
    return 0


def step_appeal(story: Story, name: bytes, appeal: Appeal, choice: int) -> int:
    """Do the next step of an appeal; a juror now and then stays silent."""
    book = story.book
    has_paper = appeal.claim is None or book.claims[appeal.claim].case.certificate is not None
    if appeal.claim is not None and not has_paper and choice % 3 == 0 and not is_silent(appeal.claim, HOSPITAL):
        story.call("clinic", build_certificate(appeal.claim, book.claims[appeal.claim]))
    jurors = [juror for place, juror in enumerate(appeal.jury) if (choice + place) % 9 > 0 or choice % 5 > 0]
    if is_silent(name, JURORS) or is_silent(name, FIRMS):
        jurors = jurors[:1]
    if appeal.status in ("draw", "waiting"):
        let_reveal(story)
        return 1
    if appeal.status == "panel":
        for place, who in enumerate(appeal.panel):
            if appeal.panel[who] is None and (choice + place) % 5:
                story.call(who, AppealRule(case=name, is_upheld=choice % 7 > place))
        return 10 * (appeal.status == "panel")
    is_sealing, days = appeal.status == "commit", 7 if appeal.status == "commit" else 3
    for juror in jurors:
        ballot = build_ballot(juror, name)
        call: BallotCommit | BallotReveal = BallotReveal(member=juror, items=(ballot,))
        if is_sealing:
            item = BallotCommitItem(case=name, hash=hash_ballot(juror, ballot))
            call = BallotCommit(member=juror, items=(item,))
        story.call(list_keys(book, book.members[juror])[-1], call)
    return 1 if len(jurors) == len(appeal.jury) else days


STEPS = {
    "eligible": wait_for_lot,
    "assigned": investigate,
    "investigated": decide,
    "approved": appeal_row_or_wait,
    "noticed": stand_in_notice,
    "recheck": recheck,
    "confirmed": wait,
    "shares_refund": wait,
    "settled": sign_batch,
    "instructed": pay,
    "pay_failed": change_account,
    "paid": look_again,
    "clawback": recover,
    "refused": file_appeal,
    "rejected": file_appeal,
    "appealed": go_to_jury,
}
