"""Who doubts: members that object to a noticed claim, one that appeals, and the jury that is drawn for it.

day 150   a member objects with evidence: an auditor admits it, another firm looks again
day 180   another objects without any: dismissed
any day   the first claim that is rejected goes before a jury: sealed votes, opened votes; some jurors stay away
"""

from chain.contract.claim_calls import (
    AppealFile,
    BallotCommit,
    BallotCommitItem,
    BallotReveal,
    BallotRevealItem,
    ObjectionFile,
)
from chain.contract.jury import hash_ballot
from chain.crypto import sha256
from node.demo.members import Members
from node.demo.orders import Errands, Order, Outcome
from node.demo.population import derive_token
from node.demo.registry import Registry
from node.demo.world import World

OBJECTIONS = ((150, True), (180, False))
"""(day of the demo, whether the evidence holds)."""
REJECTED_SUBJECT = 0
UPHOLD_EVERY = 4
"""One juror in so many finds that the appellant is right."""
ABSENT_EVERY = 6
"""One juror in so many stays away."""


class Critics:
    """Members in their part as critics and jurors."""

    def __init__(self, members: Members, registry: Registry, *, seed: int) -> None:
        self.errands = Errands()
        self.is_appeal_open = False
        """Whether somebody waits for a verdict: jurors look for their tasks meanwhile."""
        self._members = members
        self._registry = registry
        self._seed = seed
        self._noticed_on: dict[bytes, int] = {}
        self._objected: dict[bytes, int] = {}
        """Claim by objection number."""
        self._appealed: bytes | None = None
        self._sealed: set[bytes] = set()
        """Ballots that are on the chain sealed."""
        self._today = 0

    def act(self, world: World) -> list[Order]:
        """Return what they do now."""
        self._today = world.today
        return [*self._object(world), *self._appeal(world), *self._vote(world)]

    # --- objections ---

    def _object(self, world: World) -> list[Order]:
        noticed = [claim.claim for claim in world.claims if claim.status == "noticed"]
        self._noticed_on = {claim: self._noticed_on.get(claim, world.today) for claim in noticed}
        fresh = [claim for claim, day in self._noticed_on.items() if day == world.today and claim not in self._objected]
        orders = []
        for number, (day, has_evidence) in enumerate(OBJECTIONS):
            if world.demo_day < day or number in self._objected.values() or not fresh:
                continue
            order = self._build_objection(number, fresh.pop(0), world, has_evidence=has_evidence)
            if order is not None:
                orders.append(order)
        return orders

    def _build_objection(self, number: int, claim: bytes, world: World, *, has_evidence: bool) -> Order | None:
        objector = self._members.choose(f"objection {number}", world)
        if objector is None or objector.member is None:
            return None
        self._objected[claim] = number
        name = ("objection", claim)
        if not self.errands.begin(name, world.today):
            return None

        def on_outcome(outcome: Outcome) -> None:
            if self.errands.finish(name, outcome.code, self._today):
                self._registry.objections[outcome.tx_id] = has_evidence
            else:
                # Too late for this notice: another claim, another notice.
                self._objected[claim] = -1

        evidence = derive_token("objection", self._seed, number)
        call = ObjectionFile(member=objector.member, claim=claim, evidence_hash=evidence)
        return Order(call=call, key=objector.key, on_outcome=on_outcome)

    # --- the appeal ---

    def _appeal(self, world: World) -> list[Order]:
        rejected = [claim.claim for claim in world.claims if claim.status == "rejected"]
        if self._appealed is None:
            self._appealed = next((claim for claim in rejected if self._members.find_by_claim(claim)), None)
        claim = self._appealed
        membership = None if claim is None else self._members.find_by_claim(claim)
        if claim is None or membership is None or membership.member is None:
            return []
        self.is_appeal_open = self.is_appeal_open and claim not in rejected
        name = ("appeal", claim)
        if not self.errands.begin(name, world.today):
            return []

        def on_outcome(outcome: Outcome) -> None:
            self.is_appeal_open = self.errands.finish(name, outcome.code, self._today)

        call = AppealFile(
            member=membership.member,
            subject=REJECTED_SUBJECT,
            claim=claim,
            grounds_hash=derive_token("grounds", claim.hex()),
        )
        return [Order(call=call, key=membership.key, on_outcome=on_outcome)]

    # --- the jury ---

    def _vote(self, world: World) -> list[Order]:
        orders = []
        for task in world.tasks:
            for juror in world.juries.get(task.subject, ()):
                lot = sha256(task.subject + juror)
                is_upheld = lot[0] % UPHOLD_EVERY == 0
                if lot[5] % ABSENT_EVERY == 0:
                    continue
                if task.kind == "ballot_commit":
                    orders += self._seal(task.subject, juror, is_upheld=is_upheld)
                elif task.kind == "ballot_reveal":
                    orders += self._open(task.subject, juror, is_upheld=is_upheld)
        return orders

    def _build_ballot(self, case: bytes, juror: bytes, *, is_upheld: bool) -> BallotRevealItem:
        salt = derive_token("ballot", self._seed, case.hex(), juror.hex())
        return BallotRevealItem(case=case, is_upheld=is_upheld, salt=salt)

    def _seal(self, case: bytes, juror: bytes, *, is_upheld: bool) -> list[Order]:
        membership, ballot = self._members.find(juror), sha256(case + juror)
        if membership is None or not self.errands.begin(("seal", ballot), self._today):
            return []

        def on_outcome(outcome: Outcome) -> None:
            if self.errands.finish(("seal", ballot), outcome.code, self._today):
                self._sealed.add(ballot)

        sealed = hash_ballot(juror, self._build_ballot(case, juror, is_upheld=is_upheld))
        call = BallotCommit(member=juror, items=(BallotCommitItem(case=case, hash=sealed),))
        return [Order(call=call, key=membership.key, on_outcome=on_outcome)]

    def _open(self, case: bytes, juror: bytes, *, is_upheld: bool) -> list[Order]:
        membership, ballot = self._members.find(juror), sha256(case + juror)
        is_due = ballot in self._sealed and self.errands.begin(("open", ballot), self._today)
        if membership is None or not is_due:
            return []

        def on_outcome(outcome: Outcome) -> None:
            self.errands.finish(("open", ballot), outcome.code, self._today)

        call = BallotReveal(member=juror, items=(self._build_ballot(case, juror, is_upheld=is_upheld),))
        return [Order(call=call, key=membership.key, on_outcome=on_outcome)]
