"""The ledger of attack_ledger.py with the path of claims, and how an attack begins."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from chain.contract.claim_bills import compute_bill_root
from chain.contract.claim_calls import (
    AssessorAccept,
    CertificateAttach,
    ClaimDecide,
    ClaimFile,
    ReportCommit,
    ReportReveal,
)
from chain.contract.claim_report import hash_report
from chain.contract.claim_status import get_active
from chain.contract.terms import PlanTerms
from chain.genesis import Parameters
from tests.chain.contract.attack_ledger import AttackLedger, hash_of

HONEST_FINDING = 0
"""Not fulfilled: what an honest firm finds about an invented patient."""


class AttackChain(AttackLedger):
    """One ledger on which claims go their way."""

    def build_filing(self, name: str, *, bills: tuple[bytes, ...] = (), row: int = 1) -> ClaimFile:
        """Build the claim of an accident of today, for the mild row unless another is asked for."""
        return ClaimFile(
            member=self.members[name],
            cause=1,
            diagnosed_day=self.today,
            evidence_root=hash_of("evidence", name),
            bill_tags=bills,
            asked_row=row,
            payee_kind=0,
        )

    def file(self, name: str, **changes: object) -> bytes:
        (answer,) = self.must((name, self.build_filing(name, **changes)))  # type: ignore[arg-type]
        return answer.tx_id

    def list_firms(self, claim: bytes) -> list[str]:
        return [firm.organisation for firm in get_active(self.claim(claim))]

    def build_report(self, claim: bytes, firm: str, *, finding: int) -> ReportReveal:
        record = self.claim(claim)
        return ReportReveal(
            claim=claim,
            finding=finding,
            established_day=record.diagnosed_day,
            row=record.asked_row,
            clauses=("4.1",),
            report_root=hash_of("report", firm),
            salt=hash_of("salt", firm),
        )

    def report(self, claim: bytes, findings: dict[str, int]) -> None:
        """Let each firm that holds a seat and has not reported do its whole part, with the finding of its name."""
        seats = [firm for firm in get_active(self.claim(claim)) if not firm.is_revealed]
        reveals = {
            firm.organisation: self.build_report(claim, firm.organisation, finding=findings[firm.organisation])
            for firm in seats
        }
        self.must(*((name, AssessorAccept(claim=claim)) for name in reveals))
        seals = [(name, ReportCommit(claim=claim, hash=hash_report(name, call))) for name, call in reveals.items()]
        self.must(*seals)
        self.must(*reveals.items())

    def seal(self, claim: bytes, firm: str, reveal: ReportReveal) -> None:
        """Let a firm accept and seal a report."""
        self.must((firm, AssessorAccept(claim=claim)))
        self.must((firm, ReportCommit(claim=claim, hash=hash_report(firm, reveal))))

    def certify(self, claim: bytes) -> str:
        root = compute_bill_root(self.claim(claim).bill_tags)
        call = CertificateAttach(claim=claim, source=0, document_hash=hash_of("record"), bill_root=root)
        return self.send("hospital", call)

    def build_decision(self, claim: bytes, *, is_approved: bool = True) -> ClaimDecide:
        return ClaimDecide(claim=claim, is_approved=is_approved, row=self.claim(claim).asked_row, clauses=("4.1",))

    def approve(self, names: Sequence[str], **changes: object) -> list[bytes]:
        """Bring one true claim of each of these people to APPROVED."""
        claims = [self.file(name, **changes) for name in names]
        self.draw()
        for claim in claims:
            self.report(claim, dict.fromkeys(self.organisations, 1))
            assert self.certify(claim) == "success"
            self.must(("platform", self.build_decision(claim)))
        return claims


@contextmanager
def open_chain(
    path: Path, terms: PlanTerms | None = None, parameters: Parameters | None = None
) -> Iterator[AttackChain]:
    """Open a ledger for one attack."""
    chain = AttackChain(path, terms, parameters)
    try:
        yield chain
    finally:
        chain.chain.close()


def name_people(kind: str, count: int) -> list[str]:
    return [f"{kind}-{number}" for number in range(count)]


def start(chain: AttackChain, *, count: int = 12) -> list[str]:
    """Let people join, and two days pass, so that accidents are covered."""
    people = name_people("member", count)
    chain.join(people)
    chain.advance(2)
    return people
