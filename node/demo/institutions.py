"""The other institutions: platform, auditors, assessor firms, hospital."""

from chain.contract.calls import Call
from chain.contract.claim_bills import compute_bill_root
from chain.contract.claim_calls import (
    AssessorAccept,
    CertificateAttach,
    ClaimConfirm,
    ClaimDecide,
    ReportCommit,
    ReportReveal,
)
from chain.contract.claim_report import hash_report
from chain.contract.member_calls import IndexIssue, IndexIssueItem, MemberAdmit, MemberRefuse, MemberRefuseItem
from chain.contract.plan_calls import BatchSign
from chain.crypto import SigningKey
from node.demo.bank import pair_items, split
from node.demo.orders import ErrandName, Errands, Order, Outcome
from node.demo.person_data import build_person_index
from node.demo.population import derive_token
from node.demo.registry import Application, Diagnosis, Registry
from node.demo.reviews import list_confirmations, list_reviews, list_rulings
from node.demo.world import BatchView, ClaimView, World

REFUSAL_REASON = 7
CERTIFICATE_DAYS = 2
"""The hospital answers so long after a claim was filed."""
NOTICE_FULL_DAYS = 3
SEATS = 2
"""Firms drawn for a claim; in the demo they never differ, so no third one is asked."""
PERIODS_UNSIGNED_MAX = 2
"""Older batches were signed long ago, perhaps by an earlier performance."""
CLAUSES_MET, CLAUSES_NOT_MET = ("4.1",), ("4.1", "3.2")


class Institution:
    """What they share: a key, a memory of what they asked for, and the errand of one single call."""

    def __init__(self, name: str, key: SigningKey, registry: Registry) -> None:
        self.name = name
        self.key = key
        self.errands = Errands()
        self._registry = registry
        self._today = 0

    def act(self, world: World) -> list[Order]:
        """Return what it does now."""
        raise NotImplementedError

    def _order(self, name: ErrandName, order_call: Order) -> list[Order]:
        return [order_call] if self.errands.begin(name, self._today) else []

    def _order_calls(self, calls: list[tuple[ErrandName, Call]]) -> list[Order]:
        return [
            order
            for name, call in calls
            for order in self._order(name, Order(call=call, key=self.key, on_outcome=self._finisher(name)))
        ]

    def _sign_agreements(self) -> list[Order]:
        return self._registry.agreements.sign(self.name, self.key, self.errands, self._today)

    def _sign_batch(self, batch: BatchView, world: World) -> list[Order]:
        if batch.period < world.plan.period - PERIODS_UNSIGNED_MAX:
            return []
        name = ("batch", batch.period)
        call = BatchSign(plan=world.plan_name, pool=0, period=batch.period, batch_root=batch.root)
        return self._order(name, Order(call=call, key=self.key, on_outcome=self._finisher(name)))

    def _finisher(self, name: ErrandName) -> "Finisher":
        return Finisher(self, name)

    @property
    def today(self) -> int:
        """Return the plan day of its last look at the chain."""
        return self._today


class Finisher:
    """Closes one errand when its outcome is final."""

    def __init__(self, institution: Institution, name: ErrandName) -> None:
        self._institution = institution
        self._name = name

    def __call__(self, outcome: Outcome) -> None:
        """Take the outcome."""
        self._institution.errands.finish(self._name, outcome.code, self._institution.today)


