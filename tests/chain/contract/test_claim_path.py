"""A claim walks its whole path through real blocks, from the filing to the payment, by each party's own calls."""

import hashlib

import pytest
from msgspec.structs import replace

from chain.codec import Codec, encode
from chain.contract import beacon, claim_reaudit
from chain.contract.calendar import compute_date
from chain.contract.calls import Call
from chain.contract.claim_bills import compute_bill_root
from chain.contract.claim_calls import (
    AssessorAccept,
    CertificateAttach,
    ClaimCard,
    ClaimConfirm,
    ClaimDecide,
    ClaimFile,
    ObjectionFile,
    ObjectionRule,
    ReauditReport,
    ReportCommit,
    ReportReveal,
)
from chain.contract.claim_report import hash_report
from chain.contract.claim_review_tables import REAUDIT
from chain.contract.claim_status import get_active
from chain.contract.claim_tables import (
    BEACON,
    CLAIM,
    CLAIM_APPROVED,
    CLAIM_CONFIRMED,
    CLAIM_INSTRUCTED,
    CLAIM_NOTICED,
    CLAIM_PAID,
    CLAIM_SETTLED,
    CLAIM_SHARES_REFUND,
    CLAIM_STATUS_NAMES,
    ClaimRecord,
)
from chain.contract.events import Event
from chain.contract.member_calls import MemberLeave
from chain.contract.settlement_tables import PERIOD_CLOSED
from chain.contract.tables import (
    MEMBER_CLAIMED_OUT,
    MEMBER_LEAVING,
    MEMBER_LEFT,
    MEMBER_SHARING,
    PERSON,
)
from chain.contract.terms import PlanTerms
from chain.types import Height
from tests.chain.contract.world import PLAN_NAME, START_DAY, World, build_terms, name_hash

SEVERE_FEN, MILD_FEN = 300_000, 50_000
VALIDATORS = 4


class ClaimPath(World):
    """The consortium of the money tests, with proposers whose reveals are real."""

    def __init__(self, terms: PlanTerms | None = None, *, drain_max: int = 200, start_day: int = START_DAY) -> None:
        # No caps: with the demo's, one case is affordable only for a thousand members.
        super().__init__(
            terms or build_terms(cap_per_case_fen="", cap_per_year_fen=""), drain_max=drain_max, start_day=start_day
        )
        self._chains = [self._build_chain(index) for index in range(VALIDATORS)]
        record = self.state.require(BEACON)
        anchors = tuple(chain.pop() for chain in self._chains)
        self.state.put(BEACON, replace(record, links=anchors))

    @staticmethod
    def _build_chain(index: int) -> list[bytes]:
        links: list[bytes] = [name_hash("reveal", index)]
        for _ in range(1_000):
            links.append(hashlib.sha256(links[-1]).digest())
        return links

    def next_block(self, *, ms: int = 1_000) -> None:
        """Let each block have the next proposer, as with a tenure of one block."""
        index = self.height % VALIDATORS
        beacon.apply_reveal(self.state, index, self._chains[index].pop(), Height(self.height))
        super().next_block(ms=ms)

    def claim(self, claim_id: bytes) -> ClaimRecord:
        return self.state.require(CLAIM, claim_id)

    def get_status(self, claim_id: bytes) -> str:
        return CLAIM_STATUS_NAMES[self.claim(claim_id).status]

    def succeed(self, signer: str | bytes, call: Call) -> None:
        outcome = self.call(signer, call)
        assert outcome.number == 0, outcome

    def file(self, name: str, member: bytes, *, day: int, row: int = 0, cause: int = 0) -> bytes:
        call = ClaimFile(
            member=member,
            cause=cause,
            diagnosed_day=day,
            evidence_root=name_hash("evidence", name),
            bill_tags=(name_hash("bill", name),),
            asked_row=row,
            payee_kind=0,
        )
        self.succeed(name_hash("member", name), call)
        return self.last_tx

    def draw(self) -> None:
        """Let two proposers reveal today, and the next day begin."""
        self.next_block()
        self.next_block()
        self.advance(1)

    def report(self, claim_id: bytes) -> None:
        """Let the drawn firms accept, seal and open the same report, and the clinic certify."""
        claim = self.claim(claim_id)
        firms = [firm.organisation for firm in get_active(claim)]
        assert len(firms) == 2
        reveals = {
            firm: ReportReveal(
                claim=claim_id,
                finding=1,
                established_day=claim.diagnosed_day,
                row=claim.asked_row,
                clauses=("4.1",),
                report_root=name_hash("report", firm),
                salt=name_hash("salt", firm),
            )
            for firm in firms
        }
        for firm in firms:
            self.succeed(firm, AssessorAccept(claim=claim_id))
        for firm in firms:
            self.succeed(firm, ReportCommit(claim=claim_id, hash=hash_report(firm, reveals[firm])))
        for firm in firms:
            self.succeed(firm, reveals[firm])
        bill_root = compute_bill_root(claim.bill_tags)
        document = CertificateAttach(claim=claim_id, source=0, document_hash=name_hash("record"), bill_root=bill_root)
        self.succeed("clinic", document)

    def advance_to_day_of_month(self, day_of_month: int) -> None:
        while True:
            self.advance(1)
            if compute_date(self.today)[2] == day_of_month:
                return


