"""Steps of the machine around claims: file, walk on as it should be, and any call by anybody (machine.py)."""

from random import Random

from hypothesis.stateful import rule

from chain.contract.calls import Call
from chain.contract.claim_calls import (
    AppealFile,
    AppealRule,
    AssessorAccept,
    AssessorDecline,
    BallotCommit,
    BallotCommitItem,
    BallotReveal,
    CertificateAttach,
    ClaimConfirm,
    ClaimDecide,
    ClaimFile,
    ClaimPayee,
    ClaimWithdraw,
    ObjectionFile,
    ObjectionRule,
    ReauditReport,
    ReportCommit,
    ReportReveal,
)
from chain.contract.claim_report import hash_report
from chain.contract.jury import hash_ballot
from tests.chain.contract.world import name_hash
from tests.model.claims import MAY_FILE
from tests.model.machine_base import AUDITORS, pick
from tests.model.owners import list_keys
from tests.model.reaudit import list_asked
from tests.model.story import Story
from tests.model.walk_claims import (
    appeal_void,
    build_ballot,
    build_card,
    build_certificate,
    build_report,
    let_reveal,
    walk,
    walk_alone,
)

OFFICES = ("platform", "bank", "audit-one", "audit-two", "firm-a", "firm-b", "firm-c", "firm-d", "clinic")
OVER = ("withdrawn", "expired", "clean", "claimed_out")
LATE = ("refused", "rejected", "clawback")
"""About which nothing is urgent."""
CHOICES = 2**31


# --- who and what ---


def pick_member(story: Story, choice: int) -> bytes:
    """Return some member, now and then nobody."""
    members = list(story.book.members)
    return members[choice % len(members)] if members and choice % 41 != 40 else name_hash("nobody")


def list_live(story: Story) -> list[bytes]:
    """Return the claims that go on, or may."""
    claims = story.book.claims
    open_ones = [name for name, claim in claims.items() if claim.status not in OVER]
    return [name for name in open_ones if not 0 < claims[name].paid <= claims[name].recovered]