class Platform(Institution):
    """Operates the plan: admits, decides claims, signs batches first."""

    def act(self, world: World) -> list[Order]:
        """Return what the platform does now."""
        self._today = world.today
        orders = self._decide_applications() + self._sign_agreements()
        for claim in world.claims:
            orders += self._decide_claim(claim)
        for batch in world.batches:
            orders += self._sign_batch(batch, world)
        return orders

    def _decide_applications(self) -> list[Order]:
        ready = [
            application
            for application in self._registry.applications.values()
            if application.is_verified and application.is_indexed and not application.is_decided
        ]
        for application in ready:
            application.is_decided = True
        admitted = [application for application in ready if not application.person.is_refused]
        refused = [application for application in ready if application.person.is_refused]
        orders = [self._build_admission(chunk) for chunk in split(admitted)]
        return orders + [self._build_refusal(chunk) for chunk in split(refused)]

    def _build_admission(self, applications: list[Application]) -> Order:
        call = MemberAdmit(items=tuple(application.member for application in applications))
        return Order(call=call, key=self.key, on_outcome=lambda outcome: self._close(applications, outcome))

    def _build_refusal(self, applications: list[Application]) -> Order:
        items = tuple(MemberRefuseItem(member=item.member, reason=REFUSAL_REASON) for item in applications)
        call = MemberRefuse(items=items)
        return Order(call=call, key=self.key, on_outcome=lambda outcome: self._close(applications, outcome))

    def _close(self, applications: list[Application], outcome: Outcome) -> None:
        for application, code in pair_items(applications, outcome):
            if self._registry.take_item(application, code):
                self._registry.applications.pop(application.member, None)
            else:
                application.is_decided = False

    def _decide_claim(self, claim: ClaimView) -> list[Order]:
        diagnosis = self._registry.diagnoses.get(claim.claim)
        if claim.status != "investigated" or not claim.has_certificate or diagnosis is None:
            return []
        name = ("decide", claim.claim)
        is_genuine = diagnosis.case.is_genuine
        call = ClaimDecide(
            claim=claim.claim,
            is_approved=is_genuine,
            row=diagnosis.case.row,
            clauses=CLAUSES_MET if is_genuine else CLAUSES_NOT_MET,
        )
        return self._order(name, Order(call=call, key=self.key, on_outcome=self._finisher(name)))


class Auditor(Institution):
    """Issues the blind index, confirms notices in its periods, co-signs batches in the next."""

    def __init__(
        self, name: str, key: SigningKey, registry: Registry, *, order: int, auditors: int, seed: int, account: str
    ) -> None:
        super().__init__(name, key, registry)
        self._seed = seed
        self._account = account
        self._noticed_on: dict[bytes, int] = {}
        self._order_number = order
        self._auditors = auditors
        self._indexing: set[bytes] = set()

    def act(self, world: World) -> list[Order]:
        """Return what the auditor does now."""
        self._today = world.today
        orders = self._sign_agreements()
        calls = list_reviews(self.name, world)
        calls += list_confirmations(self._registry, world, account=self._account, name=self.name)
        if self._order_number == 0:
            calls += list_rulings(self._registry)
        orders += self._order_calls(calls)
        if self._order_number == 0:
            waiting = [
                application
                for application in self._registry.applications.values()
                if not application.is_indexed and application.member not in self._indexing
            ]
            orders += [self._build_index(chunk, world.plan_name) for chunk in split(waiting)]
        if world.plan.period % self._auditors == self._order_number:
            orders += self._confirm(world)
        else:
            self._noticed_on.clear()
        for batch in world.batches:
            if (batch.period + 1) % self._auditors == self._order_number:
                orders += self._sign_batch(batch, world)
        return orders

    def _build_index(self, applications: list[Application], plan: str) -> Order:
        self._indexing.update(application.member for application in applications)

        def on_outcome(outcome: Outcome) -> None:
            self._indexing.difference_update(application.member for application in applications)
            for application, code in pair_items(applications, outcome):
                application.is_indexed = self._registry.take_item(application, code)

        items = tuple(
            IndexIssueItem(
                member=application.member,
                person_index=build_person_index(self._seed, plan, application.person),
                epoch=0,
            )
            for application in applications
        )
        return Order(call=IndexIssue(items=items), key=self.key, on_outcome=on_outcome)

    def _confirm(self, world: World) -> list[Order]:
        noticed = [claim.claim for claim in world.claims if claim.status == "noticed"]
        ready = [
            claim
            for claim in noticed
            if world.today > self._noticed_on.setdefault(claim, world.today) + NOTICE_FULL_DAYS
            and self.errands.begin(("confirm", claim), world.today)
        ]
        return [self._build_confirmation(chunk) for chunk in split(ready)]

    def _build_confirmation(self, claims: list[bytes]) -> Order:
        def on_outcome(outcome: Outcome) -> None:
            for claim, code in pair_items(claims, outcome):
                self.errands.finish(("confirm", claim), code, self._today)

        return Order(call=ClaimConfirm(items=tuple(claims)), key=self.key, on_outcome=on_outcome)