@pytest.fixture
def path() -> ClaimPath:
    return ClaimPath()


def join(path: ClaimPath, count: int) -> list[bytes]:
    return [path.join(f"m{number}", 20_000) for number in range(count)]


def test_a_main_benefit_walks_from_filing_to_payment_and_ends_the_membership(path: ClaimPath) -> None:
    members = join(path, 20)
    path.advance_to(START_DAY + 100)
    path.advance_to_day_of_month(1)
    claim_id = path.file("m3", members[3], day=path.today - 5)
    assert path.get_status(claim_id) == "eligible"
    path.draw()
    assert path.get_status(claim_id) == "assigned"
    path.report(claim_id)
    assert path.get_status(claim_id) == "investigated"
    path.succeed("platform", ClaimDecide(claim=claim_id, is_approved=True, row=0, clauses=()))
    assert path.claim(claim_id).status == CLAIM_APPROVED

    path.advance_to_day_of_month(7)
    claim = path.claim(claim_id)
    assert claim.status == CLAIM_NOTICED
    assert path.period(claim.period).claims == (claim_id,)
    path.advance(3)
    confirmer, cosigner = ("audit-one", "audit-two") if claim.period % 2 == 0 else ("audit-two", "audit-one")
    assert path.call(confirmer, ClaimConfirm(items=(claim_id,))).items == (0,)
    assert path.claim(claim_id).status == CLAIM_CONFIRMED

    before = sum(path.balance(member) for member in members)
    path.advance_to_day_of_month(14)
    claim = path.claim(claim_id)
    assert (claim.status, claim.granted, claim.rest) == (CLAIM_SETTLED, SEVERE_FEN, 0)
    charged = before - sum(path.balance(member) for member in members)
    assert charged == path.pool.carry + SEVERE_FEN + SEVERE_FEN * 800 // 10_000
    path.sign_batch(claim.period, ("platform", cosigner))
    assert path.claim(claim_id).status == CLAIM_INSTRUCTED
    for instruction in path.ready_instructions():
        assert path.acknowledge(instruction).items == (0,)
    claim = path.claim(claim_id)
    assert (claim.status, claim.paid) == (CLAIM_PAID, SEVERE_FEN)
    assert path.period(claim.period).status == PERIOD_CLOSED
    member = path.member(members[3])
    assert (member.status, member.aid_received, member.claim) == (MEMBER_CLAIMED_OUT, SEVERE_FEN, None)
    person = path.state.require(PERSON, PLAN_NAME, name_hash("person", "m3"))
    assert person.is_barred
    path.commit_block()