def pick_claim(story: Story, choice: int) -> bytes:
    """Return some claim, rather one that goes on."""
    live = list_live(story)
    known = live if live and choice % 5 else list(story.book.claims)
    return known[choice // 5 % len(known)] if known and choice % 43 != 42 else name_hash("no claim")


def pick_signer(story: Story, choice: int, usual: str | bytes) -> str | bytes:
    """Return who should sign, now and then somebody else."""
    if choice % 13 != 12:
        return usual
    others: list[str | bytes] = [*OFFICES, name_hash("stranger")]
    others += [member.key for member in story.book.members.values()]
    return others[choice // 13 % len(others)]


def pick_key(story: Story, member: bytes, choice: int) -> bytes:
    """Return a key that may sign for a member."""
    record = story.book.members.get(member)
    if record is None:
        return name_hash("stranger")
    keys = list_keys(story.book, record)
    return keys[choice % len(keys)]


def pick_heir(story: Story, member: bytes, choice: int) -> bytes | None:
    """Return an heir for who died, now and then for others."""
    has_died = member in story.book.deaths
    return name_hash("heir", choice % 2) if has_died == (choice % 17 != 16) else None


def pick_office(story: Story, claim_id: bytes, choice: int) -> str | bytes:
    """Return who has a seat, a turn, or a second look of a claim; else some office."""
    claim = story.book.claims.get(claim_id)
    asked = [] if claim is None else [*[seat.name for seat in claim.case.active], *list_asked(claim)]
    if claim is not None and claim.status == "investigated":
        asked = ["platform", *AUDITORS]
    usual = asked[choice % len(asked)] if asked and choice % 6 else OFFICES[choice // 6 % len(OFFICES)]
    return pick_signer(story, choice // 7, usual)


# --- calls ---


def file_claim(story: Story, choice: int, member: bytes | None = None) -> None:
    """File a claim, mostly for a day that gives a right."""
    book, member = story.book, member or pick_member(story, choice)
    record = book.members.get(member)
    days = [] if record is None else sorted(record.covered | record.covered_accident)
    picks = [book.day - choice // 7 % 40, book.day + 1, book.day - 400, 0 if record is None else record.entry_day]
    picks += [days[choice // 7 % len(days)], days[-1], days[-1], days[0] - 1, days[0]] if days else []
    heir = pick_heir(story, member, choice)
    has_died = member in book.deaths
    call = ClaimFile(
        member=member,
        cause=choice // 3 % 2,
        diagnosed_day=max(0, picks[choice // 11 % len(picks)]),
        evidence_root=name_hash("evidence"),
        bill_tags=tuple(name_hash("bill", (choice + place) % 9) for place in range(choice // 13 % 3)),
        asked_row=(1, 1, 1, 0, 0, 2)[choice // 17 % 6],
        payee_kind=2 if has_died else (0, 0, 0, 1, 2)[choice // 19 % 5],
        heir=heir,
    )
    if has_died and heir is not None:
        story.call(heir, call)
        story.call("audit-one", call)
    else:
        story.call(pick_signer(story, choice // 23, pick_key(story, member, choice)), call)


def file_rightly(story: Story, choice: int) -> None:
    """File a claim for the last covered day of somebody who has none open."""
    book = story.book
    last_day = book.wind_day if book.is_winding else book.day
    past = {
        name: [{day for day in days if day <= last_day} for days in (one.covered, one.covered_accident)]
        for name, one in book.members.items()
        if one.claim is None and name not in book.deaths and one.status in MAY_FILE
    }
    free = [name for name, days in past.items() if days[1]]
    if not free:
        return
    member = free[choice % len(free)]
    record = book.members[member]
    cause = int(not past[member][0] or choice // 7 % 4 == 0)
    call = ClaimFile(
        member=member,
        cause=cause,
        diagnosed_day=max(past[member][cause]),
        evidence_root=name_hash("evidence"),
        bill_tags=(name_hash("bill", choice % 1_000),),
        asked_row=choice // 3 % 5 // 3 ^ 1,
        payee_kind=int(record.guardian is not None and choice % 2 == 0),
    )
    story.call(pick_key(story, member, choice), call)


def build_any(story: Story, choice: int) -> tuple[str | bytes, Call]:
    """Return any call around claims, with who should sign it."""
    book, claim_id = story.book, pick_claim(story, choice)
    claim = book.claims.get(claim_id)
    owner = name_hash("nobody") if claim is None else claim.member
    if choice % 19 == 18:
        owner = pick_member(story, choice)
    office, own_key = pick_office(story, claim_id, choice), pick_key(story, owner, choice)
    decide = ClaimDecide(claim=claim_id, is_approved=choice % 3 > 0, row=choice % 2, clauses=build_clauses(choice))
    appeals = list(book.docket.appeals)
    case_id = appeals[choice // 3 % len(appeals)] if appeals and choice % 17 else name_hash("no case")
    other = pick_member(story, choice // 3)
    heir = pick_heir(story, owner, choice // 5)
    calls: list[tuple[str | bytes, Call]] = [
        (office, AssessorAccept(claim=claim_id)),
        (office, AssessorDecline(claim=claim_id, is_conflict=choice % 4 == 0)),
        (office, decide),
        (own_key, ClaimWithdraw(member=owner, claim=claim_id, heir=heir)),
        (own_key, ClaimPayee(member=owner, claim=claim_id, payee_kind=choice % 3, heir=heir)),
        ("platform", build_card(claim_id, choice)),
        (pick_key(story, other, 0), ObjectionFile(member=other, claim=claim_id, evidence_hash=name_hash(choice % 3))),
        (office, ReauditReport(claim=claim_id, is_clean=choice % 2 == 0, report_root=name_hash("again"))),
        (own_key, build_appeal(owner, claim_id, choice, heir)),
        (pick_judge(story, case_id, choice), AppealRule(case=case_id, is_upheld=choice % 2 == 0)),
        (OFFICES[2 + choice % 2], ClaimConfirm(items=(claim_id, pick_claim(story, choice // 7)))),
        (OFFICES[2 + choice % 2], ObjectionRule(objection=pick_objection(story, choice), is_admitted=choice % 3 > 0)),
        *build_votes(story, case_id, choice),
        *build_papers(story, claim_id, office, choice),
    ]
    if claim is not None and claim.status == "investigated" and choice % 3 == 0:
        return office, decide
    return calls[choice // 29 % len(calls)]


def build_clauses(choice: int) -> tuple[str, ...]:
    """Return clauses to cite; now and then one that nobody signed."""
    return (("4.1",), ("4.1", "5.1"), (), ("9.9",))[choice // 7 % 4]


def build_appeal(owner: bytes, claim_id: bytes, choice: int, heir: bytes | None) -> AppealFile:
    """Return an appeal against a decision on a claim, or against a void."""
    subject = choice % 4
    claim = None if subject == 3 and choice % 9 else claim_id
    return AppealFile(member=owner, subject=subject, claim=claim, grounds_hash=name_hash("why"), heir=heir)


def pick_objection(story: Story, choice: int) -> bytes:
    """Return some objection."""
    known = list(story.book.docket.objections)
    return known[choice % len(known)] if known and choice % 11 else name_hash("no objection")


def pick_judge(story: Story, case_id: bytes, choice: int) -> str:
    """Return one of the panel, else some office."""
    appeal = story.book.docket.appeals.get(case_id)
    panel = [] if appeal is None else list(appeal.panel)
    return panel[choice % len(panel)] if panel and choice % 7 else OFFICES[choice % len(OFFICES)]


def build_votes(story: Story, case_id: bytes, choice: int) -> list[tuple[str | bytes, Call]]:
    """Return a vote of a juror, or of somebody else."""
    appeal = story.book.docket.appeals.get(case_id)
    jury = [] if appeal is None else [juror for drawn in appeal.juries for juror in drawn]
    member = jury[choice % len(jury)] if jury and choice % 7 else pick_member(story, choice)
    item = build_ballot(member, case_id)
    seal = BallotCommitItem(case=case_id, hash=hash_ballot(member, item) if choice % 9 else name_hash("seal"))
    key = pick_key(story, member, choice)
    return [(key, BallotCommit(member=member, items=(seal, seal))), (key, BallotReveal(member=member, items=(item,)))]


def build_papers(story: Story, claim_id: bytes, office: str | bytes, choice: int) -> list[tuple[str | bytes, Call]]:
    """Return seals, reports and certificates, right ones and wrong ones."""
    claim = story.book.claims.get(claim_id)
    if claim is None:
        empty = CertificateAttach(claim=claim_id, source=0, document_hash=name_hash("paper"))
        return [("clinic", empty)]
    report = build_report(story, claim_id, office if isinstance(office, str) else "nobody")
    days = (report.established_day, story.book.day + 1, story.book.day)
    wrong = ReportReveal(
        claim=claim_id,
        finding=choice % 2,
        established_day=days[choice % 3],
        row=choice % 3,
        clauses=build_clauses(choice),
        report_root=report.report_root,
        salt=report.salt,
    )
    firm = office if isinstance(office, str) else "nobody"
    sealed = hash_report(firm, report if choice % 5 else wrong)
    certificate = build_certificate(claim_id, claim, source=choice % 3)
    signer = "clinic" if choice % 3 < 2 else office
    return [
        (office, ReportCommit(claim=claim_id, hash=sealed)),
        (office, report),
        (office, wrong),
        (signer, certificate),
        (signer, CertificateAttach(claim=claim_id, source=choice % 3, document_hash=name_hash("forged"))),
    ]


def bend(story: Story, claim_id: bytes, choice: int) -> None:
    """Do something that a claimant or a firm may do to change the way of a claim."""
    book = story.book
    claim = book.claims.get(claim_id)
    if claim is None:
        return
    owner, seats = claim.member, [seat.name for seat in claim.case.active]
    heir = None if owner not in book.deaths else name_hash("heir", choice % 2)
    key = pick_key(story, owner, 0) if heir is None else heir
    has_other_payee = heir is not None or book.members[owner].guardian is not None
    calls: list[tuple[str | bytes, Call]] = [(key, ClaimWithdraw(member=owner, claim=claim_id, heir=heir))]
    if has_other_payee or choice % 7 == 0:
        kinds = (2,) if heir is not None else (0, 1)
        calls += [(key, ClaimPayee(member=owner, claim=claim_id, payee_kind=kind, heir=heir)) for kind in kinds]
    if claim.status in ("assigned", "recheck", "paid"):
        names = [*seats, *list_asked(claim)]
        calls += [(name, AssessorDecline(claim=claim_id, is_conflict=choice % 2 == 0)) for name in names]
    if claim.status in ("rejected", "refused", "approved", "noticed"):
        decision = {"rejected": 0, "refused": 1}.get(claim.status, 2)
        calls.append((key, build_appeal(owner, claim_id, decision, heir)))
    signer, call = calls[choice // 3 % len(calls)]
    story.call(signer, call)
    if heir is not None and choice % 4:
        story.call("audit-one", call)
    if claim.status == "withdrawn":
        file_claim(story, choice, owner)


def insist(story: Story, choice: int) -> None:
    """Let a member take a claim back again and again, or appeal one refusal after the other."""
    book, chance = story.book, Random(choice)
    free = [name for name, one in book.members.items() if one.status == "sharing" and one.claim is None and one.covered]
    if not free:
        return
    member = chance.choice(free)
    key, record, is_appealing = pick_key(story, member, 0), book.members[member], chance.randrange(2) == 0
    first_day = record.entry_day - 1 if is_appealing else max(record.covered)
    filed = []
    for number in range(6):
        call = ClaimFile(
            member=member,
            cause=0,
            diagnosed_day=first_day - number * is_appealing,
            evidence_root=name_hash("evidence"),
            bill_tags=(),
            asked_row=1,
            payee_kind=0,
        )
        if story.call(key, call).number == 0:
            filed.append(bytes(story.world.last_tx))
            if not is_appealing:
                story.call(key, ClaimWithdraw(member=member, claim=filed[-1]))
                let_reveal(story)
                story.pass_days(1)
    if is_appealing:
        for claim_id in filed:
            story.call(key, build_appeal(member, claim_id, 1, None))
        walk_all(story, chance, 3)


# --- steps ---


def walk_all(story: Story, chance: Random, rounds: int) -> None:
    """Let all claims go on side by side: one step of each, then days once all wait."""
    for number in range(rounds):
        claims = [story.book.claims[name] for name in list_live(story)]
        days = [walk(story, name, chance.randrange(CHOICES)) for name in list_live(story)]
        if number % 3 == 2:
            story.agree()
        is_busy = any(not wished and claim.status not in LATE for claim, wished in zip(claims, days, strict=True))
        story.pass_days(min([wished for wished in days if wished], default=0) if not is_busy else chance.randrange(2))
        if story.book.is_stopped:
            return


class ClaimRules:
    """What the machine does around claims."""

    story: Story

    @rule(choice=pick)
    def file_claim(self, choice: int) -> None:
        chance = Random(choice)
        for file in (file_rightly, chance.choice((file_rightly, file_claim))):
            file(self.story, chance.randrange(CHOICES))

    @rule(choice=pick)
    def walk_claims(self, choice: int) -> None:
        walk_all(self.story, Random(choice), 4)

    @rule(choice=pick)
    def walk_claims_far(self, choice: int) -> None:
        walk_all(self.story, Random(choice), 5)

    @rule(choice=pick)
    def walk_one_claim(self, choice: int) -> None:
        chance, claim_id = Random(choice), pick_claim(self.story, choice)
        for _ in range(6):
            if claim_id in self.story.book.claims:
                walk_alone(self.story, claim_id, chance.randrange(CHOICES))

    @rule(choice=pick)
    def bend_claim(self, choice: int) -> None:
        chance = Random(choice)
        for _ in range(2):
            bend(self.story, pick_claim(self.story, chance.randrange(CHOICES)), chance.randrange(CHOICES))
        appeal_void(self.story, chance.randrange(CHOICES))

    @rule(choice=pick)
    def insist(self, choice: int) -> None:
        insist(self.story, choice)

    @rule(choice=pick)
    def call_anything_about_claims(self, choice: int) -> None:
        chance = Random(choice)
        for _ in range(5):
            signer, call = build_any(self.story, chance.randrange(CHOICES))
            self.story.call(pick_signer(self.story, chance.randrange(CHOICES), signer), call)
