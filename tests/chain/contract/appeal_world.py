"""A plan with enough members for a jury, and the acts of appellants, jurors and panel."""

from chain.contract.appeal_tables import APPEAL, APPEAL_STATUS_NAMES, JUROR, AppealRecord
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
    ClaimDecide,
    ReportCommit,
    ReportReveal,
)
from chain.contract.claim_report import hash_report
from chain.contract.claim_status import get_active
from chain.contract.jury import hash_ballot
from chain.contract.rules import Outcome
from tests.chain.contract.acts import do, member_key
from tests.chain.contract.test_claim_path import ClaimPath
from tests.chain.contract.world import build_terms, name_hash

MEMBERS = 150
JURORS = 7
"""min(jury_size 11, 150 // 20)."""
ANN = "m3"
"""Whose claim it is."""
SEVERE, MILD = 0, 1


class AppealWorld(ClaimPath):
    """150 paying members, covered from the day after they joined."""

    def __init__(self, *, members: int = MEMBERS, **terms: str) -> None:
        super().__init__(
            build_terms(cap_per_case_fen="", cap_per_year_fen="", waiting_days="0", deposit_max_fen="100_000", **terms)
        )
        self.members = [self.join(f"m{number}", 90_000) for number in range(members)]
        self.names = {member: f"m{number}" for number, member in enumerate(self.members)}
        self.ann = self.members[3]
        self.advance(4)

    # --- claims that may be appealed ---

    def investigate(self, *, finding: int = 1, row: int = SEVERE, asked: int = SEVERE, certified: bool = True) -> bytes:
        """File ann's claim of yesterday and let two firms report the same; return the claim."""
        claim_id = self.file(ANN, self.ann, day=self.today - 1, row=asked)
        self.draw()
        claim = self.claim(claim_id)
        firms = [firm.organisation for firm in get_active(claim)]
        for firm in firms:
            do(self, firm, AssessorAccept(claim=claim_id))
        reveals = {
            firm: ReportReveal(
                claim=claim_id,
                finding=finding,
                established_day=claim.diagnosed_day,
                row=row,
                clauses=("4.1",),
                report_root=name_hash("report", firm),
                salt=name_hash("salt", firm),
            )
            for firm in firms
        }
        for firm in firms:
            do(self, firm, ReportCommit(claim=claim_id, hash=hash_report(firm, reveals[firm])))
        for firm in firms:
            do(self, firm, reveals[firm])
        if certified:
            self.certify(claim_id)
        return claim_id

    def certify(self, claim_id: bytes) -> None:
        root = compute_bill_root(self.claim(claim_id).bill_tags)
        do(
            self,
            "clinic",
            CertificateAttach(claim=claim_id, source=0, document_hash=name_hash("record"), bill_root=root),
        )

    def reject(self, *, certified: bool = True) -> bytes:
        """Bring ann's claim to REJECTED by two reports and the platform."""
        claim_id = self.investigate(finding=0, certified=certified)
        do(self, "platform", ClaimDecide(claim=claim_id, is_approved=False, row=0, clauses=("4.1",)))
        assert self.get_status(claim_id) == "rejected"
        return claim_id

    def refuse_at_filing(self) -> bytes:
        """File ann's claim of a day before she was covered; return the claim, REFUSED."""
        claim_id = self.file(ANN, self.ann, day=self.today - 30)
        assert self.get_status(claim_id) == "refused"
        return claim_id

    def approve_lower(self) -> bytes:
        """Bring ann's claim for the severe row to APPROVED with the mild one."""
        claim_id = self.investigate(row=MILD, asked=SEVERE)
        do(self, "platform", ClaimDecide(claim=claim_id, is_approved=True, row=MILD, clauses=()))
        assert self.get_status(claim_id) == "approved"
        return claim_id

    # --- appeals ---

    def build_appeal(self, claim_id: bytes | None, subject: int) -> AppealFile:
        return AppealFile(member=self.ann, subject=subject, claim=claim_id, grounds_hash=name_hash("grounds"))

    def appeal(self, claim_id: bytes | None, subject: int) -> bytes:
        """File ann's appeal; return the case."""
        do(self, member_key(ANN), self.build_appeal(claim_id, subject))
        return self.last_tx

    def case(self, case_id: bytes) -> AppealRecord:
        return self.state.require(APPEAL, case_id)

    def stage(self, case_id: bytes) -> str:
        return APPEAL_STATUS_NAMES[self.case(case_id).status]

    def jury(self, case_id: bytes, round_number: int | None = None) -> list[bytes]:
        """Return the jurors of the present round, in the order of the members."""
        wanted = self.case(case_id).round if round_number is None else round_number
        found = []
        for member in self.members:
            juror = self.state.get(JUROR, member, case_id)
            if juror is not None and juror.round == wanted:
                found.append(member)
        return found

    def build_ballot(self, member: bytes, case_id: bytes, *, is_upheld: bool) -> BallotRevealItem:
        return BallotRevealItem(case=case_id, is_upheld=is_upheld, salt=name_hash("ballot", member.hex()))

    def seal(self, member: bytes, case_id: bytes, *, is_upheld: bool) -> Outcome:
        sealed = hash_ballot(member, self.build_ballot(member, case_id, is_upheld=is_upheld))
        call = BallotCommit(member=member, items=(BallotCommitItem(case=case_id, hash=sealed),))
        return self.call(member_key(self.names[member]), call)

    def open(self, member: bytes, case_id: bytes, *, is_upheld: bool) -> Outcome:
        call = BallotReveal(member=member, items=(self.build_ballot(member, case_id, is_upheld=is_upheld),))
        return self.call(member_key(self.names[member]), call)

    def vote(self, case_id: bytes, *votes: bool) -> None:
        """Let the first jurors seal these votes and then all of them open theirs, days passing where they must."""
        jurors = self.jury(case_id)[: len(votes)]
        for member, is_upheld in zip(jurors, votes, strict=True):
            assert self.seal(member, case_id, is_upheld=is_upheld).items == (0,)
        self.advance_to(self.case(case_id).due_day)
        for member, is_upheld in zip(jurors, votes, strict=True):
            assert self.open(member, case_id, is_upheld=is_upheld).items == (0,)
        self.advance(1)

    def try_case(self, claim_id: bytes | None, subject: int, *, upheld: int, jurors: int = JURORS) -> bytes:
        """Appeal and let a whole jury vote, `upheld` of them for the appellant; return the case."""
        case_id = self.appeal(claim_id, subject)
        self.draw()
        assert self.stage(case_id) == "commit", self.stage(case_id)
        self.vote(case_id, *(number < upheld for number in range(jurors)))
        return case_id

    def fail_juries(self, case_id: bytes) -> None:
        """Let two juries say nothing, until the panel is asked."""
        self.draw()
        for _ in range(2):
            assert self.stage(case_id) == "commit"
            self.advance_to(self.case(case_id).due_day)
            self.draw()

    def rule(self, signer: str, case_id: bytes, *, is_upheld: bool) -> Outcome:
        return self.call(signer, AppealRule(case=case_id, is_upheld=is_upheld))