def test_a_mild_benefit_is_paid_and_the_member_goes_on_sharing(path: ClaimPath) -> None:
    members = join(path, 20)
    path.advance_to_day_of_month(1)
    claim_id = path.file("m4", members[4], day=path.today, row=1, cause=1)
    path.draw()
    path.report(claim_id)
    path.succeed("platform", ClaimDecide(claim=claim_id, is_approved=True, row=1, clauses=()))
    path.advance_to_day_of_month(11)
    period = path.claim(claim_id).period
    confirmer, cosigner = ("audit-one", "audit-two") if period % 2 == 0 else ("audit-two", "audit-one")
    path.succeed(confirmer, ClaimConfirm(items=(claim_id,)))
    path.advance_to_day_of_month(14)
    path.sign_batch(period, ("platform", cosigner))
    for instruction in path.ready_instructions():
        path.acknowledge(instruction)
    assert (path.claim(claim_id).status, path.claim(claim_id).paid) == (CLAIM_PAID, MILD_FEN)
    member = path.member(members[4])
    assert (member.status, member.aid_received, member.claim) == (MEMBER_SHARING, MILD_FEN, None)
    path.commit_block()


def test_an_unconfirmed_claim_is_charged_in_the_next_period_by_the_other_auditor(path: ClaimPath) -> None:
    members = join(path, 20)
    path.advance_to_day_of_month(1)
    claim_id = path.file("m5", members[5], day=path.today, cause=1)
    path.draw()
    path.report(claim_id)
    path.succeed("platform", ClaimDecide(claim=claim_id, is_approved=True, row=0, clauses=()))
    path.advance_to_day_of_month(14)
    first = path.claim(claim_id).period
    assert path.claim(claim_id).status == CLAIM_NOTICED
    path.advance_to_day_of_month(21)
    claim = path.claim(claim_id)
    assert (claim.status, claim.period) == (CLAIM_NOTICED, first + 1)
    path.advance(3)
    confirmer = "audit-one" if claim.period % 2 == 0 else "audit-two"
    path.succeed(confirmer, ClaimConfirm(items=(claim_id,)))
    path.advance_to_day_of_month(28)
    assert path.claim(claim_id).status == CLAIM_SETTLED
    path.commit_block()


def refund_shares(path: ClaimPath, *, is_leaving_first: bool) -> tuple[bytes, bytes, int]:
    """Charge a first period, then file a diagnosis inside the waiting period during the next notice."""
    members = join(path, 20)
    path.advance_to_day_of_month(1)
    accident = path.file("m6", members[6], day=path.today, row=1, cause=1)
    path.draw()
    path.report(accident)
    path.succeed("platform", ClaimDecide(claim=accident, is_approved=True, row=1, clauses=()))
    path.advance_to_day_of_month(10)
    confirmer = "audit-one" if path.claim(accident).period % 2 == 0 else "audit-two"
    path.succeed(confirmer, ClaimConfirm(items=(accident,)))
    path.advance_to_day_of_month(22)
    shares = path.pool.share_index
    assert shares > 0
    assert path.pool.is_window
    if is_leaving_first:
        path.succeed(name_hash("member", "m7"), MemberLeave(member=members[7]))
    claim_id = path.file("m7", members[7], day=path.today - 2)
    path.draw()
    path.report(claim_id)
    path.succeed("platform", ClaimDecide(claim=claim_id, is_approved=True, row=0, clauses=()))
    assert path.claim(claim_id).status == CLAIM_SHARES_REFUND
    assert path.member(members[7]).status == MEMBER_LEAVING
    path.advance_to_day_of_month(28)
    assert path.member(members[7]).status == MEMBER_LEFT
    return claim_id, members[7], shares


@pytest.mark.parametrize("is_leaving_first", [False, True])
def test_an_illness_in_the_waiting_period_gives_the_shares_back_in_the_next_settlement(
    path: ClaimPath, is_leaving_first: bool
) -> None:
    claim_id, member, shares = refund_shares(path, is_leaving_first=is_leaving_first)
    claim = path.claim(claim_id)
    assert (claim.status, claim.amount) == (CLAIM_SHARES_REFUND, shares)
    path.advance_to_day_of_month(14)
    claim = path.claim(claim_id)
    assert (claim.status, claim.granted) == (CLAIM_SETTLED, shares)
    period = path.pool.settlements - 1
    cosigner = "audit-two" if period % 2 == 0 else "audit-one"
    path.sign_batch(period, ("platform", cosigner))
    for instruction in path.ready_instructions():
        path.acknowledge(instruction)
    claim = path.claim(claim_id)
    assert (claim.status, claim.paid) == (CLAIM_PAID, shares)
    assert (path.member(member).aid_received, path.member(member).claim) == (0, None)
    path.commit_block()


