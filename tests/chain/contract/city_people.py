"""The town of town.py with what waits for people: applications, accounts, keys, deaths, hearings, erasure, epochs."""

from chain.contract.claim_calls import AppealFile
from chain.contract.claim_claimant import PAYEE_SELF
from chain.contract.guardian import MAJORITY_YEARS
from chain.contract.member_calls import (
    AccountChange,
    AccountVerify,
    AccountVerifyItem,
    DeathReport,
    DeathRevoke,
    ErasureReceipt,
    ErasureReceiptItem,
    ErasureRequest,
    GhostAuditReport,
    GuardianHandOver,
    IndexEpochOpen,
    IndexIssue,
    IndexIssueItem,
    IndexReissue,
    IndexReissueItem,
    MemberAcceptRules,
    MemberAdmit,
    MemberAmend,
    MemberApply,
    MemberLeave,
    MemberRefuse,
    MemberRefuseItem,
    MemberRekeyRecover,
    MemberRekeyRequest,
    MemberRekeyVeto,
    MemberWeight,
    MemberWithdraw,
    VoidAnswer,
    VoidDecide,
    VoidOpen,
)
from chain.contract.member_key_tables import ACCOUNT_CHANGE, DEATH, HOLDER_ESTATE
from chain.contract.money_calls import (
    DepositCredit,
    DepositCreditItem,
)
from chain.contract.person_tables import ERASURE, GHOST_AUDIT, GHOST_DRAW, VOID
from chain.contract.persons import get_index_epoch, is_gone
from chain.contract.tables import MEMBER_APPLIED, VERSION
from chain.contract.terms import hash_terms
from chain.crypto import sha256
from chain.types import Hash
from tests.chain.contract.town import AUDITORS, FIRMS, GOVERNORS, Town
from tests.chain.contract.world import PLAN_NAME, name_hash

PERSONS = 400
"""Persons who may ever apply; some try twice."""
GROWN_YEAR = 2026
WITHDRAWN_MAX = 500


