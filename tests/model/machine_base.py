"""What the rules of every area choose from: members, signers, amounts at the places where rules change."""

import hashlib
from collections.abc import Sequence

from hypothesis import strategies as st

from chain.contract.calls import Call
from chain.contract.governance_calls import OrgKeyRevoke
from chain.contract.member_calls import (
    AccountVerify,
    AccountVerifyItem,
    IndexIssue,
    IndexIssueItem,
    MemberAdmit,
    MemberApply,
)
from chain.contract.money_calls import DepositCredit, DepositCreditItem
from chain.contract.rules import Outcome
from chain.contract.terms import hash_terms
from tests.chain.contract.world import PLAN_NAME, ROLES, name_hash
from tests.model.book import Book, Member, Pool
from tests.model.story import Story

ORGANISATIONS = tuple(ROLES)
AUDITORS = ("audit-one", "audit-two")
MEMBERS_MAX = 14
PERSONS = 10
pick = st.integers(min_value=0, max_value=2**31).map(lambda number: number * 2_654_435_761 % 2**31)
"""A choice that is made within a step, from what there is then; spread, because small numbers come up most."""


class Choices:
    """A story, and who and what comes into question in it."""

    story: Story

    @property
    def book(self) -> Book:
        return self.story.book

    def call(self, signer: str | bytes, call: Call) -> Outcome:
        return self.story.call(signer, call)

    # --- who ---

    def pick_member(self, choice: int, *states: str) -> bytes:
        """Return a member, if possible in one of these states; now and then nobody."""
        if choice % 41 == 40 or not self.book.members:
            return name_hash("nobody")
        names = [name for name, one in self.book.members.items() if one.status in states] if choice % 8 else []
        names = names or list(self.book.members)
        return names[choice // 8 % len(names)]

    def find_member(self, choice: int, names: Sequence[bytes]) -> bytes:
        """Return one of these members, or any."""
        return names[choice // 8 % len(names)] if names and choice % 8 else self.pick_member(choice)

    def pick_signer(self, choice: int, usual: str | bytes) -> str | bytes:
        """Return who should sign, now and then somebody else."""
        if choice % 23 != 22:
            return usual
        others: list[str | bytes] = [*ORGANISATIONS, name_hash("stranger")]
        others += [member.key for member in self.book.members.values() if any(member.key)]
        return others[choice // 23 % len(others)]

    def sign(self, choice: int, call: Call, signers: Sequence[str | bytes]) -> None:
        """Let all sign, as a rule; else only some, one twice, or somebody else."""
        parties = list(signers)
        way = choice % 9
        if way == 7:
            parties = parties[: choice // 9 % len(parties) + 1]
        elif way == 8:
            parties.insert(choice // 9 % len(parties), parties[0])
        for number, party in enumerate(parties):
            self.call(self.pick_signer(choice // 81 + number, party), call)
            if choice // 9 % 53 == 52 and number == 0 and party in ORGANISATIONS:
                self.lose_office_key(str(party))

    def lose_office_key(self, name: str) -> None:
        """Let an organisation find that its key was stolen: what the thief has signed no longer counts."""
        new_key = name_hash("key after a theft", name, self.story.world.height)
        revoke = OrgKeyRevoke(organisation=name, new_key=new_key)
        self.call(self.book.house.offices[name].recovery, revoke)

    def get_key(self, member_id: bytes) -> bytes:
        """Return the key that signs for a member."""
        member = self.book.members.get(member_id)
        if member is None or not any(member.key):
            # Nobody can sign with the empty key of somebody who has none.
            return name_hash("stranger")
        if member.guardian is None or member.has_own_key:
            return member.key
        return self.book.members[member.guardian].key

    def pick_pool(self, choice: int) -> Pool:
        return self.book.pools[choice % len(self.book.pools)]

    # --- how much ---

    def choose_amount(self, choice: int, member_id: bytes) -> int:
        """Return an amount at a place where rules change."""
        member = self.book.members.get(member_id)
        terms = self.book.pool_terms(self.book.pools[0 if member is None else member.pool])
        bounds = [1, 49, terms.deposit_min_fen, terms.deposit_min_fen - 1, terms.deposit_max_fen]
        bounds.append(terms.deposit_max_fen * 100 + 1)
        if member is not None:
            least, most = terms.deposit_min_fen * member.weight, terms.deposit_max_fen * member.weight
            missing = member.arrears - member.rem - member.cash
            bounds += [missing - 1, missing, missing + 1, member.balance, member.balance - least, least, least * 2]
            bounds += [member.balance - least + 1, most - member.balance, most - member.balance + 1, most]
            bounds += [most - member.balance + member.arrears + more for more in (0, 1)] if member.arrears else []
        return max(1, bounds[choice % len(bounds)])

    # --- the usual way in ---

    def apply_somebody(self, choice: int, *, pool: int = 0, guardian: bytes | None = None) -> bytes | None:
        """Apply, as a rule under the rules in force; return the new member."""
        if len(self.book.members) >= MEMBERS_MAX:
            return None
        number = len(self.book.members)
        if guardian is None and self.book.members and choice % 5 == 0:
            guardian = self.pick_member(choice // 3, "sharing")
        key = name_hash("member", number) if guardian is None else self.get_key(guardian)
        known = self.book.pools[min(pool, len(self.book.pools) - 1)]
        call = MemberApply(
            plan=PLAN_NAME,
            pool=pool if choice % 29 else 7,
            weight=(1, 1, 2, 3, 100)[choice % 5],
            rules_hash=hash_terms(self.book.versions[known.version].terms) if choice % 23 else name_hash("rules"),
            field_commitments_root=name_hash("fields", number),
            blob_hash=name_hash("blob", number),
            consent_hash=name_hash("consent", number),
            recovery_hash=name_hash_of(name_hash("recovery", number)),
            guardian=guardian,
        )
        outcome = self.call(self.pick_signer(choice, key), call)
        return bytes(self.story.world.last_tx) if outcome.number == 0 else None

    def build_verification(self, member_id: bytes, choice: int) -> AccountVerifyItem:
        """Build the bank's word on an applicant, as a rule on a new person."""
        member = self.book.members.get(member_id)
        is_child = member is not None and member.guardian is not None
        free = [number for number in range(PERSONS) if name_hash("person", number) not in self.book.persons]
        person = free[choice % len(free)] if free and choice % 6 else choice % PERSONS
        year = 2060 if choice % 3 else (2026, 2027, 2061, 2025, 9_999)[choice // 3 % 5]
        return AccountVerifyItem(
            member=member_id,
            person_index=name_hash("person", person),
            account_token=name_hash("token", member_id.hex()),
            holder_kind=choice % 3 if choice % 11 == 0 else choice % 2 * is_child,
            key_challenge_hash=bytes(32),
            last_cover_year=(2067, 2068, 2069)[choice % 3] if is_child and choice % 7 else year,
        )

    def join_somebody(self, choice: int, *, pool: int = 0) -> bytes | None:
        """Take the whole way in, so that stories get somewhere."""
        member_id = self.apply_somebody(choice | 1 if choice % 4 else choice, pool=pool)
        if member_id is not None:
            self.admit_applicant(member_id, self.build_verification(member_id, choice // 5), choice // 11)
        return member_id

    def admit_applicant(self, member_id: bytes, item: AccountVerifyItem, choice: int) -> None:
        """Let bank, auditor and platform do their part, and the applicant pay."""
        self.call("bank", AccountVerify(items=(item,)))
        index = IndexIssueItem(member=member_id, person_index=item.person_index, epoch=self.book.epoch)
        self.call("audit-one", IndexIssue(items=(index,)))
        self.call("platform", MemberAdmit(items=(member_id,)))
        member = self.book.members[member_id]
        least = self.book.pool_terms(self.book.pool_of(member)).deposit_min_fen * member.weight
        amount = (least, least * 3 // 2, least * 4, 20_000 * member.weight)[choice % 4]
        self.credit_member(member_id, amount, lag=(0, 0, 2, 4)[choice // 4 % 4])

    def build_credit(self, member: Member | None, amount: int, **changes: int | bytes | None) -> DepositCreditItem:
        """Build a transfer of today."""
        number = sum(len(pool.custody.deposits) for pool in self.book.pools)
        fields: dict[str, int | bytes | None] = {
            "ref_token": name_hash("reference", number),
            "amount": amount,
            "booking_day": self.book.day,
            "value_day": self.book.day,
            "payer_token": name_hash("payer", number % 3),
            "deposit_code": None if member is None else member.code,
        }
        return DepositCreditItem(**(fields | changes))  # type: ignore[arg-type]

    def credit_member(self, member_id: bytes, amount: int, *, lag: int = 0) -> None:
        """Let the bank credit a deposit today, of so many days ago."""
        member = self.book.members[member_id]
        item = self.build_credit(member, amount, value_day=self.book.day - lag)
        self.call("bank", DepositCredit(account=self.book.pool_of(member).custody.name, items=(item,)))


def name_hash_of(key: bytes) -> bytes:
    """Return the hash of a recovery key that a member leaves at joining."""
    return hashlib.sha256(key).digest()
