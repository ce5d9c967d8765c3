"""Rules about members: applications, leaving, accounts, keys, deaths, hearings, erasure, index epochs."""

from hypothesis import strategies as st
from hypothesis.stateful import rule

from chain.contract.calls import Call
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
from chain.contract.terms import hash_terms
from tests.chain.contract.world import PLAN_NAME, name_hash
from tests.model.erasures import RETENTION_DAYS, get_claim_days
from tests.model.machine_base import AUDITORS, PERSONS, Choices, pick
from tests.model.persons import resolve

GONE = ("left", "claimed_out", "aged_out", "died", "voided", "expired", "refused")


class MemberRules(Choices):
    """Applications, and the acts of members."""

    @rule(choice=pick)
    def apply_alone(self, choice: int) -> None:
        self.apply_somebody(choice, pool=choice // 7 % len(self.book.pools))

    @rule(choice=pick)
    def verify(self, choice: int) -> None:
        picks = range(choice % 3 + 1)
        items = tuple(self.build_verification(self.pick_member(choice + n, "applied"), choice // 7 + n) for n in picks)
        self.call(self.pick_signer(choice, "bank"), AccountVerify(items=items))

    @rule(choice=pick)
    def issue(self, choice: int) -> None:
        member_id = self.pick_member(choice, "applied")
        member = self.book.members.get(member_id)
        index: bytes = name_hash("person", choice // 7 % PERSONS)
        if member is not None and member.bank_index is not None and choice % 4:
            index = name_hash("none") if choice % 31 == 0 else member.bank_index
        item = IndexIssueItem(member=member_id, person_index=index, epoch=self.book.epoch + (choice % 37 == 0))
        self.call(self.pick_signer(choice, AUDITORS[choice % 2]), IndexIssue(items=(item, item)[: choice % 2 + 1]))

    @rule(choice=pick)
    def admit(self, choice: int) -> None:
        members = (self.pick_member(choice, "applied"), self.pick_member(choice // 3, "applied"))
        if choice % 6:
            self.call(self.pick_signer(choice, "platform"), MemberAdmit(items=members))
        else:
            items = tuple(MemberRefuseItem(member=member, reason=7) for member in members)
            self.call(self.pick_signer(choice, "platform"), MemberRefuse(items=items))

    @rule(choice=pick)
    def join(self, choice: int) -> None:
        self.join_somebody(choice, pool=choice // 13 % len(self.book.pools))

    @rule(choice=pick)
    def leave(self, choice: int) -> None:
        member = self.pick_member(choice // 20, "sharing", "waiting", "queued", "applied", "moving")
        self.call(self.pick_signer(choice, self.get_key(member)), MemberLeave(member=member))

    @rule(choice=pick)
    def take_out(self, choice: int) -> None:
        """Withdraw money, or own more or less for each unit."""
        member = self.pick_member(choice // 20, "sharing")
        call: Call = MemberWithdraw(member=member, amount=self.choose_amount(choice // 13, member))
        if choice % 2:
            call = MemberWeight(member=member, weight=(1, 2, 3, 100)[choice // 13 % 4])
        self.call(self.pick_signer(choice, self.get_key(member)), call)

    @rule(choice=pick)
    def amend(self, choice: int) -> None:
        member = self.pick_member(choice // 20, "sharing", "waiting", "queued", "applied")
        call = MemberAmend(
            member=member,
            field_commitments_root=name_hash("new", choice % 3),
            blob_hash=name_hash("new blob", choice % 3),
            is_health_changed=choice % 2 == 0,
        )
        self.call(self.pick_signer(choice, self.get_key(member)), call)

    @rule(choice=pick)
    def accept_rules(self, choice: int) -> None:
        member = self.pick_member(choice, "sharing", "waiting")
        number = choice // 11 % (len(self.book.versions) + 1)
        if choice % 7:
            active = [number for number, version in enumerate(self.book.versions) if version.status == "active"]
            number = active[choice // 13 % len(active)]
            known = self.book.members.get(member)
            others = [one for one in active if known is not None and one != known.version]
            if others and choice // 7 % 7:
                number = others[choice // 13 % len(others)]
        text = name_hash("rules")
        if number < len(self.book.versions) and choice % 19:
            text = hash_terms(self.book.versions[number].terms)
        call = MemberAcceptRules(member=member, version=number, rules_hash=text)
        self.call(self.pick_signer(choice, self.get_key(member)), call)


class AccountRules(Choices):
    """Accounts, keys and deaths."""

    @rule(choice=pick)
    def change_account(self, choice: int) -> None:
        """Ask for another account, and let the bank verify it, as a rule."""
        owing = [name for name, one in self.book.members.items() if one.is_gone and one.cash]
        failed = [one.member for one in self.book.instructions.values() if one.state == "failed" and one.member]
        member_id = self.find_member(choice, owing + failed)
        commitment = name_hash("commitment", choice % 2)
        if choice % 5:
            call = AccountChange(member=member_id, account_commitment=commitment)
            self.call(self.pick_signer(choice, self.get_key(member_id)), call)
        if choice % 3:
            self.verify_account(member_id, choice // 3)

    def verify_account(self, member_id: bytes, choice: int) -> None:
        member = self.book.members.get(member_id)
        item = self.build_verification(member_id, choice)
        if member is not None and member.bank_index is not None:
            holder = choice % 3 if choice % 9 == 0 else 2 if member_id in self.book.deaths else 0
            item = AccountVerifyItem(
                member=member_id,
                person_index=member.bank_index if choice % 13 else name_hash("person", 0),
                account_token=name_hash("account", choice % 3, member_id.hex()),
                holder_kind=holder,
                key_challenge_hash=bytes(32),
                last_cover_year=member.last_year if choice % 17 else 2_059,
            )
        self.call(self.pick_signer(choice, "bank"), AccountVerify(items=(item,)))

    @rule(choice=pick)
    def settle_estate(self, choice: int) -> None:
        self.verify_account(self.find_member(choice, list(self.book.deaths)), choice // 3)

    @rule(choice=pick)
    def lose_key(self, choice: int) -> None:
        """Ask for another key, veto it, or recover at once."""
        member_id = self.find_member(choice, list(self.book.rekeys) if choice % 3 == 0 else [])
        member = self.book.members.get(member_id)
        keys: list[bytes] = [name_hash("new key", choice // 5 % 3, member_id.hex()), name_hash("key", "firm-a")]
        keys += [self.get_key(member_id), self.get_recovery(member_id), name_hash("member", choice % 5)]
        new_key = keys[choice // 7 % len(keys)] if choice % 7 == 0 else keys[0]
        if choice % 3 == 0:
            if member_id not in self.book.rekeys and choice // 3 % 4:
                # Somebody else's try.
                request = MemberRekeyRequest(member=member_id, new_key=new_key)
                self.sign(0, request, ("platform", AUDITORS[choice % 2], new_key))
            self.call(self.pick_signer(choice, self.get_key(member_id)), MemberRekeyVeto(member=member_id))
        elif choice % 3 == 1 or member is None:
            call = MemberRekeyRecover(member=member_id, new_key=new_key)
            self.call(self.pick_signer(choice, self.get_recovery(member_id)), call)
        else:
            request = MemberRekeyRequest(member=member_id, new_key=new_key)
            self.sign(choice // 9, request, ("platform", AUDITORS[choice % 2], new_key))

    def get_recovery(self, member_id: bytes) -> bytes:
        """Return the recovery key of a member: by the order of joining."""
        names = list(self.book.members)
        return name_hash("recovery", names.index(member_id)) if member_id in names else name_hash("stranger")

    @rule(choice=pick)
    def grow_up(self, choice: int) -> None:
        children = [name for name, one in self.book.members.items() if one.guardian is not None]
        member_id = self.find_member(choice, children)
        member = self.book.members.get(member_id)
        guardian = None if member is None or member.guardian is None else self.book.members[member.guardian]
        old_key = name_hash("stranger") if guardian is None else guardian.key
        new_key = old_key if choice % 13 == 0 else name_hash("grown", choice // 7 % 2, member_id.hex())
        call = GuardianHandOver(member=member_id, new_key=new_key)
        self.sign(choice // 9, call, (old_key, new_key) if choice % 2 else (new_key, old_key))

    @rule(choice=pick)
    def report_death(self, choice: int) -> None:
        member_id = self.pick_member(choice // 3, "sharing", "waiting", "queued", "leaving", "verified", "moving")
        call = DeathReport(member=member_id, document_hash=name_hash("papers", choice % 2))
        heir = name_hash("heir", choice % 2)
        ways: tuple[tuple[str | bytes, ...], ...] = (("bank",), (AUDITORS[0],), (heir, AUDITORS[1]), (heir, "bank"))
        self.sign(choice // 9, call, ways[choice % len(ways)])

    @rule(choice=pick)
    def revoke_death(self, choice: int) -> None:
        member_id = self.find_member(choice, list(self.book.deaths))
        call = DeathRevoke(member=member_id)
        self.sign(choice // 9, call, (self.get_key(member_id), ("bank", *AUDITORS)[choice % 3]))


class PersonRules(Choices):
    """Hearings, erasure, index epochs, ghost audits."""

    @rule(choice=pick)
    def open_hearing(self, choice: int) -> None:
        self.open_one(choice)

    def open_one(self, choice: int) -> None:
        """Open a hearing about somebody."""
        member = self.pick_member(choice // 3, "sharing", "waiting", "left", "verified", "leaving")
        call = VoidOpen(member=member, finding_root=name_hash("finding", choice // 5 % 3))
        self.sign(choice // 9, call, ("platform", ("firm-a", "firm-b")[choice % 2]))

    @rule(choice=pick)
    def hear(self, choice: int) -> None:
        """Answer, or decide; where nobody is heard, begin."""
        if choice % 5 == 0 or all(one.name in ("dismissed", "upheld") for one in self.book.hearings.values()):
            self.open_one(choice // 5)
        stages = {name: one.name for name, one in self.book.hearings.items() if one.name not in ("dismissed", "upheld")}
        member_id = self.find_member(choice, list(stages))
        if (stages.get(member_id) == "hearing" and choice % 2) or choice % 7 == 0:
            answer = VoidAnswer(member=member_id, answer_hash=name_hash("answer", choice % 2))
            self.call(self.pick_signer(choice, self.get_key(member_id)), answer)
        else:
            if stages.get(member_id) == "hearing" and choice // 7 % 3:
                self.story.pass_days(15)
                stages = {name: one.name for name, one in self.book.hearings.items()}
            signer = AUDITORS[stages.get(member_id) == "second_auditor"] if choice % 6 else AUDITORS[choice % 2]
            call = VoidDecide(member=member_id, is_void=choice % 3 != 0)
            self.call(self.pick_signer(choice, signer), call)

    @rule(choice=pick)
    def erase(self, choice: int) -> None:
        """Ask for an erasure, or confirm it."""
        asked = list(self.book.erasures)
        scope = choice // 3 % 2
        if asked and choice % 3:
            member = self.find_member(choice, asked)
            item = ErasureReceiptItem(member=member, scope=scope)
            for signer in ("platform", "bank", *AUDITORS)[choice // 5 % 4 :]:
                self.call(self.pick_signer(choice, signer), ErasureReceipt(items=(item, item)[: choice % 2 + 1]))
            return
        member = self.pick_member(choice // 7, *GONE)
        self.wait_for_retention(member, choice // 7)
        usual = self.get_key(member) if choice % 2 else AUDITORS[choice // 2 % 2]
        self.call(self.pick_signer(choice, usual), ErasureRequest(member=member, scope=scope))

    def wait_for_retention(self, member_id: bytes, choice: int) -> None:
        """Let the days pass for which the data of somebody who left are kept, or all but one."""
        member = self.book.members.get(member_id)
        if member is None or not member.is_gone:
            return
        over = member.since + get_claim_days(self.book, member) + RETENTION_DAYS - choice % 2
        if 0 < over - self.book.day <= 45:
            self.story.pass_days(over - self.book.day)

    @rule(choice=pick, moves=st.booleans())
    def open_epoch(self, choice: int, moves: bool) -> None:
        """Begin a new epoch, and reissue everybody, as a rule."""
        epoch = self.book.epoch_newest + (0 if choice % 11 == 0 else 1)
        if self.book.epoch_pending is None or choice % 5 == 0:
            call = IndexEpochOpen(
                plan=PLAN_NAME,
                epoch=max(1, epoch),
                bank_point=name_hash("bank point", epoch),
                auditor_point=name_hash("auditor point", epoch),
            )
            self.sign(choice // 9, call, ("bank", AUDITORS[choice % 2]))
        if moves:
            for member_id in list(self.book.members):
                self.reissue_member(member_id, choice)

    @rule(choice=pick)
    def reissue(self, choice: int) -> None:
        self.reissue_member(self.pick_member(choice), choice // 3, is_careful=False)

    def reissue_member(self, member_id: bytes, choice: int, *, is_careful: bool = True) -> None:
        """Let bank and auditor give a person the index of the newest epoch; a careless one, another one's."""
        epoch = max(1, self.book.epoch_newest)
        member = self.book.members.get(member_id)
        index = None if member is None or member.bank_index is None else resolve(self.book, member.bank_index)
        new = name_hash("index", epoch, b"".join([index or b""]).hex())
        if not is_careful and choice % 3 == 0:
            new = name_hash("person", choice // 3 % PERSONS)
        call = IndexReissue(epoch=epoch, items=(IndexReissueItem(member=member_id, person_index=new),))
        if is_careful or choice % 5:
            self.call("bank", call)
        self.call(self.pick_signer(choice, AUDITORS[choice % 2]), call)

    @rule(choice=pick)
    def report_ghosts(self, choice: int) -> None:
        known = list(self.book.samples.items())
        (pool, number), sample = known[choice % len(known)] if known else ((0, 0), None)
        drawn = len(sample.what) if sample is not None and isinstance(sample.what, set) else 1
        call = GhostAuditReport(
            plan=PLAN_NAME,
            pool=pool,
            draw=number + (choice % 17 == 0),
            sample_size=max(1, drawn + (choice % 13 == 0)),
            found=max(0, drawn - choice % 3 + (choice % 11 == 0)),
            report_root=name_hash("ghosts", choice % 2),
        )
        self.call(self.pick_signer(choice, AUDITORS[choice // 3 % 2]), call)