class CityPeople(Town):
    """Members, applicants, heirs and their institutions."""

    def __init__(self, seed: int, *, silent: str, silent_from: int, ends: bool = False, **terms: str) -> None:
        self.secrets: dict[bytes, bytes] = {}
        self.deposits: list[DepositCreditItem] = []
        self.ends = ends
        super().__init__(seed, silent=silent, silent_from=silent_from, **terms)
        for number, member in enumerate(self.members):
            self.secrets[member] = name_hash("recovery", f"m{number}")

    def compute_index(self, member: Hash, epoch: int) -> Hash:
        """Return the blind index of a member's person in an epoch."""
        person = self.persons[member]
        return person if epoch == 0 else name_hash("person", person.hex(), epoch)

    def choose(self) -> Hash:
        return self.random.choice(self.members)

    # --- applications ---

    def admit_people(self) -> None:
        if self.is_diligent(0.15):
            self._apply()
        for member in [member for member in self.members[-6:] if self.member(member).status == MEMBER_APPLIED]:
            self._verify(member)
            if self.is_diligent(0.1):
                refusal = MemberRefuseItem(member=member, reason=3)
                self.call("platform", MemberRefuse(items=(refusal,)))
            elif self.is_diligent(0.5):
                self.call("platform", MemberAdmit(items=(member,)))
        if self.is_diligent(0.3):
            self._pay_in(self.choose(), self.random.choice([1, 500, 20_000, 90_000]))

    def _apply(self) -> None:
        number = len(self.members)
        guardian = self.choose() if self.is_diligent(0.3) else None
        call = MemberApply(
            plan=PLAN_NAME,
            pool=0,
            weight=self.random.choice([1, 1, 3]),
            rules_hash=hash_terms(self.state.require(VERSION, PLAN_NAME, self.pool.version).terms),
            field_commitments_root=name_hash("fields", number),
            blob_hash=name_hash("blob", number),
            consent_hash=name_hash("consent", number),
            recovery_hash=sha256(name_hash("recovery-key", number)),
            guardian=guardian,
        )
        signer = name_hash("member", f"m{number}") if guardian is None else self.key(guardian)
        if self.call(signer, call).number == 0:
            member = Hash(self.last_tx)
            self.members.append(member)
            self.persons[member] = name_hash("person", f"m{self.random.randrange(PERSONS)}")
            self.secrets[member] = name_hash("recovery-key", number)

    def _verify(self, member: Hash) -> None:
        epoch = get_index_epoch(self.state, PLAN_NAME).epoch
        index = self.compute_index(member, epoch)
        years = MAJORITY_YEARS + 1
        last_year = GROWN_YEAR + 60 - years + self.random.choice([0, 1, 1])
        item = AccountVerifyItem(
            member=member,
            person_index=index,
            account_token=name_hash("token", member.hex()),
            holder_kind=0,
            key_challenge_hash=name_hash("challenge"),
            last_cover_year=last_year if self.member(member).guardian else self.random.choice([2026, 2060]),
        )
        if self.is_diligent(0.5):
            self.call("bank", AccountVerify(items=(item,)))
        if self.is_diligent(0.5):
            half = IndexIssueItem(member=member, person_index=index, epoch=epoch)
            self.call(self.random.choice(AUDITORS), IndexIssue(items=(half,)))

    def _pay_in(self, member: Hash | None, amount: int) -> None:
        item = self.credit_item(member, amount)
        before = self.bank_fen
        self.book(DepositCredit(account=self.pool.account, items=(item,)), [amount])
        if self.bank_fen > before:
            self.deposits.append(item)

    # --- members ---

    def act_as_member(self, member: Hash) -> None:
        record = self.member(member)
        key = self.key(member)
        chance = self.random.randrange(14)
        if chance == 0 and self.is_diligent(0.2):
            self.call(key, MemberLeave(member=member))
        elif chance == 1:
            self.call(key, MemberWithdraw(member=member, amount=self.random.randint(1, WITHDRAWN_MAX)))
        elif chance == 2:
            self.call(key, MemberWeight(member=member, weight=self.random.choice([1, 2])))
        elif chance == 3:
            self.call(key, AccountChange(member=member, account_commitment=name_hash("commitment", self.today)))
        elif chance == 4:
            blob = name_hash("blob", self.today)
            call = MemberAmend(member=member, field_commitments_root=blob, blob_hash=blob, is_health_changed=True)
            self.call(key, call)
        elif chance == 5:
            self._rekey(member)
        elif chance == 6 and record.guardian is not None:
            grown = GuardianHandOver(member=member, new_key=name_hash("grown", member.hex()))
            self.try_all(grown, key, grown.new_key)
        elif chance == 7:
            rules = self.state.require(VERSION, PLAN_NAME, self.pool.version)
            call_ = MemberAcceptRules(member=member, version=self.pool.version, rules_hash=rules.terms_hash)
            self.call(key, call_)
        if is_gone(record) and self.is_diligent(0.3):
            self.call(key, ErasureRequest(member=member, scope=self.random.randrange(2)))

    def _rekey(self, member: Hash) -> None:
        call = MemberRekeyRequest(member=member, new_key=name_hash("new", member.hex(), self.today))
        self.try_all(call, "platform", self.random.choice(AUDITORS), call.new_key)
        if self.is_diligent(0.3):
            self.call(self.key(member), MemberRekeyVeto(member=member))
        elif self.is_diligent(0.2):
            found = MemberRekeyRecover(member=member, new_key=name_hash("found", member.hex(), self.today))
            self.call(self.secrets[member], found)

    # --- accounts and deaths ---

    def keep_house(self) -> None:
        if self.is_diligent(0.08):
            member = self.choose()
            report = DeathReport(member=member, document_hash=name_hash("death", member.hex()))
            reporter = self.random.choice(["bank", *AUDITORS])
            self.try_all(report, *((reporter,) if self.is_diligent() else (name_hash("heir", member.hex()), reporter)))
        for member in self.members:
            death = self.state.get(DEATH, member)
            if death is not None:
                self._mourn(member)
            elif self.state.get(ACCOUNT_CHANGE, member) is not None and self.is_diligent(0.1):
                self._verify_again(member, holder_kind=PAYEE_SELF)

    def _mourn(self, member: Hash) -> None:
        if self.is_diligent(0.02):
            self.try_all(DeathRevoke(member=member), self.key(member), "bank", *AUDITORS)
        elif self.is_diligent(0.1):
            self._verify_again(member, holder_kind=HOLDER_ESTATE)

    def _verify_again(self, member: Hash, *, holder_kind: int) -> None:
        record = self.member(member)
        item = AccountVerifyItem(
            member=member,
            person_index=record.person_index or self.persons[member],
            account_token=name_hash("token", member.hex(), self.today),
            holder_kind=holder_kind,
            key_challenge_hash=name_hash("challenge"),
            last_cover_year=record.last_cover_year or 2060,
        )
        self.call("bank", AccountVerify(items=(item,)))

    # --- hearings ---

    def hear(self) -> None:
        if self.is_diligent(0.05):
            call = VoidOpen(member=self.choose(), finding_root=name_hash("finding", self.today))
            self.try_all(call, "platform", self.random.choice(FIRMS))
        for member in self.members:
            record = self.state.get(VOID, member)
            if record is None or record.closed_day:
                continue
            if self.is_diligent(0.1):
                self.call(self.key(member), VoidAnswer(member=member, answer_hash=name_hash("answer", self.today)))
            for auditor in AUDITORS:
                if self.is_diligent(0.1):
                    self.call(auditor, VoidDecide(member=member, is_void=self.is_diligent()))
            if self.is_diligent(0.05):
                appeal = AppealFile(member=member, subject=3, claim=None, grounds_hash=name_hash("grounds"))
                if self.call(self.key(member), appeal).number == 0:
                    self.cases.append(Hash(self.last_tx))

    # --- persons ---

    def look_after_persons(self) -> None:
        for member in self.members:
            erasure = self.state.get(ERASURE, member)
            if erasure is not None and not erasure.erased_day:
                receipt = ErasureReceiptItem(member=member, scope=erasure.scope)
                self.try_all(ErasureReceipt(items=(receipt,)), *GOVERNORS)
        drawn = self.state.get(GHOST_AUDIT, PLAN_NAME, 0)
        for number in range(drawn.draws if drawn is not None else 0):
            draw = self.state.require(GHOST_DRAW, PLAN_NAME, 0, number)
            size = len(draw.sample)
            call = GhostAuditReport(
                plan=PLAN_NAME, pool=0, draw=number, sample_size=size, found=size, report_root=name_hash("ghosts")
            )
            if self.is_diligent(0.05):
                self.call(self.random.choice(AUDITORS), call)
        self._reissue()

    def _reissue(self) -> None:
        epoch = get_index_epoch(self.state, PLAN_NAME)
        if epoch.pending is None:
            if self.is_diligent(0.01):
                point = name_hash("point", self.today)
                number = epoch.newest + 1
                opened = IndexEpochOpen(plan=PLAN_NAME, epoch=number, bank_point=point, auditor_point=point)
                self.try_all(opened, "bank", self.random.choice(AUDITORS))
            return
        number = epoch.pending.epoch
        for signer in ("bank", *AUDITORS):
            items = tuple(
                IndexReissueItem(member=member, person_index=self.compute_index(member, number))
                for member in self.random.sample(self.members, 60)
            )
            self.call(signer, IndexReissue(epoch=number, items=items))
