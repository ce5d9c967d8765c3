"""The small consortium of world.py with several rule versions and pools, and with each pool's account kept."""

from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from chain.catalogue import get_entry_by_number
from chain.contract.calls import Call
from chain.contract.custody_tables import (
    INSTRUCTION_READY,
    InstructionRecord,
)
from chain.contract.invariants import check_block, check_pool
from chain.contract.member_calls import MemberAcceptRules, MemberAdmit, MemberApply
from chain.contract.money_calls import DepositCredit, InstructionAck, InstructionAckItem
from chain.contract.plan_calls import RulesPublish
from chain.contract.shares import get_balance
from chain.contract.tables import POOL, PoolRecord
from chain.contract.terms import PinnedTerms, PlanTerms, PoolTerms, hash_terms
from chain.contract.version_tables import VERSION_MEMBERS, VERSION_STATE, VersionStateRecord
from tests.chain.contract.acts import refuse
from tests.chain.contract.world import PLAN_NAME, World, build_terms, name_hash

SECOND_ACCOUNT = "care-second"


def change_terms(terms: PlanTerms, **changes: object) -> PlanTerms:
    """Return terms with some fields changed; a field is named as in its struct."""
    pool = {name: changes.pop(name) for name in list(changes) if name in PoolTerms.__struct_fields__}
    pinned = {name: changes.pop(name) for name in list(changes) if name in PinnedTerms.__struct_fields__}
    return replace(terms, pool=replace(terms.pool, **pool), pinned=replace(terms.pinned, **pinned), **changes)


class RulesWorld(World):
    """A plan whose rules go on."""

    # --- all pools ---

    def get_pool(self, number: int) -> PoolRecord:
        return self.state.require(POOL, PLAN_NAME, number)

    def balance_in(self, member: bytes) -> int:
        record = self.member(member)
        return get_balance(record, self.get_pool(record.pool).share_index)

    def commit_block_checks(self) -> None:
        pools = range(self.plan.pools)
        check_block(self.state, [(PLAN_NAME, number) for number in pools])
        for number in pools:
            check_pool(self.get_pool(number))

    def post_statements(self) -> None:
        for number in range(self.plan.pools):
            self.post_for(self.get_pool(number).account)

    def await_window(self) -> None:
        """Go on until pool 0 is in its window."""
        while not self.pool.is_window:
            self.advance(1)

    def await_no_window(self) -> None:
        """Go on until no pool is in its window."""
        while any(self.get_pool(number).is_window for number in range(self.plan.pools)):
            self.advance(1)

    # --- calls ---

    def succeed(self, signer: str | bytes, call: Call) -> None:
        """Execute a call that must succeed."""
        outcome = self.call(signer, call)
        assert outcome.number == 0, get_entry_by_number(outcome.number).code

    def refuse(self, signer: str | bytes, call: Call) -> str:
        """Execute a call that must be refused and change nothing; return its code."""
        return refuse(self, signer, call)

    # --- versions ---

    def build_publication(
        self, rules: PlanTerms, *, pool: int = 0, version: int | None = None, account: str | None = None
    ) -> RulesPublish:
        return RulesPublish(
            plan=PLAN_NAME,
            version=self.plan.versions if version is None else version,
            pool=pool,
            rules=rules,
            text_hash=name_hash("text", msgspec.json.encode(rules).hex()),
            account=account,
        )

    def publish(self, rules: PlanTerms, *, pool: int = 0, account: str | None = None) -> int:
        """Disclose a version; return its number."""
        call = self.build_publication(rules, pool=pool, account=account)
        for signer in ("platform", "audit-one", *(("bank",) if account else ())):
            self.succeed(signer, call)
        return call.version

    def activate(self, rules: PlanTerms, *, pool: int = 0, account: str | None = None) -> int:
        """Disclose a version and let its days pass; return its number."""
        number = self.publish(rules, pool=pool, account=account)
        self.advance(30)
        return number

    def open_second_pool(self, **changes: object) -> tuple[int, PlanTerms]:
        """Open pool 1; return the number and the terms of its version."""
        rules = change_terms(self.terms, name="second", **changes)
        return self.activate(rules, pool=1, account=SECOND_ACCOUNT), rules

    def version(self, number: int) -> VersionStateRecord:
        return self.state.require(VERSION_STATE, PLAN_NAME, number)

    def pinned(self, number: int) -> int:
        record = self.state.get(VERSION_MEMBERS, PLAN_NAME, number)
        return 0 if record is None else record.pinned

    # --- members ---

    def apply_under(self, name: str, rules: PlanTerms, *, pool: int = 0, weight: int = 1) -> MemberApply:
        return MemberApply(
            plan=PLAN_NAME,
            pool=pool,
            weight=weight,
            rules_hash=hash_terms(rules),
            field_commitments_root=name_hash("fields", name),
            blob_hash=name_hash("blob", name),
            consent_hash=name_hash("consent", name),
            recovery_hash=name_hash("recovery", name),
            guardian=None,
        )

    def join_under(self, name: str, amount: int, rules: PlanTerms, *, pool: int = 0, weight: int = 1) -> bytes:
        """Apply under some rules, be admitted and pay in."""
        self.succeed(name_hash("member", name), self.apply_under(name, rules, pool=pool, weight=weight))
        member = self.last_tx
        self.verify(name, member)
        self.succeed("platform", MemberAdmit(items=(member,)))
        self.credit_to(self.get_pool(pool).account, member, amount)
        return member

    def accept(self, name: str, member: bytes, number: int, rules: PlanTerms) -> None:
        self.succeed(name_hash("member", name), self.build_acceptance(member, number, rules))

    def build_acceptance(self, member: bytes, number: int, rules: PlanTerms) -> MemberAcceptRules:
        return MemberAcceptRules(member=member, version=number, rules_hash=hash_terms(rules))

    # --- the bank ---

    def credit_to(self, account: str, member: bytes, amount: int, *, value_day: int | None = None) -> None:
        item = self.credit_item(member, amount, value_day=value_day)
        assert self.call("bank", DepositCredit(account=account, items=(item,))).items == (0,)

    def list_instructions(self, kind: int | None = None) -> list[tuple[bytes, InstructionRecord]]:
        """Return what waits for the bank, in the order of its making."""
        ready = [(item, self.instruction(item)) for item in self.ready_instructions()]
        return [(item, record) for item, record in ready if kind is None or record.kind == kind]

    def answer(self, instruction: bytes, *, is_settled: bool = True) -> None:
        """Let the bank say what became of an instruction, on the account that it was given to."""
        record = self.instruction(instruction)
        item = InstructionAckItem(
            instruction=instruction,
            is_settled=is_settled,
            amount=record.amount,
            booking_day=self.today,
            ref_token=name_hash("ack", instruction.hex(), self.today),
            reason=0 if is_settled else 7,
        )
        account = self.get_pool(record.pool).account
        assert self.call("bank", InstructionAck(account=account, items=(item,))).items == (0,)

    def answer_all(self) -> list[InstructionRecord]:
        """Let the bank carry out everything that is ready; return what it was."""
        ready = self.list_instructions()
        for instruction, record in ready:
            assert record.state == INSTRUCTION_READY
            self.answer(instruction)
        return [record for _, record in ready]


def build_rules_world(*, drain_max: int = 200, **terms: str) -> RulesWorld:
    """Return a plan whose TOML terms are changed."""
    return RulesWorld(build_terms(**terms), drain_max=drain_max)


def run_signers(world: RulesWorld, call: Call, signers: Sequence[str]) -> None:
    """Let several sign one call."""
    for signer in signers:
        world.succeed(signer, call)
