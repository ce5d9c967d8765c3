"""A ledger on which the attacks of contract 7 are tried: every call is a signed transaction in a block.

Nothing here knows what is allowed. Blocks are executed and committed as on a node (tests/node/local_chain.py), each by
the next of four proposers; the bank posts each day's statement as long as it is honest. Claims: attack_chain.py.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec.structs import replace

from chain.catalogue import get_entry_by_number
from chain.contract.calls import Call
from chain.contract.claim_tables import CLAIM, CLAIM_STATUS_NAMES, ClaimRecord
from chain.contract.context import DAY_MS, compute_day, compute_day_start_ms
from chain.contract.custody_tables import (
    ACCOUNT,
    BOOKING_DAY,
    INSTRUCTION,
    INSTRUCTION_READY,
    BookingDayRecord,
    InstructionRecord,
)
from chain.contract.events import Event
from chain.contract.member_calls import (
    AccountVerify,
    AccountVerifyItem,
    IndexIssue,
    IndexIssueItem,
    MemberAdmit,
    MemberApply,
)
from chain.contract.money_calls import (
    DepositCredit,
    DepositCreditItem,
    InstructionAck,
    InstructionAckItem,
    StatementPost,
)
from chain.contract.settlement_tables import PERIOD, SETTLEMENT, PeriodRecord, SettlementRecord
from chain.contract.shares import get_balance
from chain.contract.tables import MEMBER, PLAN, PLAN_STATUS_NAMES, POOL, MemberRecord, PoolRecord
from chain.contract.terms import PlanTerms, hash_terms
from chain.crypto import SigningKey, sha256
from chain.execution import Executed
from chain.genesis import Parameters
from chain.state import Table
from chain.transaction import Transaction, build_transaction
from tests.chain.fixtures import make_terms
from tests.node.local_chain import LocalChain, build_genesis, build_keys

R = TypeVar("R", bound=msgspec.Struct)

PLAN_NAME, ACCOUNT_NAME = "demo", "demo-account"
OFFSET_MINUTES = 480
GENESIS_MS = 1_767_024_000_000
"""2025-12-30 0:00 in China: the first notice is on 7 January, the first charge on the 14th."""
DEPOSIT_FEN = 100_000
BATCH = 400


def build_terms() -> PlanTerms:
    """Return the rules of the demo without caps, so that a few members can pay a benefit."""
    terms = make_terms(deposit_max_fen=1_000_000)
    return replace(terms, pool=replace(terms.pool, cap_per_case_fen=None, cap_per_year_fen=None))


class Answer(msgspec.Struct, frozen=True):
    """What became of one transaction."""

    code: str
    items: tuple[str, ...]
    tx_id: bytes
    events: tuple[Event, ...]


class AttackLedger:
    """One ledger that grows by signed calls."""

    def __init__(self, path: Path, terms: PlanTerms | None = None, parameters: Parameters | None = None) -> None:
        self.terms = terms or build_terms()
        genesis = build_genesis(self.terms, time_ms=GENESIS_MS, parameters=parameters or Parameters(tenure=1))
        self.chain = LocalChain(genesis, path)
        self.organisations = build_keys()
        self.time_ms = GENESIS_MS
        self.is_bank_honest = True
        self.members: dict[str, bytes] = {}
        self.events: list[Event] = []
        self.last: Executed | None = None
        self._nonce = self._references = 0

    # --- blocks and days ---

    def sign(self, signer: str, call: Call) -> Transaction:
        """Sign a call with an organisation's key or with that of the person who has this name."""
        self._nonce += 1
        return build_transaction(
            chain_id=self.chain.chain_id,
            nonce=self._nonce.to_bytes(16, "big"),
            valid_until_ms=self.time_ms + 600_000,
            call=call,
            key=self.organisations.get(signer) or person_key(signer),
        )

    def send_all(self, *calls: tuple[str, Call], step_ms: int = 1_000) -> list[Answer]:
        """Put signed calls into one block; return what became of each."""
        transactions = [self.sign(signer, call) for signer, call in calls]
        assert all(transaction.is_signature_valid() for transaction in transactions)
        self.time_ms += step_ms
        self.last = self.chain.add_block(transactions, self.time_ms)
        receipts = {receipt.tx_id: receipt for receipt in self.last.outcomes}
        for receipt in self.last.outcomes:
            self.events.extend(receipt.events)
        answers = []
        for transaction in transactions:
            receipt = receipts[transaction.tx_id]
            items = tuple(get_entry_by_number(number).code for number in receipt.items)
            code = get_entry_by_number(receipt.outcome).code
            answers.append(Answer(code=code, items=items, tx_id=transaction.tx_id, events=receipt.events))
        return answers

    def send(self, signer: str, call: Call) -> str:
        """Return the code of one call, for a batch of one that of its item."""
        (answer,) = self.send_all((signer, call))
        return answer.items[0] if len(answer.items) == 1 else answer.code

    def must(self, *calls: tuple[str, Call]) -> list[Answer]:
        """Send calls that must all succeed."""
        answers = self.send_all(*calls)
        for answer in answers:
            assert answer.code == "success" and set(answer.items) <= {"success"}, answer
        return answers

    @property
    def today(self) -> int:
        return compute_day(self.time_ms, OFFSET_MINUTES)

    def advance(self, days: int) -> None:
        """Let days begin, some blocks a day, so that proposers reveal; the honest bank closes each day before."""
        for _ in range(days):
            noon = compute_day_start_ms(self.today + 1, OFFSET_MINUTES) + DAY_MS // 2
            self.send_all(step_ms=noon - self.time_ms)
            self.send_all()
            if self.is_bank_honest:
                self.must(("custodian", self.build_statement()))

    def advance_to(self, day: int) -> None:
        self.advance(day - self.today)

    def draw(self) -> None:
        """Let two proposers reveal today, and the next day begin."""
        self.send_all()
        self.send_all()
        self.advance(1)

    def until(self, status: str, claim: bytes, *, days: int = 60) -> None:
        """Let days begin until a claim has a status."""
        for _ in range(days):
            if self.status(claim) == status:
                return
            self.advance(1)
        raise AssertionError(f"the claim is {self.status(claim)}")

    # --- reading ---

    def require(self, table: Table[R], *parts: bytes | str | int) -> R:
        return self.chain.require(table, *parts)

    def member(self, name: str) -> MemberRecord:
        return self.require(MEMBER, self.members[name])

    def require_member(self, member: bytes) -> MemberRecord:
        return self.require(MEMBER, member)

    def balance(self, name: str) -> int:
        return get_balance(self.member(name), self.pool.share_index)

    @property
    def pool(self) -> PoolRecord:
        return self.require(POOL, PLAN_NAME, 0)

    @property
    def plan_status(self) -> str:
        return PLAN_STATUS_NAMES[self.require(PLAN, PLAN_NAME).status]

    def period(self, number: int) -> PeriodRecord:
        return self.require(PERIOD, PLAN_NAME, 0, number)

    def settlement(self, number: int) -> SettlementRecord:
        return self.require(SETTLEMENT, PLAN_NAME, 0, number)

    def claim(self, claim: bytes) -> ClaimRecord:
        return self.require(CLAIM, claim)

    def status(self, claim: bytes) -> str:
        return CLAIM_STATUS_NAMES[self.claim(claim).status]

    def ready(self) -> list[tuple[bytes, InstructionRecord]]:
        """Return what waits for the bank."""
        found = self.chain.scan(INSTRUCTION, arity=1)
        return [(key, record) for key, record in found if record.state == INSTRUCTION_READY]

    def count_events(self, kind: type) -> int:
        return sum(isinstance(event, kind) for event in self.events)

    # --- people ---

    def build_application(self, name: str) -> MemberApply:
        return MemberApply(
            plan=PLAN_NAME,
            pool=0,
            weight=1,
            rules_hash=hash_terms(self.terms),
            field_commitments_root=hash_of("fields", name),
            blob_hash=hash_of("blob", name),
            consent_hash=hash_of("consent", name),
            recovery_hash=hash_of("recovery", name),
            guardian=None,
        )

    def apply(self, names: Sequence[str]) -> None:
        for part in cut(names):
            answers = self.must(*((name, self.build_application(name)) for name in part))
            self.members.update(zip(part, (answer.tx_id for answer in answers), strict=True))

    def build_verification(self, names: Sequence[str], *, person: str | None = None) -> AccountVerify:
        """Build the bank's word on applicants; with `person` all of them are said to be one person."""
        return AccountVerify(
            items=tuple(
                AccountVerifyItem(
                    member=self.members[name],
                    person_index=hash_of("person", person or name),
                    account_token=hash_of("token", name),
                    holder_kind=0,
                    key_challenge_hash=hash_of("challenge", name),
                    last_cover_year=2060,
                )
                for name in names
            )
        )

    def build_index(self, names: Sequence[str], *, person: str | None = None) -> IndexIssue:
        return IndexIssue(
            items=tuple(
                IndexIssueItem(member=self.members[name], person_index=hash_of("person", person or name), epoch=0)
                for name in names
            )
        )

    def admit(self, names: Sequence[str]) -> None:
        """Let bank, auditor and platform admit applicants, honestly or not."""
        for part in cut(names):
            self.must(
                ("custodian", self.build_verification(part)),
                ("auditor-1", self.build_index(part)),
                ("platform", MemberAdmit(items=tuple(self.members[name] for name in part))),
            )

    def join(self, names: Sequence[str], amount: int = DEPOSIT_FEN) -> None:
        """Let people apply, be admitted and pay in."""
        self.apply(names)
        self.admit(names)
        for part in cut(names):
            self.must(("custodian", self.build_deposits(part, amount)))

    # --- the bank ---

    def build_deposits(self, names: Sequence[str | None], amount: int, **changes: object) -> DepositCredit:
        """Build credits by the members' deposit codes; None pays without a code."""
        items = []
        self._references += 1
        for number, name in enumerate(names):
            item = DepositCreditItem(
                ref_token=hash_of("ref", self._references, number),
                amount=amount,
                booking_day=self.today,
                value_day=self.today,
                payer_token=hash_of("payer", name or "stranger"),
                deposit_code=None if name is None else self.member(name).deposit_code,
            )
            items.append(replace(item, **changes) if changes else item)
        return DepositCredit(account=ACCOUNT_NAME, items=tuple(items))

    def build_statement(self, **changes: int) -> StatementPost:
        """Build the statement of all days that are not closed, as the chain's own books have it."""
        account = self.require(ACCOUNT, ACCOUNT_NAME)
        days = range(account.closed_day + 1, self.today)
        booked = [self.chain.ledger.read(BOOKING_DAY.key(ACCOUNT_NAME, day), BOOKING_DAY.codec) for day in days]
        known = [day or BookingDayRecord(in_count=0, in_sum=0, out_count=0, out_sum=0) for day in booked]
        received, paid = sum(day.in_sum for day in known), sum(day.out_sum for day in known)
        statement = StatementPost(
            account=ACCOUNT_NAME,
            from_day=account.closed_day + 1,
            to_day=self.today - 1,
            opening=account.closing,
            closing=account.closing + received - paid,
            in_count=sum(day.in_count for day in known),
            in_sum=received,
            out_count=sum(day.out_count for day in known),
            out_sum=paid,
            file_hash=hash_of("file", self.today),
        )
        return replace(statement, **changes) if changes else statement

    def answer(self, instruction: bytes, *, is_settled: bool = True, **changes: object) -> str:
        """Let the bank say what became of an instruction."""
        item = InstructionAckItem(
            instruction=instruction,
            is_settled=is_settled,
            amount=self.require(INSTRUCTION, instruction).amount,
            booking_day=self.today,
            ref_token=hash_of("ack", instruction.hex(), self.today),
            reason=0 if is_settled else 7,
        )
        item = replace(item, **changes) if changes else item
        return self.send("custodian", InstructionAck(account=ACCOUNT_NAME, items=(item,)))


def person_key(name: str) -> SigningKey:
    """Return the key of a person."""
    return SigningKey(hash_of("key", name))


def hash_of(*parts: str | int) -> bytes:
    """Return a 32-byte value named by its parts."""
    return sha256("/".join(str(part) for part in parts).encode())


def cut(names: Sequence[str]) -> Iterator[Sequence[str]]:
    """Cut a list into batches."""
    for start in range(0, len(names), BATCH):
        yield names[start : start + BATCH]
