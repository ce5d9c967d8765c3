"""The year of `bench/year.py`: people and institutions on the contract in memory, all by calls.

Who does nothing but pay (no claim, no leaving, no child with one) is put into the records and the sum tree directly,
as 100,000 people with the maximum deposit; everybody else joins by the calls of a real admission. Every unit of weight
is one person, so a charge is comparable with the published ones.
"""

from collections.abc import Sequence
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from chain.catalogue import get_entry_by_number
from chain.codec import encode
from chain.contract.calendar import compute_date
from chain.contract.calls import Call
from chain.contract.claim_bills import compute_bill_root
from chain.contract.claim_calls import (
    AssessorAccept,
    CertificateAttach,
    ClaimConfirm,
    ClaimDecide,
    ClaimFile,
    ReauditReport,
    ReportCommit,
    ReportReveal,
)
from chain.contract.claim_events import ClaimDecided, ClaimFiled, ClaimStatusChanged, FirmDrawn
from chain.contract.claim_report import hash_report
from chain.contract.claim_review_events import ReauditAsked, ReauditEnded
from chain.contract.claim_status import get_active
from chain.contract.claim_tables import CLAIM_INVESTIGATED, CLAIM_STATUS_NAMES
from chain.contract.custody_tables import BOOKING_DAY, INSTRUCTION_READY, BookingDayRecord
from chain.contract.events import Event, InstructionAcknowledged, InstructionCreated, PeriodSettled
from chain.contract.member_calls import (
    AccountVerify,
    AccountVerifyItem,
    GhostAuditReport,
    IndexIssue,
    IndexIssueItem,
    MemberAdmit,
    MemberLeave,
)
from chain.contract.money_calls import DepositCredit, InstructionAck, InstructionAckItem
from chain.contract.person_events import GhostsDrawn
from chain.contract.plan_calls import BatchSign
from chain.contract.settlement_tables import PERIOD_NOTICE
from chain.contract.tables import MEMBER, MEMBER_SHARING, POOL, MemberRecord
from chain.contract.terms import PlanTerms
from chain.trie import Leaf, sum_operation
from node.demo.population import Person
from tests.chain.contract.claim_world import build_record
from tests.chain.contract.test_claim_path import ClaimPath
from tests.chain.contract.world import ACCOUNT_NAME, PLAN_NAME, START_DAY, name_hash

T = TypeVar("T")

OPENING_DAYS = 100
"""The members of the first hour join in its first days and wait for 90: the measured year begins behind it."""
YEAR_DAYS = 365
SETTLING_DAYS = 60
DEPOSIT_FEN = 20_000
"""The maximum: at demo scale a year costs about 130 yuan, so nobody runs out."""
ITEMS = 200
JOINS_PER_DAY = 3_000
CONFIRM_AFTER_DAYS = 4
START_YEAR = 2026
AGE_LIMIT_YEARS = 60
CLAUSES_MET, CLAUSES_NOT_MET = ("4.1",), ("4.1", "3.2")
_OPEN = frozenset(CLAIM_STATUS_NAMES) - {
    *("paid", "clean", "clawback", "refused", "rejected", "expired", "withdrawn", "shares_refund"),
}


class Actor(Struct):
    """Somebody who joins by calls."""

    person: Person
    join_day: int
    member: bytes | None = None

    @property
    def name(self) -> str:
        return f"p{self.person.number}"

    @property
    def owner(self) -> str:
        """Return whose key signs: the guardian's for a child."""
        return self.name if self.person.guardian is None else f"p{self.person.guardian}"