def test_every_event_of_a_path_is_encoded_canonically_and_names_no_member_beside_its_claim(path: ClaimPath) -> None:
    members = join(path, 3)
    path.advance(2)
    claim_id = path.file("m1", members[1], day=path.today, cause=1)
    path.draw()
    path.report(claim_id)
    path.succeed("platform", ClaimDecide(claim=claim_id, is_approved=True, row=0, clauses=()))
    path.advance_to_day_of_month(10)
    codec: Codec[Event] = Codec(Event, 65_536, "event")
    seen = [event for event in path.events if getattr(event, "claim", None) == claim_id]
    assert len(seen) > 12
    for event in seen:
        assert codec.decode(encode(event)) == event
        assert members[1] not in [getattr(event, name) for name in event.__struct_fields__]


def test_an_objection_a_recheck_and_a_re_audit_run_in_real_blocks(
    path: ClaimPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claim_reaudit, "LOTS_CHOSEN", claim_reaudit.LOTS)
    members = join(path, 20)
    path.advance_to(START_DAY + 100)
    path.advance_to_day_of_month(1)
    claim_id = path.file("m4", members[4], day=path.today, row=1, cause=1)
    path.draw()
    path.report(claim_id)
    path.succeed("platform", ClaimDecide(claim=claim_id, is_approved=True, row=1, clauses=()))
    card = ClaimCard(
        claim=claim_id, age_from_years=30, age_to_years=34, sex=1, province=33, disease_group=0, people_min=12
    )
    path.succeed("platform", card)
    path.advance_to_day_of_month(8)
    objection = ObjectionFile(member=members[5], claim=claim_id, evidence_hash=name_hash("seen"))
    path.succeed(name_hash("member", "m5"), objection)
    path.succeed("audit-two", ObjectionRule(objection=path.last_tx, is_admitted=True))
    assert path.get_status(claim_id) == "recheck"
    path.draw()
    firm = get_active(path.claim(claim_id))[-1].organisation
    report = ReportReveal(
        claim=claim_id,
        finding=1,
        established_day=path.claim(claim_id).diagnosed_day,
        row=1,
        clauses=("4.1",),
        report_root=name_hash("recheck"),
        salt=name_hash("salt"),
    )
    path.succeed(firm, report)
    assert path.get_status(claim_id) == "approved"
    path.advance_to_day_of_month(24)
    period = path.claim(claim_id).period
    confirmer, cosigner = ("audit-one", "audit-two") if period % 2 == 0 else ("audit-two", "audit-one")
    path.succeed(confirmer, ClaimConfirm(items=(claim_id,)))
    path.advance_to_day_of_month(28)
    path.sign_batch(period, ("platform", cosigner))
    for instruction in path.ready_instructions():
        path.acknowledge(instruction)
    assert path.get_status(claim_id) == "paid"
    path.draw()
    record = path.state.require(REAUDIT, claim_id)
    call = ReauditReport(claim=claim_id, is_clean=False, report_root=name_hash("again"))
    assert record.auditor == cosigner
    for signer in (record.firms[-1], cosigner):
        path.succeed(signer, call)
    assert path.get_status(claim_id) == "clawback"
    codec: Codec[Event] = Codec(Event, 65_536, "event")
    for event in path.events:
        assert codec.decode(encode(event)) == event
        if getattr(event, "claim", None) == claim_id:
            fields = [getattr(event, name) for name in event.__struct_fields__]
            assert members[4] not in fields
            assert members[5] not in fields
    path.commit_block()