class Assessor(Institution):
    """An assessor firm: accepts what it was drawn for, seals its report, opens it once the other firm has
    sealed."""

    def act(self, world: World) -> list[Order]:
        """Return what the firm does now."""
        self._today = world.today
        orders = self._order_calls(list_reviews(self.name, world))
        for claim in world.claims:
            diagnosis = self._registry.diagnoses.get(claim.claim)
            if claim.status == "assigned" and diagnosis is not None:
                orders += self._investigate(claim, diagnosis)
            elif claim.status == "recheck" and diagnosis is not None:
                orders += self._check_again(claim, diagnosis)
        return orders

    def _check_again(self, claim: ClaimView, diagnosis: Diagnosis) -> list[Order]:
        """Report on a claim that an admitted objection sent back: one firm alone, so nothing is sealed."""
        if not any(firm.organisation == self.name and not firm.is_revealed for firm in claim.firms):
            return []
        return self._order_calls([(("recheck", claim.claim), self._build_report(claim.claim, diagnosis))])

    def _investigate(self, claim: ClaimView, diagnosis: Diagnosis) -> list[Order]:
        own = next((firm for firm in claim.firms if firm.organisation == self.name), None)
        if own is None:
            return []
        if not own.is_accepted:
            name = ("accept", claim.claim)
            call = AssessorAccept(claim=claim.claim)
            return self._order(name, Order(call=call, key=self.key, on_outcome=self._finisher(name)))
        reveal = self._build_report(claim.claim, diagnosis)
        if not own.is_committed:
            name = ("commit", claim.claim)
            sealed = ReportCommit(claim=claim.claim, hash=hash_report(self.name, reveal))
            return self._order(name, Order(call=sealed, key=self.key, on_outcome=self._finisher(name)))
        if not own.is_revealed and sum(firm.is_committed for firm in claim.firms) >= SEATS:
            name = ("reveal", claim.claim)
            return self._order(name, Order(call=reveal, key=self.key, on_outcome=self._finisher(name)))
        return []

    def _build_report(self, claim: bytes, diagnosis: Diagnosis) -> ReportReveal:
        is_genuine = diagnosis.case.is_genuine
        return ReportReveal(
            claim=claim,
            finding=int(is_genuine),
            established_day=diagnosis.diagnosed_day,
            row=diagnosis.case.row,
            clauses=CLAUSES_MET if is_genuine else CLAUSES_NOT_MET,
            report_root=derive_token("report", self.name, claim.hex()),
            salt=derive_token("salt", self.name, claim.hex()),
        )


class Hospital(Institution):
    """Certifies the record of each claim some days after it was filed."""

    def act(self, world: World) -> list[Order]:
        """Return what the hospital does now."""
        self._today = world.today
        orders: list[Order] = []
        for claim in world.claims:
            is_due = world.today >= claim.filed_day + CERTIFICATE_DAYS
            diagnosis = self._registry.diagnoses.get(claim.claim)
            if claim.has_certificate or not is_due or claim.status not in {"eligible", "assigned", "investigated"}:
                continue
            if diagnosis is None:
                continue
            name = ("certificate", claim.claim)
            document = derive_token("record", claim.claim.hex())
            call = CertificateAttach(
                claim=claim.claim,
                source=0,
                document_hash=document,
                bill_root=compute_bill_root(diagnosis.bill_tags),
            )
            orders += self._order(name, Order(call=call, key=self.key, on_outcome=self._finisher(name)))
        return orders