class Year(ClaimPath):
    """One plan, its people, and what its institutions have to do today."""

    def __init__(self, terms: PlanTerms, people: Sequence[Person]) -> None:
        super().__init__(terms, drain_max=1_000)
        self.first_day = START_DAY + OPENING_DAYS
        self.actors = self._choose_actors(people)
        self._agenda = self._write_agenda()
        self.passive = sum(not is_acting(person) and person.number not in self.actors for person in people)
        self.calls = 0
        self.codes: dict[str, int] = {}
        """How often each code came back from a claim_file that was refused."""
        self.claims: dict[bytes, Actor] = {}
        self.decided: dict[bytes, bool] = {}
        self.reaudits = self.ghosts_checked = self.paid_out = 0
        self.open_claims: dict[bytes, str] = {}
        self._waiting_firms: dict[bytes, None] = {}
        self._instructions: dict[bytes, None] = {}
        self._confirmed: set[int] = set()
        self._fill(self.passive)

    def _choose_actors(self, people: Sequence[Person]) -> dict[int, Actor]:
        """Return by number who joins by calls; the first ones a few thousand a day, children after their guardians."""
        chosen = {person.number for person in people if is_acting(person)}
        guardians = {people[number].guardian for number in chosen}
        chosen |= {number for number in guardians if number is not None}
        numbers = sorted(chosen, key=lambda number: (people[number].guardian is not None, number))
        actors: dict[int, Actor] = {}
        for place, number in enumerate(numbers):
            late = people[number].join_day
            join_day = self.first_day + late if late else START_DAY + 1 + place // JOINS_PER_DAY
            if compute_date(join_day)[0] > get_cover_year(people[number]):
                continue  # grew too old before he came
            actors[number] = Actor(person=people[number], join_day=join_day)
        return actors

    def _write_agenda(self) -> dict[tuple[str, int], list[Actor]]:
        """Return by act and day who joins, files a claim or leaves then."""
        agenda: dict[tuple[str, int], list[Actor]] = {}
        for actor in self.actors.values():
            agenda.setdefault(("join", actor.join_day), []).append(actor)
            case, leave_day = actor.person.case, actor.person.leave_day
            if case is not None:
                # What befell somebody before he joined is claimed right after, in vain.
                filing_day = max(self.first_day + case.day + case.filed_after, actor.join_day + 1)
                agenda.setdefault(("file", filing_day), []).append(actor)
            if leave_day is not None:
                agenda.setdefault(("leave", self.first_day + leave_day), []).append(actor)
        return agenda

    def _fill(self, count: int) -> None:
        """Put `count` people who only pay into records and tree, each covered from the first day of the year on."""
        self.commit_block()
        key = (PLAN_NAME, 0)
        template = build_record(
            MemberRecord,
            plan=PLAN_NAME,
            pool=0,
            status=MEMBER_SHARING,
            weight=1,
            since_day=START_DAY,
            is_leaf=True,
            x=DEPOSIT_FEN,
            entry_day=START_DAY,
            cover_from=START_DAY + 90,
            accident_from=START_DAY + 1,
            last_cover_year=START_YEAR + AGE_LIMIT_YEARS,
            is_admitted=True,
        )
        pending = self.base.open_pool_tree(key)
        members = [name_hash("passive", number) for number in range(count)]
        leaf = Leaf(weight=1, rem=0)
        pending.update([sum_operation(x=DEPOSIT_FEN, pseudonym=member, leaf=leaf) for member in members])
        self.base.commit_tree(key, pending)
        for member in members:
            record = replace(template, key=name_hash("member", member.hex()))
            self.base.values[MEMBER.key(member)] = encode(record)
        pool, money = self.pool, count * DEPOSIT_FEN
        filled = replace(pool, entered=pool.entered + count, tree_money=pool.tree_money + money, cash=pool.cash + money)
        self.base.values[POOL.key(PLAN_NAME, 0)] = encode(filled)
        # The bank's statements speak of this money too.
        booked = BookingDayRecord(in_count=count, in_sum=money, out_count=0, out_sum=0)
        self.base.values[BOOKING_DAY.key(ACCOUNT_NAME, START_DAY)] = encode(booked)
        self.reopen()

    # --- days ---

    def play(self) -> None:
        """Play opening, year and the time until the last claim of the year has ended."""
        end = self.first_day + YEAR_DAYS
        while self.today < end or (self.open_claims and self.today < end + SETTLING_DAYS):
            self._play_day()
        self.commit_block()

    def _play_day(self) -> None:
        self._join()
        self._live()
        self._look()
        self._investigate()
        self._confirm()
        self._answer_instructions()
        # Two other proposers reveal before 0:00, so that what was filed today is drawn then.
        self.next_block()
        self._look()
        self._answer_instructions()
        self.next_block()
        self.advance(1)
        self._look()

    def do(self, signer: str | bytes, call: Call) -> None:
        """Execute a call that must succeed, with each of its items."""
        outcome = self.call(signer, call)
        self.calls += 1
        if outcome.number or any(outcome.items):
            raise RuntimeError(f"{type(call).__name__} by {signer!r}: {outcome}")

    def _look(self) -> None:
        """Take note of what happened since the last look."""
        events, self.events = self.events, []
        for event in events:
            self._note(event)

    def _note(self, event: Event) -> None:
        if isinstance(event, ClaimStatusChanged):
            status = CLAIM_STATUS_NAMES[event.status]
            self.open_claims.pop(event.claim, None)
            if status in _OPEN:
                self.open_claims[event.claim] = status
        elif isinstance(event, ClaimFiled):
            self.open_claims[event.claim] = "eligible"
        elif isinstance(event, ClaimDecided):
            self.decided[event.claim] = event.is_approved
        elif isinstance(event, FirmDrawn):
            self._waiting_firms[event.claim] = None
        elif isinstance(event, InstructionCreated):
            self._instructions[event.instruction] = None
        elif isinstance(event, InstructionAcknowledged):
            self.paid_out += event.amount
        elif isinstance(event, PeriodSettled):
            self._sign(event.period)
        elif isinstance(event, ReauditAsked):
            for signer in filter(None, (event.firm, event.auditor)):
                self.do(signer, ReauditReport(claim=event.claim, is_clean=True, report_root=name_hash("clean")))
        elif isinstance(event, ReauditEnded):
            self.reaudits += 1
        elif isinstance(event, GhostsDrawn):
            self._look_for_ghosts(event)

    # --- people ---

    def _join(self) -> None:
        joining = self._agenda.get(("join", self.today), [])
        for actor in joining:
            guardian = None
            if actor.person.guardian is not None:
                guardian = self.actors[actor.person.guardian].member
            actor.member = self.apply(actor.name, guardian=guardian, key=actor.owner)
            self.calls += 1
        for chunk in split(joining):
            self._admit(chunk)

    def _admit(self, actors: Sequence[Actor]) -> None:
        members = [get_member(actor) for actor in actors]
        items = tuple(
            AccountVerifyItem(
                member=member,
                person_index=name_hash("person", actor.name),
                account_token=name_hash("token", actor.name),
                holder_kind=0 if actor.person.guardian is None else 1,
                key_challenge_hash=name_hash("challenge", actor.name),
                last_cover_year=get_cover_year(actor.person),
            )
            for member, actor in zip(members, actors, strict=True)
        )
        self.do("bank", AccountVerify(items=items))
        issued = tuple(IndexIssueItem(member=item.member, person_index=item.person_index, epoch=0) for item in items)
        self.do("audit-one", IndexIssue(items=issued))
        self.do("platform", MemberAdmit(items=tuple(members)))
        deposits = tuple(self.credit_item(member, DEPOSIT_FEN) for member in members)
        self.do("bank", DepositCredit(account=ACCOUNT_NAME, items=deposits))

    def _live(self) -> None:
        """File the claims that are due, then let who wants to leave go."""
        for actor in self._agenda.get(("file", self.today), []):
            self._file(actor)
        for actor in self._agenda.get(("leave", self.today), []):
            if actor.member is not None and self.member(actor.member).status == MEMBER_SHARING:
                self.do(name_hash("member", actor.owner), MemberLeave(member=actor.member))

    def _file(self, actor: Actor) -> None:
        case = actor.person.case
        if case is None:
            return
        call = ClaimFile(
            member=get_member(actor),
            cause=int(case.is_accident),
            diagnosed_day=self.first_day + case.day,
            evidence_root=name_hash("evidence", actor.name),
            bill_tags=(name_hash("bill", actor.name),),
            asked_row=case.row,
            payee_kind=0 if actor.person.guardian is None else 1,
        )
        outcome = self.call(name_hash("member", actor.owner), call)
        self.calls += 1
        if outcome.number:
            code = get_entry_by_number(outcome.number).code
            self.codes[code] = self.codes.get(code, 0) + 1
            return
        self.claims[self.last_tx] = actor

    # --- institutions ---

    def _investigate(self) -> None:
        """Let the drawn firms work on what was drawn at 0:00, the clinic certify, the platform decide."""
        claims, self._waiting_firms = list(self._waiting_firms), {}
        for claim_id in claims:
            actor, claim = self.claims[claim_id], self.claim(claim_id)
            is_genuine = actor.person.case is not None and actor.person.case.is_genuine
            clauses = CLAUSES_MET if is_genuine else CLAUSES_NOT_MET
            firms = [firm.organisation for firm in get_active(claim)]
            reports = [
                ReportReveal(
                    claim=claim_id,
                    finding=int(is_genuine),
                    established_day=claim.diagnosed_day,
                    row=claim.asked_row,
                    clauses=clauses,
                    report_root=name_hash("report", firm),
                    salt=name_hash("salt", firm, claim_id.hex()),
                )
                for firm in firms
            ]
            for firm in firms:
                self.do(firm, AssessorAccept(claim=claim_id))
            for firm, report in zip(firms, reports, strict=True):
                self.do(firm, ReportCommit(claim=claim_id, hash=hash_report(firm, report)))
            for firm, report in zip(firms, reports, strict=True):
                self.do(firm, report)
            root = compute_bill_root(claim.bill_tags)
            document = name_hash("record", claim_id.hex())
            self.do("clinic", CertificateAttach(claim=claim_id, source=0, document_hash=document, bill_root=root))
            if self.claim(claim_id).status != CLAIM_INVESTIGATED:
                raise RuntimeError(f"claim {claim_id.hex()} is not investigated after two equal reports")
            decision = ClaimDecide(claim=claim_id, is_approved=is_genuine, row=claim.asked_row, clauses=clauses)
            self.do("platform", decision)

    def _confirm(self) -> None:
        number = self.pool.settlements
        period = self.period(number)
        is_due = period.status == PERIOD_NOTICE and self.today >= period.notice_day + CONFIRM_AFTER_DAYS
        if not is_due or number in self._confirmed or not period.claims:
            return
        self._confirmed.add(number)
        for chunk in split(period.claims):
            self.do(AUDITORS[number % 2], ClaimConfirm(items=tuple(chunk)))

    def _sign(self, number: int) -> None:
        """Let the platform and the period's co-signer sign the batch that the contract computed."""
        period = self.period(number)
        if not period.instructions:
            return
        self._instructions.update(dict.fromkeys(period.instructions))
        call = BatchSign(plan=PLAN_NAME, pool=0, period=number, batch_root=period.batch_root)
        for signer in ("platform", AUDITORS[(number + 1) % 2]):
            self.do(signer, call)

    def _answer_instructions(self) -> None:
        ready = [key for key in self._instructions if self.instruction(key).state == INSTRUCTION_READY]
        for chunk in split(ready):
            items = tuple(
                InstructionAckItem(
                    instruction=key,
                    is_settled=True,
                    amount=self.instruction(key).amount,
                    booking_day=self.today,
                    ref_token=name_hash("ack", key.hex()),
                    reason=0,
                )
                for key in chunk
            )
            self.do("bank", InstructionAck(account=ACCOUNT_NAME, items=items))
        for key in ready:
            del self._instructions[key]

    def _look_for_ghosts(self, event: GhostsDrawn) -> None:
        size = event.sample_size
        report = GhostAuditReport(
            plan=event.plan,
            pool=event.pool,
            draw=event.draw,
            sample_size=size,
            found=size,
            report_root=name_hash("found", event.draw),
        )
        self.do(event.organisation, report)
        self.ghosts_checked += size


AUDITORS = ("audit-one", "audit-two")
"""In the order of genesis: of period k number k mod 2 confirms, the other one co-signs."""


def is_acting(person: Person) -> bool:
    """Tell whether somebody does more than pay: falls ill, leaves, comes later, or grows too old in the year."""
    is_old = get_cover_year(person) <= START_YEAR
    return person.case is not None or person.leave_day is not None or person.join_day > 0 or is_old


def get_cover_year(person: Person) -> int:
    """Return the last calendar year in which a person stays below the age limit."""
    return START_YEAR + AGE_LIMIT_YEARS - person.age - 1


def get_member(actor: Actor) -> bytes:
    """Return the pseudonym of somebody who has applied."""
    if actor.member is None:
        raise RuntimeError(f"{actor.name} has not applied")
    return actor.member


def split(values: Sequence[T]) -> list[Sequence[T]]:
    """Return the values in chunks that fit into one transaction."""
    return [values[start : start + ITEMS] for start in range(0, len(values), ITEMS)]
